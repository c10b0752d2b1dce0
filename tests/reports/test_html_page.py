from __future__ import annotations

import base64
import builtins
import hashlib
import html
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from memscan.errors import InputError
from memscan.records import Basis, Chance, Failure, Reason, Stage, Thresholds
from memscan.report import CopiedSource, CurvePoint, Options
from memscan.reports import page_data, require, thumbnails
from memscan.reports.names import inert
from tests.drawing import picture, save
from tests.reports.pages import BREAKOUTS, block, finding, gallery, page, report

pytest.importorskip("jinja2", reason="Jinja2 is not installed (it comes with the report extra)")


class Markup(HTMLParser):
    """The elements of a page with their attributes, and the text of those that matter."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self._open = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._open = tag

    def handle_data(self, data: str) -> None:
        self.texts.setdefault(self._open, []).append(data)

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def headline(text: str) -> str:
    found = re.search(r"<h1>(.*?)</h1>", text, re.S)
    assert found is not None
    return html.unescape(found.group(1))


def policy(text: str) -> str:
    metas = Markup(text).of("meta")
    (found,) = (m["content"] for m in metas if m.get("http-equiv") == "Content-Security-Policy")
    assert found is not None
    return found


def source_hash(text: str, tag: str) -> str:
    found = re.search(rf"<{tag}>(.*?)</{tag}>", text, re.S)
    assert found is not None
    return base64.b64encode(hashlib.sha256(found.group(1).encode()).digest()).decode()


def test_the_policy_allows_the_page_and_nothing_else(tmp_path: Path) -> None:
    text = page(gallery(tmp_path))
    assert policy(text) == (
        "default-src 'none'; img-src data:; "
        f"style-src 'sha256-{source_hash(text, 'style')}'; "
        f"script-src 'sha256-{source_hash(text, 'script')}'; "
        "base-uri 'none'; form-action 'none'"
    )


def test_no_element_loads_anything_or_carries_code(tmp_path: Path) -> None:
    text = page(gallery(tmp_path))
    assert not re.search(r"https?:", text)
    for tag, attributes in Markup(text).elements:
        assert not any(name.startswith("on") or name == "style" for name in attributes), tag
        assert tag not in ("iframe", "object", "embed", "base")
        if "src" in attributes or tag == "link":
            assert (attributes.get("src") or attributes.get("href") or "").startswith("data:")
        if tag == "a":
            assert (attributes["href"] or "").startswith(("#", "file:///"))


def test_the_same_report_makes_the_same_bytes(tmp_path: Path) -> None:
    of = gallery(tmp_path)
    assert page(of) == page(of)


@pytest.mark.parametrize(
    ("distances", "sentence"),
    [
        ([], "No generated image could be compared."),
        ([30], "No copy found that this detector can see, in 1 generated image."),
        ([30, 8], "No copy found that this detector can see, in 2 generated images."),
        ([0], "1 of 1 generated image copies a training image."),
        ([0, 4, 30], "2 of 3 generated images copy a training image."),
    ],
)
def test_the_verdict_in_one_sentence(distances: list[int], sentence: str) -> None:
    text = page(report([finding(f"{n}.png", "s.png", d) for n, d in enumerate(distances)]))
    assert headline(text) == sentence


@pytest.mark.parametrize(
    ("accepted", "sentence"),
    [
        ((True, True), "2 of 2 generated images copy a training image, accepted by the baseline."),
        (
            (True, False),
            "2 of 2 generated images copy a training image; the baseline accepts 1 of them.",
        ),
    ],
)
def test_the_verdict_says_what_the_baseline_accepts(
    accepted: tuple[bool, bool], sentence: str
) -> None:
    findings = [finding(f"{n}.png", "s.png", 0, accepted=a) for n, a in enumerate(accepted)]
    text = page(report(findings))
    assert headline(text) == sentence
    assert 'value="accepted"' in text


def test_what_lacks_detail_is_no_copy_but_needs_a_look() -> None:
    flat = finding("flat.png", "s.png", 0, reasons=(Reason.LOW_INFORMATION,))
    text = page(report([flat]))
    assert headline(text).startswith("No copy found")
    assert "1 needs a look" in text
    assert 'value="accepted"' not in text


def test_the_rate_with_its_interval() -> None:
    none = [finding(f"{n}.png", "s.png", 30) for n in range(3000)]
    assert "0 of 3,000: at most 0.12 % with 95 % confidence" in page(report(none))
    three = [finding(f"{n}.png", "s.png", 0 if n < 3 else 30) for n in range(120)]
    assert "3 of 120: 2.5 % (95 % confidence interval 0.52 % to 7.1 %)" in page(report(three))
    every = [finding(f"{n}.png", "s.png", 0) for n in range(10)]
    assert "10 of 10: at least 69.2 % with 95 % confidence" in page(report(every))


def test_an_empty_report_has_no_findings_but_its_failures() -> None:
    failure = Failure("generated/a.png", Stage.DECODE, "the file is empty")
    text = page(report(target_failures=(failure,)))
    assert 'id="histogram"' not in text
    assert 'id="list"' not in text
    assert "the file is empty" in text
    assert "1 target could not be read and was not compared." in text


def test_more_failures_than_are_listed_are_counted() -> None:
    failures = tuple(Failure(f"{n}.png", Stage.READ, "gone") for n in range(1007))
    text = page(report(target_failures=failures))
    assert text.count('<span class="why">') == 1000
    assert "7 more are not listed here" in text


def test_findings_are_ordered_by_evidence(tmp_path: Path) -> None:
    data = block(page(gallery(tmp_path)), "data")
    names = [Path(data["files"][f["target"]][0]).stem for f in data["findings"]]
    assert names == ["image_3", "image_4", "image_2", "image_5", "image_1", "image_0"]
    same = [
        finding(name, "s.png", 4, chance=Chance(expected, Basis.OBSERVED))
        for name, expected in (("b", 0.2), ("a", 0.1))
    ]
    assert [f.target for f in page_data.by_evidence(same)] == ["a", "b"]


def test_findings_say_their_chance_and_their_reasons(tmp_path: Path) -> None:
    text = page(gallery(tmp_path))
    data = block(text, "data")
    assert [f["chance"] for f in data["findings"]] == [
        "less than 0.000001 (extrapolated)",
        "0.01",
        "0.00003 (extrapolated)",
        "not known, too little detail",
        "0.01",
        "0.01",
    ]
    assert data["findings"][3]["reasons"] == ["low-information", "generic-hash"]
    for word in ("Borderline", "Low information", "Generic hash", "Extrapolated", "too small"):
        assert word in text


def test_every_section_is_there_when_there_is_something_to_show(tmp_path: Path) -> None:
    sections = {"distances", "findings", "holdout", "copied", "failures", "reading", "scan"}
    full = {a.get("id") for a in Markup(page(gallery(tmp_path))).of("section")}
    assert full == sections
    bare = {a.get("id") for a in Markup(page(report([finding("a", "b", 30)]))).of("section")}
    assert bare == {"distances", "findings", "reading", "scan"}


def test_the_thresholds_are_drawn_into_both_charts(tmp_path: Path) -> None:
    text = page(gallery(tmp_path))
    assert text.count('class="limit"') == 4
    assert "near-duplicate: up to 5" in text
    assert "review: up to 10" in text


@pytest.mark.parametrize("distances", [[0], [64], [0, 1, 64], [30] * 9, [2] * 1234 + [30]])
def test_bars_stay_inside_the_chart(distances: list[int]) -> None:
    text = page(report([finding(f"{n}", "s", d) for n, d in enumerate(distances)]))
    bars = [a for a in Markup(text).of("rect") if (a["class"] or "").startswith("bar")]
    assert len(bars) == len(set(distances))
    for bar in bars:
        x, y, width, height = (float(bar[key] or "") for key in ("x", "y", "width", "height"))
        assert 52 <= x <= x + width <= 428
        assert 34 <= y <= y + height <= 206.1
        assert height >= 2


@pytest.mark.parametrize("expected", [0.0, float("nan"), 1e-12, 1e9])
def test_any_expectation_can_be_drawn(expected: float) -> None:
    curve = tuple(CurvePoint(distance, distance % 4, expected) for distance in range(0, 66, 2))
    text = page(report([finding("a", "b", 30)], curve=curve))
    assert len([a for a in Markup(text).of("circle") if a["class"] == "observed"]) == 9
    assert "nan" not in "".join(str(a) for a in Markup(text).of("polyline"))


@pytest.mark.parametrize(("near", "distinct"), [(0, 0), (0, 64), (5, 5), (64, 64)])
def test_any_thresholds_can_be_drawn(near: int, distinct: int) -> None:
    of = replace(report([finding("a", "b", 30)]), thresholds=Thresholds(near, distinct))
    limits = [a for a in Markup(page(of)).of("line") if a["class"] == "limit"]
    assert len(limits) == len({near, distinct})
    assert all(52 <= float(a["x1"] or "") <= 428 for a in limits)


def test_a_file_is_embedded_once_however_many_copy_it(tmp_path: Path) -> None:
    source = save(picture(0), tmp_path / "source.png")
    targets = [save(picture(n), tmp_path / f"{n}.png") for n in range(1, 5)]
    copied = (CopiedSource(source, 0, 1, tuple(targets)),)
    text = page(report([finding(t, source, 2) for t in targets], copied=copied))
    assert len(block(text, "pictures-0")) == 5
    data = block(text, "data")
    assert len(data["files"]) == 5
    assert len({f["matches"][0][0] for f in data["findings"]}) == 1


def test_pictures_are_for_what_is_worth_looking_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_data, "MAX_PAIRS", 2)
    monkeypatch.setattr(page_data, "CLOSEST_DISTINCT", 1)
    distances = [4, 2, 0, 30, 28]
    paths = [save(picture(n), tmp_path / f"{n}.png") for n in range(6)]
    text = page(report([finding(paths[n], paths[5], d) for n, d in enumerate(distances)]))
    pictured = [(f["matches"][0][1], f["pictured"]) for f in block(text, "data")["findings"]]
    assert pictured == [(0, True), (2, True), (4, False), (28, True), (30, False)]


def test_ten_thousand_pairs_cannot_outgrow_the_limit() -> None:
    pictures = 2 * (page_data.MAX_PAIRS + page_data.CLOSEST_DISTINCT) + page_data.COPIED_SHOWN
    assert pictures * (thumbnails.MAX_BYTES + 2) * 4 / 3 < 30e6


def test_missing_and_broken_originals_leave_a_gap(tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n" + b"x" * 99)
    there = save(picture(1), tmp_path / "there.png")
    text = page(report([finding(str(broken), there, 0), finding(str(tmp_path / "no"), there, 2)]))
    files = {Path(name).name: number for name, _, number in block(text, "data")["files"]}
    assert files == {"broken.png": -1, "there.png": 0, "no": -1}


def test_an_image_above_the_limit_is_not_decoded(tmp_path: Path) -> None:
    large = save(picture(1, (100, 100)), tmp_path / "large.png")
    small = save(picture(1, (10, 10)), tmp_path / "small.png")
    text = page(report([finding(large, small, 0)], options=Options(max_pixels=9999)))
    assert [number for _, _, number in block(text, "data")["files"]] == [-1, 0]
    text = page(report([finding(large, small, 0)], options=Options(max_pixels=10_000)))
    assert [number for _, _, number in block(text, "data")["files"]] == [0, 1]


@pytest.mark.parametrize("name", [*BREAKOUTS, "</script><script>window.pwned=1</script>"])
def test_a_name_stays_text(name: str) -> None:
    plain = page(report([finding("a.png", "s.png", 0)]))
    hostile = page(
        report(
            [finding(name, name + "2", 0)],
            target_failures=(Failure(name, Stage.READ, name),),
            copied=(CopiedSource(name + "2", 0, 1, (name,)),),
            options=Options(exclude=(name,), baseline=name),
            targets=(name,),
        )
    )
    count = len(Markup(plain).of("script"))
    assert len(Markup(hostile).of("script")) == count
    assert "img" not in {tag for tag, _ in Markup(hostile).elements}
    assert policy(hostile) == policy(plain)
    assert all(line.isprintable() for line in hostile.split("\n"))
    data = block(hostile, "data")
    shown_name = data["files"][data["findings"][0]["target"]][0]
    assert shown_name == (name if name.isprintable() else inert(name))
    assert name.isprintable() == ("memscan detect" in hostile)


def test_links_do_not_tell_where_they_came_from(tmp_path: Path) -> None:
    links = Markup(page(gallery(tmp_path))).of("a")
    files = [link for link in links if (link["href"] or "").startswith("file:")]
    assert files
    assert {link["rel"] for link in files} == {"noopener noreferrer"}


def test_the_command_repeats_the_scan() -> None:
    options = Options(recursive=True, exclude=("*.tmp",), exclude_self=True, top_k=3, fast=True)
    text = html.unescape(
        page(report([finding("a", "b", 30)], options=options, targets=("my own",)))
    )
    assert (
        "memscan detect --target 'my own' --source train --exclude '*.tmp' --recursive "
        "--exclude-self --fast --top-k 3</code>"
    ) in text


def test_many_targets_given_by_name_are_counted() -> None:
    of = report([finding("a", "b", 30)], targets=tuple(f"{n}.png" for n in range(107)))
    text = page(of)
    assert "and 7 more" in text
    assert "99.png</bdi>" in text
    assert "100.png</bdi>" not in text
    assert "memscan detect" not in text


def test_the_holdout_is_compared_side_by_side(tmp_path: Path) -> None:
    text = page(gallery(tmp_path))
    assert 'id="rates"' in text
    assert "1 of 6: 16.7 % (95 % confidence interval" in text
    assert "with probability about 0.62 (exact McNemar test)" in text
    assert "The two sets differ in size (5,000 and 900 images)." in text


def test_targets_that_lie_in_the_source_are_told() -> None:
    text = page(report([finding("a", "a", 0)], targets_in_source=("a",)))
    assert "1 target lies in the source and matches itself" in text


def test_without_jinja2_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    for attempt in (lambda: page(report()), lambda: require("html")):
        with pytest.raises(InputError, match=r"pip install 'memscan\[report\]'"):
            attempt()
    require("json")


def test_a_broken_jinja2_tells_its_own_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    genuine = builtins.__import__

    def broken(name: str, *arguments: Any, **keywords: Any) -> Any:
        if name == "jinja2":
            raise ModuleNotFoundError("No module named 'markupsafe'", name="markupsafe")
        return genuine(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", broken)
    with pytest.raises(ModuleNotFoundError, match="markupsafe"):
        require("html")


def test_the_reports_do_not_import_jinja2() -> None:
    code = "import sys, memscan.reports, memscan.reports.html_page; print('jinja2' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
