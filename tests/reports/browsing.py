"""Pages in a real browser."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path
from typing import Any, Iterator, Sequence

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

_CONTRAST = """(selectors) => {
  const light = (colour) => {
    const [r, g, b] = colour.match(/[0-9.]+/g).map((part) => part / 255)
      .map((part) => part <= .03928 ? part / 12.92 : ((part + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const ground = light(getComputedStyle(document.body).backgroundColor);
  return Math.min(...selectors
    .flatMap((selector) => [...document.querySelectorAll(selector)])
    .map((element) => light(getComputedStyle(element).color))
    .map((ink) => (Math.max(ink, ground) + .05) / (Math.min(ink, ground) + .05)));
}"""


@contextlib.contextmanager
def chromium() -> Iterator[Any]:
    """The browser; skips where there is none, or nothing to drive it with."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed (it comes with the test extra)"
    )
    executable = next(filter(None, map(shutil.which, NAMES)), None)
    if executable is None:
        pytest.skip("no Chromium is installed")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield browser
        browser.close()


class Visit:
    """A page that was opened, and everything that it asked for or complained about."""

    def __init__(self, browser: Any, file: Path, **options: Any) -> None:
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.tab = browser.new_page(**{"viewport": {"width": 1280, "height": 900}, **options})
        self.tab.on("request", lambda request: self.requests.append(request.url))
        self.tab.on("console", lambda message: self.complaints.append(message.text))
        self.tab.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.tab.goto(file.as_uri())
        self.own = file.as_uri()

    def close(self) -> None:
        """Every visit ends with this: nothing was asked for, nothing went wrong, nothing ran."""
        foreign = [url for url in self.requests if url != self.own and url[:5] != "data:"]
        assert foreign == []
        assert self.complaints == []
        assert self.tab.evaluate("window.pwned") is None
        self.tab.close()

    def findings(self) -> list[int]:
        """The ranks of the findings on show."""
        return [int(rank.rstrip(".")) for rank in self.tab.locator(".rank").all_text_contents()]

    def focused(self) -> str:
        answer: str = self.tab.evaluate("document.activeElement.id")
        return answer

    def contrast(self, selectors: Sequence[str]) -> float:
        """The least contrast of the text of some elements with the ground of the page."""
        found: float = self.tab.evaluate(_CONTRAST, selectors)
        return found


def written(text: str, folder: Path) -> Path:
    path = folder / "report.html"
    path.write_text(text, encoding="utf-8")
    return path
