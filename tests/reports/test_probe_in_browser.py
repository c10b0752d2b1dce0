"""The page on memorisation in a real browser. Skipped where there is no Chromium."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Iterator

import pytest

from memscan.probes import Pictures
from memscan.reports.probe import render
from tests.reports.browsing import Visit, written
from tests.reports.pages import BREAKOUTS
from tests.reports.probe_reports import pixels, report, with_failures
from tests.reports.test_probe import hostile, labelled

pytest.importorskip("jinja2", reason="Jinja2 is not installed (it comes with the report extra)")


@pytest.fixture
def visit(browser: Any, tmp_path: Path) -> Iterator[Visit]:
    made = labelled(with_failures(report(12, pictured=12)))
    seen = Visit(browser, written(render(made, "html"), tmp_path))
    yield seen
    seen.close()


def test_the_page_shows_everything(visit: Visit) -> None:
    tab = visit.tab
    assert tab.locator("h1").inner_text() == "4 of 12 images look memorised, by iip."
    assert "no verdict that an image was copied" in tab.locator(".caveat").inner_text()
    assert tab.locator(".scores svg").count() == 3
    assert tab.locator(".scores .mark").count() == 36
    assert tab.locator("#comparison tbody tr").count() == 3
    assert visit.findings() == list(range(1, 13))
    first = tab.locator("#probe-0")
    assert [row.split()[0] for row in first.locator("tr").all_inner_texts()] == [
        "iip",
        "tcnp",
        "loss",
    ]
    assert "D 0." in first.inner_text()
    assert "memorised" in first.inner_text()
    assert tab.locator("#failures li").count() == 2


def test_three_pictures_stand_side_by_side(visit: Visit) -> None:
    shots = visit.tab.locator("#probe-0 .shot")
    shots.first.scroll_into_view_if_needed()
    for number in range(3):
        image = shots.nth(number).locator("img[src]")
        image.evaluate("(image) => image.decode()")
        assert image.evaluate("(image) => image.naturalWidth") > 60
    roles = [shots.nth(n).locator("img").get_attribute("alt") for n in range(3)]
    assert [str(role).split(":")[0] for role in roles] == ["Original", "Inverted", "Perturbed"]
    places = [shots.nth(n).bounding_box() for n in range(3)]
    assert len({place["y"] for place in places}) == 1
    assert places[0]["x"] < places[1]["x"] < places[2]["x"]


def test_the_small_chart_is_drawn_with_the_place_of_the_image(visit: Visit) -> None:
    visit.tab.locator("#probe-0").scroll_into_view_if_needed()
    strip = visit.tab.locator("#probe-0 .strip").first
    assert strip.locator("use").get_attribute("href") == "#strip-iip"
    assert visit.tab.locator("#strip-iip path").count() == 1
    place, limit = (
        float(str(visit.tab.locator(line).first.get_attribute("x1")))
        for line in ("#probe-0 .place", "#strip-iip .limit")
    )
    assert place > limit


def test_images_are_filtered_and_sorted(visit: Visit) -> None:
    tab = visit.tab
    for kind, count in (("0", 4), ("none", 7), ("all", 12)):
        tab.locator(f"input[name=kind][value='{kind}']").check()
        assert len(visit.findings()) == count
        assert tab.locator("#status").inner_text() == f"{count} of 12 images"
    tab.locator("input[name=sort][value='2']").check()
    scores = tab.locator(".probe tr:nth-child(3) .score").all_text_contents()
    assert [float(one) for one in scores] == sorted(map(float, scores), reverse=True)
    tab.locator("input[name=sort][value=name]").check()
    names = tab.locator(".probe bdi").all_text_contents()
    assert names == sorted(names)
    tab.fill("#text", "IMAGE_0003")
    assert len(visit.findings()) == 1
    tab.fill("#text", "(.*")
    assert tab.locator("#none").is_visible()
    tab.locator("#clear").click()
    assert len(visit.findings()) == 12


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(browser: Any, tmp_path: Path, scheme: str) -> None:
    file = written(render(report(6, pictured=6), "html"), tmp_path)
    seen = Visit(browser, file, color_scheme=scheme)
    selectors = ["h1", ".caveat", ".lead", ".probe .score", ".verdict", ".parts", ".tokens"]
    assert seen.contrast(selectors) >= 4.5
    seen.close()


def test_nothing_reaches_over_the_edge_of_a_narrow_screen(browser: Any, tmp_path: Path) -> None:
    made = hostile(labelled(report(6, pictured=6)), "x" * 300)
    file = written(render(made, "html"), tmp_path)
    seen = Visit(browser, file, viewport={"width": 400, "height": 800})
    assert seen.tab.evaluate("document.documentElement.scrollWidth") <= 400
    seen.close()


def test_hostile_names_are_shown_and_not_obeyed(browser: Any, tmp_path: Path) -> None:
    seen_pictures = Pictures(*(pixels(number) for number in range(3)))
    made = hostile(report(len(BREAKOUTS)), BREAKOUTS[0])
    probes = tuple(
        dataclasses.replace(probe, path=name, pictures=seen_pictures, tokens=((name, 1.0),))
        for probe, name in zip(made.probes, BREAKOUTS)
    )
    file = written(render(dataclasses.replace(made, probes=probes), "html"), tmp_path)
    seen = Visit(browser, file)
    for text in ('"><script>window.pwned=1<_script>.png', r"photo\u202egnp.exe.png"):
        assert text in seen.tab.locator("#list").inner_text()
    assert seen.tab.locator("script:not([type])").count() == 1
    seen.close()


def test_thousands_of_images_are_drawn_in_steps(browser: Any, tmp_path: Path) -> None:
    seen = Visit(browser, written(render(report(2500), "html"), tmp_path))
    assert len(seen.findings()) == 24
    seen.tab.locator("#more").click()
    assert len(seen.findings()) == 224
    seen.tab.fill("#text", "_2499.png")
    assert len(seen.findings()) == 1
    assert seen.tab.locator(".scores .targets").count() == 3
    seen.close()


def test_without_scripts_the_rest_is_there(browser: Any, tmp_path: Path) -> None:
    file = written(render(report(3), "html"), tmp_path)
    seen = Visit(browser, file, java_script_enabled=False)
    assert seen.tab.locator("noscript p").is_visible()
    assert seen.tab.locator(".scores svg").first.is_visible()
    assert not seen.tab.locator("#tools").is_visible()
    seen.tab.close()
