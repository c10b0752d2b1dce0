"""Evaluations in each format. To accept a change: MEMSCAN_ACCEPT=1 pytest tests/reports."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from memscan.errors import InputError
from memscan.records import Failure, Stage
from memscan.report import Source
from memscan.reports.evaluation import Style, curves, render, require
from memscan.scorecard import (
    Basis,
    CurvePoint,
    DetectorScores,
    EditScores,
    Estimate,
    FalsePositiveFit,
    Miss,
    PrecisionFit,
    Scorecard,
    Scores,
    Times,
)
from tests.drawing import picture
from tests.reports.pages import BREAKOUTS

GOLDEN = Path(__file__).parent / "golden"
HOSTILE = "photos/\x1b[31m\u202e\n<script>window.pwned=1</script>.png"
NOT_UTF8 = "photos/caf\udce9.png"

HALF, NONE = Estimate(0.5, 0.25, 0.754321), Estimate(0.0, 0.0, 0.0)
ALL = Estimate(1.0, 1.0, 1.0)
FITS = (
    FalsePositiveFit(0.001, 12.0, 0.00054321, 0.0012, 1e-06),
    FalsePositiveFit(1e-07, None, 0.0, 0.0, 1e-06),
)


def scores(estimate: Estimate | None, found: int) -> Scores:
    return Scores(found, 4, estimate, estimate, (estimate, NONE), estimate, estimate, estimate)


def detector(name: str) -> DetectorScores:
    return DetectorScores(
        name=name,
        description=f"the detector <{name}>",
        default_threshold=5.0,
        bytes_per_source=8,
        false_positive_fits=FITS,
        precision_fit=PrecisionFit(0.9, 14.0, 0.92, 0.875),
        overall=scores(HALF, 6),
        edits=(
            EditScores("jpeg-50", "compression", "JPEG of quality 50", scores(ALL, 4)),
            EditScores("mirrored", "turn", "left and right exchanged", scores(NONE, 0)),
            EditScores("rotate-5", "turn", "turned by 5 degrees", scores(HALF, 2)),
        ),
        curve=tuple(
            CurvePoint(
                float(d), min(1.0, 0.3 + d / 40), 0.0 if d < 8 else 10 ** (d / 8 - 5), d / 40
            )
            for d in range(41)
        ),
        misses=(
            Miss(HOSTILE, "mirrored", 30.0, NOT_UTF8, 26.0),
            Miss(NOT_UTF8, "rotate-5", 8.0, HOSTILE, 22.0),
        ),
    )


CARD = Scorecard(
    version="1.2.3",
    libraries={"Pillow": "1.0", "imagehash": "2.0", "numpy": "3.0"},
    basis=Basis.EDITS,
    seed=7,
    resamples=1000,
    sources=(Source("photos", 11), Source("caf\udce9", 1)),
    calibration=4,
    reported=4,
    ignored=2,
    unrelated_pairs=36,
    detectors=(detector("phash"), detector("dhash")),
    failures=(
        Failure("photos/locked", Stage.READ, "the directory cannot be listed: no", True),
        Failure(HOSTILE, Stage.DECODE, "truncated\x1b[0m"),
    ),
    times={"phash": Times(0.001, 0.00075, 1.5e-08)},
)

PAIRS = dataclasses.replace(
    CARD,
    basis=Basis.PAIRS,
    sources=(Source("pairs.csv", 8),),
    calibration=0,
    ignored=0,
    detectors=(
        dataclasses.replace(
            detector("phash"),
            false_positive_fits=(),
            precision_fit=PrecisionFit(0.9, None, None, None),
            overall=Scores(2, 4, HALF, None, (), Estimate(0.5, None, None), None, None),
            edits=(),
            curve=(),
            misses=(),
        ),
    ),
    failures=(),
    times={},
)

CASES = {"evaluation": CARD, "evaluation_pairs": PAIRS}
PICTURES = {
    (HOSTILE, ""): picture(1),
    (HOSTILE, "mirrored"): picture(2),
    (NOT_UTF8, ""): picture(3),
    (NOT_UTF8, "rotate-5"): picture(4),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("format", ["text", "json"])
def test_the_report_is_as_accepted(case: str, format: str) -> None:
    path = GOLDEN / f"{case}{'.txt' if format == 'text' else '.json'}"
    rendered = render(CASES[case], format, Style(verbose=True))
    if os.environ.get("MEMSCAN_ACCEPT"):
        path.write_bytes(rendered.encode())
    assert rendered.encode() == path.read_bytes()


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("format", ["text", "json"])
def test_no_format_lets_a_name_reach_the_terminal(case: str, format: str) -> None:
    for line in render(CASES[case], format, Style(verbose=True)).split("\n"):
        assert line.isprintable()


def test_only_the_times_depend_on_the_machine() -> None:
    other = dataclasses.replace(CARD, times={"phash": Times(1, 2, 3)})
    one, two = (json.loads(render(card, "json")) for card in (CARD, other))
    assert other == CARD
    assert one.pop("times") != two.pop("times")
    assert one == two
    assert base64.b64decode(one["detectors"][0]["misses"][1]["path_base64"]) == os.fsencode(
        NOT_UTF8
    )


@pytest.mark.parametrize("share", [0.0, 1e-9, 1e-3, 1.0])
@pytest.mark.parametrize("distances", [(0, 1), (-1, 0), (0, 64), (0, 256), (0, 1e-3), (5, 5)])
def test_any_curve_can_be_drawn(share: float, distances: tuple[float, float]) -> None:
    points = tuple(CurvePoint(d, share, share, share) for d in distances)
    drawn = dataclasses.replace(detector("x"), curve=points)
    for shape in (curves.tradeoffs([drawn]), curves.false_hits(drawn)):
        assert shape is not None
        assert all(52 <= tick.at <= 428 for tick in shape.x_ticks)
        assert all(34 <= tick.at <= 206 for tick in shape.y_ticks)
        assert 2 <= len(shape.x_ticks) <= 12


class TestPage:
    @pytest.fixture(autouse=True)
    def jinja2(self) -> None:
        pytest.importorskip("jinja2", reason="Jinja2 is not installed (it comes with an extra)")

    def page(self, card: Scorecard = CARD) -> str:
        return render(card, "html", Style(pictures=PICTURES))

    def test_the_policy_allows_the_style_and_nothing_else(self) -> None:
        text = self.page()
        (style,) = re.findall(r"<style>(.*?)</style>", text, re.S)
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        (policy,) = re.findall(r'Content-Security-Policy" content="(.*?)"', text)
        assert policy.replace("&#39;", "'") == (
            f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; "
            "base-uri 'none'; form-action 'none'"
        )

    def test_nothing_is_loaded_and_nothing_runs(self) -> None:
        text = self.page()
        assert "<script" not in text
        assert not re.search(r"https?:", text)
        assert not re.search(r"<[^>]*\s(on\w+|style)=", text)
        assert set(re.findall(r'(?:src|href)="([#a-z]+)', text)) <= {
            "data",
            *re.findall(r'href="(#[a-z]+)', text),
        }

    @pytest.mark.parametrize("name", [*BREAKOUTS, "</style><script>window.pwned=1</script>"])
    def test_a_name_stays_text(self, name: str) -> None:
        hostile = dataclasses.replace(
            CARD,
            sources=(Source(name, 3),),
            failures=(Failure(name, Stage.READ, name),),
            detectors=(
                dataclasses.replace(
                    detector("phash"), misses=(Miss(name, "mirrored", 9, name, 8),)
                ),
            ),
        )
        text = render(hostile, "html", Style(pictures={(name, ""): picture(1)}))
        plain = render(dataclasses.replace(hostile, sources=(Source("p", 3),)), "html")
        assert "<script" not in text + plain
        assert text.count("<img") == 1 + 1  # the original, and the image that was taken for it
        assert all(line.isprintable() for line in text.split("\n"))

    def test_the_same_scorecard_makes_the_same_bytes(self) -> None:
        assert self.page() == self.page()

    def test_every_section_is_there_when_there_is_something_to_show(self) -> None:
        wanted = {"overall", "by-edit", "curves", "misses", "numbers", "failures", "method"}
        assert set(re.findall(r'<section id="(.*?)"', self.page())) == wanted
        assert set(re.findall(r'<section id="(.*?)"', self.page(PAIRS))) == {"overall", "method"}

    def test_the_sentence_and_the_numbers(self) -> None:
        text = self.page()
        assert "<h1>Of 2 detectors phash finds most, 50.0 % of edited images</h1>" in text
        assert "25.0 to 75.4" in text
        assert "0.75 ms" in text
        assert "FPR 1e-7 (one pair is 1e-6)" in text
        assert "FPR 5.4e-4" in text
        assert "another image is closer, 26" in text
        assert text.count("<img") == 2 * 5

    def test_it_opens_in_a_browser(self, tmp_path: Path) -> None:
        playwright = pytest.importorskip(
            "playwright.sync_api", reason="playwright is not installed (it comes with an extra)"
        )
        names = ("chromium", "chromium-browser", "google-chrome", "chrome")
        executable = next(filter(None, map(shutil.which, names)), None)
        if executable is None:
            pytest.skip("no Chromium is installed")
        file = tmp_path / "page.html"
        file.write_text(self.page(), encoding="utf-8")
        complaints: list[Any] = []
        with playwright.sync_playwright() as driver:
            browser = driver.chromium.launch(
                executable_path=executable, args=["--headless", "--no-sandbox", "--disable-gpu"]
            )
            for width in (1280, 390):
                tab = browser.new_page(viewport={"width": width, "height": 900})
                tab.on("console", lambda message: complaints.append(message.text))
                tab.on("request", lambda request: complaints.append(request.url[:5]))
                tab.goto(file.as_uri())
                assert tab.evaluate("document.documentElement.scrollWidth") <= width
                assert tab.evaluate("window.pwned") is None
                tab.locator(".gallery img").first.scroll_into_view_if_needed()
                decoded = "image => image.decode().then(() => image.naturalWidth)"
                assert tab.locator(".gallery img").first.evaluate(decoded) > 0
            browser.close()
        assert set(complaints) <= {"file:", "data:"}

    def test_without_jinja2_one_sentence_says_what_to_install(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "jinja2", None)
        with pytest.raises(InputError, match=r"pip install 'memscan\[report\]'"):
            require("html")
        require("json")
