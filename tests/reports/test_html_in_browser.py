"""The page in a real browser. Skipped where there is no Chromium or nothing to drive it with."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any, Iterator
from urllib.parse import unquote_to_bytes

import pytest

from memscan.records import Failure, Stage
from memscan.report import CopiedSource, Options
from tests.drawing import needs_posix, picture, save
from tests.reports.browsing import Visit, written
from tests.reports.pages import BREAKOUTS, finding, gallery, many, page, report

pytest.importorskip("jinja2", reason="Jinja2 is not installed (it comes with the report extra)")


@pytest.fixture
def visit(browser: Any, tmp_path: Path) -> Iterator[Visit]:
    made = Visit(browser, written(page(gallery(tmp_path)), tmp_path))
    yield made
    made.close()


def test_the_page_shows_everything(visit: Visit) -> None:
    tab = visit.tab
    assert tab.locator("h1").inner_text().startswith("3 of 6 generated images copy")
    assert tab.locator("#histogram .bar").count() == 5
    assert tab.locator("#histogram .limit").count() == 2
    assert tab.locator("#curve .observed").count() > 10
    assert tab.locator("#rates .whisker").count() == 2
    assert visit.findings() == [1, 2, 3, 4, 5, 6]
    assert tab.locator(".tag.accepted").count() == 1
    assert "Low information" in tab.locator("#finding-3").inner_text()
    assert tab.locator("#failures li").count() == 1
    first = tab.locator("#finding-0")
    assert "0 bits" in first.inner_text()
    assert "less than 0.000001 (extrapolated)" in first.inner_text()


def test_pictures_appear_and_say_what_they_are(visit: Visit) -> None:
    images = visit.tab.locator("#finding-0 img")
    images.first.scroll_into_view_if_needed()
    visit.tab.wait_for_function("document.querySelector('#finding-0 img').naturalWidth > 0")
    alternatives = [images.nth(n).get_attribute("alt") for n in range(images.count())]
    assert [str(text).split(":")[0] for text in alternatives] == ["Target", "Source"]
    assert visit.tab.locator("img:not([alt]), img[alt='']").count() == 0


def test_the_verdict_filters(visit: Visit) -> None:
    tab = visit.tab
    for kind, ranks in (
        ("copy", [1, 2, 3]),
        ("identical", [1, 4]),
        ("near-duplicate", [2, 3]),
        ("distinct", [5, 6]),
        ("review", [4, 5]),
        ("accepted", [2]),
        ("all", [1, 2, 3, 4, 5, 6]),
    ):
        tab.locator(f"input[value={kind}]").check()
        assert visit.findings() == ranks
        assert tab.locator("#status").inner_text() == f"{len(ranks)} of 6 findings"


def test_text_filters_by_target_and_source(visit: Visit) -> None:
    tab = visit.tab
    for text, ranks in (
        ("IMAGE_3", [1]),
        ("image_7", [4, 5]),
        ("(.*", []),
        ("", [1, 2, 3, 4, 5, 6]),
    ):
        tab.fill("#text", text)
        assert visit.findings() == ranks
        assert tab.locator("#none").is_visible() == (not ranks)
    tab.locator("input[value=copy]").check()
    tab.fill("#text", "image_7")
    tab.locator("#clear").click()
    assert len(visit.findings()) == 6


def boxes(visit: Visit) -> list[dict[str, float]]:
    """Where target and source of the first finding stand."""
    return [
        visit.tab.locator(f"#finding-0 .shot.{role}").bounding_box()
        for role in ("target", "source")
    ]


def test_two_images_stand_side_by_side_or_cover_each_other(visit: Visit) -> None:
    tab = visit.tab
    target, source = boxes(visit)
    assert target["x"] + target["width"] <= source["x"]
    assert target["y"] == source["y"]
    for mode in ("slider", "blink"):
        tab.locator(f"input[value={mode}]").check()
        target, source = boxes(visit)
        assert target == source
        assert target["width"] / target["height"] == pytest.approx(1.5, abs=0.02)
    tab.locator("input[value=side]").check()
    target, source = boxes(visit)
    assert target["x"] < source["x"]


def test_the_slider_uncovers(visit: Visit) -> None:
    tab = visit.tab
    tab.locator("input[value=slider]").check()
    wipe = tab.locator("#finding-0 .wipe")
    shown = "getComputedStyle(document.querySelector('#finding-0 .shot.target')).clipPath"
    wipe.focus()
    assert "50%" in tab.evaluate(shown)
    tab.keyboard.press("ArrowRight")
    assert visit.focused() == ""  # the arrow moved the slider, not the focus
    assert "49%" in tab.evaluate(shown)
    box = wipe.bounding_box()
    tab.mouse.click(box["x"] + 0.9 * box["width"], box["y"] + box["height"] / 2)
    assert int(wipe.input_value()) > 85


def opacity(visit: Visit) -> float:
    target = "document.querySelector('#finding-0 .shot.target')"
    return float(visit.tab.evaluate(f"getComputedStyle({target}).opacity"))


def running(visit: Visit) -> int:
    return int(visit.tab.evaluate("document.getAnimations().length"))


def test_blinking_can_be_switched_off(visit: Visit) -> None:
    tab = visit.tab
    tab.locator("#finding-0").scroll_into_view_if_needed()
    tab.locator("input[value=blink]").check()
    assert running(visit) > 0
    tab.locator("#blink").click()
    assert running(visit) == 0
    assert opacity(visit) == 1
    tab.locator("#swap").click()
    assert opacity(visit) == 0
    tab.locator("#swap").click()
    assert opacity(visit) == 1
    tab.locator("#blink").click()
    assert running(visit) > 0
    tab.locator("input[value=side]").check()
    assert running(visit) == 0
    assert not tab.locator("#blink").is_visible()


def test_nothing_blinks_for_who_asked_for_stillness(browser: Any, tmp_path: Path) -> None:
    file = written(page(gallery(tmp_path)), tmp_path)
    still = Visit(browser, file, reduced_motion="reduce")
    still.tab.locator("input[value=blink]").check()
    assert running(still) == 0
    assert still.tab.locator("#blink").inner_text() == "Blink"
    still.close()


def test_the_keyboard_is_enough(visit: Visit) -> None:
    keys = visit.tab.keyboard
    seen = []
    for key in ("j", "j", "k", "ArrowRight", "ArrowLeft", "k"):
        keys.press(key)
        seen.append(visit.focused())
    assert seen == [f"finding-{n}" for n in (0, 1, 0, 1, 0, 0)]
    for key, mode in (("2", "slider"), ("3", "blink"), ("1", "side")):
        keys.press(key)
        assert visit.tab.locator("#list").get_attribute("data-mode") == mode
    keys.press("3")
    keys.press("b")
    assert running(visit) == 0
    keys.press("/")
    assert visit.focused() == "text"
    keys.type("j3/")  # typed, not obeyed
    assert visit.tab.locator("#text").input_value() == "j3/"
    keys.press("Escape")
    keys.press("1")
    assert visit.tab.locator("#list").get_attribute("data-mode") == "side"


def test_the_focus_shows(visit: Visit) -> None:
    visit.tab.keyboard.press("j")
    style = visit.tab.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert style == "solid"


def test_a_copied_image_names_its_targets(visit: Visit) -> None:
    tab = visit.tab
    row = tab.locator("#copied-list > li")
    assert row.count() == 1
    assert "2 source images have this very hash." in row.inner_text()
    row.locator("summary").click()
    row.locator("ul li").last.wait_for()  # the list is made when the browser tells of the opening
    assert row.locator("ul li").count() == 3
    tab.fill("#text", "image_0")
    row.locator("ul button").first.click()
    assert visit.focused() == "finding-2"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(browser: Any, tmp_path: Path, scheme: str) -> None:
    file = written(page(gallery(tmp_path)), tmp_path)
    seen = Visit(browser, file, color_scheme=scheme)
    selectors = ["body", "h1", ".caveat", "a", ".finding h3", ".tag", ".meta", ".why"]
    assert seen.contrast(selectors) >= 4.5
    ground = seen.tab.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (int(ground.split("(")[1].split(",")[0]) > 128) == (scheme == "light")
    seen.close()


@pytest.mark.parametrize("mode", ["side", "slider", "blink"])
def test_nothing_reaches_over_the_edge_of_a_narrow_screen(
    browser: Any, tmp_path: Path, mode: str
) -> None:
    name = "x" * 200 + ".png"
    long = save(picture(1), tmp_path / name)
    of = report(
        [finding(long, long, 0), finding("y" * 300, "z" * 300, 30)],
        target_failures=(Failure("f" * 300, Stage.READ, "m" * 300),),
        copied=(CopiedSource(long, 0, 1, (long,)),),
        options=Options(baseline="b" * 300),
        targets=("t" * 300,),
    )
    seen = Visit(browser, written(page(of), tmp_path), viewport={"width": 400, "height": 800})
    seen.tab.locator(f"input[value={mode}]").check()
    assert seen.tab.evaluate("document.documentElement.scrollWidth") <= 400
    seen.close()


@needs_posix
def test_hostile_names_are_shown_and_not_obeyed(browser: Any, tmp_path: Path) -> None:
    paths = [save(picture(n), tmp_path / name) for n, name in enumerate(BREAKOUTS)]
    of = report(
        [finding(path, paths[-1 - n], 2 * n) for n, path in enumerate(paths)],
        target_failures=tuple(Failure(path, Stage.DECODE, path) for path in paths),
        copied=tuple(CopiedSource(path, 0, 2, tuple(paths)) for path in paths),
        options=Options(exclude=BREAKOUTS, baseline=BREAKOUTS[0]),
        targets=tuple(paths),
    )
    seen = Visit(browser, written(page(of), tmp_path))
    seen.tab.locator("summary").last.click()
    for text in ('"><script>window.pwned=1<_script>.png', r"photo\u202egnp.exe.png"):
        assert text in seen.tab.locator("#list").inner_text()
    assert seen.tab.locator("#list bdi").count() >= 2 * len(paths)
    assert seen.tab.locator("script:not([type])").count() == 1
    for n in range(len(paths)):
        link = seen.tab.locator(f"#finding-{n} dd a").first.get_attribute("href")
        assert link is not None
        assert link.startswith("file:///")
    linked = seen.tab.locator("#list dd a").first.get_attribute("href")
    assert os.path.exists(unquote_to_bytes(str(linked)[len("file://") :]))
    seen.close()


def test_an_injected_script_would_be_stopped(browser: Any, tmp_path: Path) -> None:
    """What the policy is for, if the escaping ever failed."""
    text = page(gallery(tmp_path))
    injected = "<script>window.pwned=1</script><img src=x onerror='window.pwned=1'>"
    assert "<main>" in text
    seen = Visit(browser, written(text.replace("<main>", "<main>" + injected), tmp_path))
    assert seen.tab.evaluate("window.pwned") is None
    assert any("Content Security Policy" in complaint for complaint in seen.complaints)
    assert seen.tab.evaluate("fetch('https://example.org').catch(() => 'stopped')") == "stopped"
    seen.tab.close()


@pytest.mark.parametrize("count", [0, 1])
def test_few_findings_make_a_page(browser: Any, tmp_path: Path, count: int) -> None:
    of = report([finding("missing.png", "gone.png", 0)] * count)
    seen = Visit(browser, written(page(of), tmp_path))
    assert seen.tab.locator(".finding").count() == count
    assert seen.tab.locator(".missing").count() == 2 * count
    seen.close()


def test_without_scripts_the_rest_is_there(browser: Any, tmp_path: Path) -> None:
    file = written(page(gallery(tmp_path)), tmp_path)
    seen = Visit(browser, file, java_script_enabled=False)
    assert seen.tab.locator("noscript p").is_visible()
    assert seen.tab.locator("#histogram").is_visible()
    assert not seen.tab.locator("#tools").is_visible()
    seen.tab.close()


@needs_posix
def test_ten_thousand_targets_open_quickly(browser: Any, tmp_path: Path) -> None:
    file = written(page(many(tmp_path, 10_000, 3000)), tmp_path)
    assert 5e6 < file.stat().st_size < 40e6
    started = time.perf_counter()
    seen = Visit(browser, file)
    seen.tab.wait_for_selector("#finding-0", state="attached")
    seen.tab.evaluate("document.getElementById('finding-0').scrollIntoView()")
    seen.tab.wait_for_function("document.querySelector('#finding-0 img').naturalWidth > 0")
    took = time.perf_counter() - started
    assert took < 3
    assert len(seen.findings()) == 48
    seen.tab.locator("#more").click()
    assert len(seen.findings()) == 248
    seen.tab.fill("#text", "_09999.jpg")
    assert seen.findings() == [10_000]
    assert seen.tab.locator("#copied-list > li").count() == 24
    seen.close()
