"""What a probe found in each format. To accept a change: MEMSCAN_ACCEPT=1 pytest tests/reports."""

from __future__ import annotations

import base64
import csv
import dataclasses
import hashlib
import io
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest

from memscan.evaluation.probes import contest
from memscan.probes import Contest, Lead, Probe, ProbeReport, Quality
from memscan.report import Source
from memscan.reports import thumbnails
from memscan.reports.probe import methods, page_data, render, score_charts, wording
from memscan.scorecard import Estimate
from tests.reports.pages import BREAKOUTS, block
from tests.reports.probe_reports import measured, report, with_failures

GOLDEN = Path(__file__).parent / "golden"
ENDINGS = {"text": "txt", "json": "json", "csv": "csv"}
HOSTILE = "targets/\x1b[31m\u202e\n<script>window.pwned=1</script>\udce9.png"


def labelled(made: ProbeReport) -> ProbeReport:
    """With every third image remembered, as it is drawn."""
    scores = {name: [one.methods[name].score for one in made.probes] for name in made.methods}
    truths = [number % 3 == 0 for number in range(len(made.probes))]
    return dataclasses.replace(made, contest=contest(scores, truths))


def hostile(made: ProbeReport, name: str) -> ProbeReport:
    first = dataclasses.replace(made.probes[0], path=name, tokens=((name, 1.0),))
    return dataclasses.replace(
        with_failures(made, name),
        probes=(first, *made.probes[1:]),
        model=name,
        fingerprint=name,
        options={name: name},
        warnings=(name,),
        targets=(Source(name, 1),),
    )


REPORTS = {
    "probe": labelled(with_failures(report(9, references=99))),
    "probe_one": report(1, methods=("iip",), references=99),
    "probe_small_reference": report(2, methods=("tcnp", "loss"), references=20),
    "probe_hostile": hostile(report(2, methods=("iip",), references=99), HOSTILE),
}


@pytest.mark.parametrize("format", ENDINGS)
@pytest.mark.parametrize("name", REPORTS)
def test_the_report_is_as_accepted(name: str, format: str) -> None:
    path = GOLDEN / f"{name}.{ENDINGS[format]}"
    rendered = render(REPORTS[name], format, shown=5, verbose=True)
    if os.environ.get("MEMSCAN_ACCEPT"):
        path.write_bytes(rendered.encode())
    assert rendered.encode() == path.read_bytes()
    assert all(line.isprintable() for line in rendered.split("\n"))


def test_the_text_shows_as_many_as_asked_and_says_what_is_left() -> None:
    text = render(REPORTS["probe"], "text", shown=2)
    assert text.count("\n  iip") == 2
    assert "and 7 other targets" in text
    assert "Most suspicious" not in render(REPORTS["probe"], "text", shown=0)
    assert "broken.png" not in text


def test_the_most_suspicious_come_first() -> None:
    made = report(30)
    p_values = [probe.methods["iip"].p_value for probe in made.most_suspicious]
    assert p_values == sorted(p_values)
    ties = [probe for probe in made.most_suspicious if probe.methods["iip"].p_value == p_values[0]]
    scores = [probe.methods["iip"].score for probe in ties]
    assert len(scores) > 3
    assert scores == sorted(scores, reverse=True)


def test_it_is_said_that_this_is_no_copy_verdict() -> None:
    for format in ("text", "json", "html"):
        if format == "html":
            pytest.importorskip("jinja2", reason="Jinja2 is not installed")
        text = render(REPORTS["probe"], format)
        assert "Memorisation by probe" in text
        assert "no training image was looked at" in text
        assert "no verdict that an image was copied" in text


def test_a_reference_too_small_to_accuse_has_no_threshold() -> None:
    made = REPORTS["probe_small_reference"]
    assert json.loads(render(made, "json"))["methods"]["loss"]["threshold"] is None
    assert re.search(r"Memorised above +none +none\n", render(made, "text"))
    assert json.loads(render(made, "json"))["summary"]["memorised"] == {"tcnp": None, "loss": None}
    assert {row["threshold"] for row in csv.DictReader(io.StringIO(render(made, "csv")))} == {""}


def test_every_target_and_failure_is_a_row() -> None:
    rows = list(csv.DictReader(io.StringIO(render(REPORTS["probe"], "csv"))))
    assert len(rows) == 9 * 3 + 2
    assert rows[0]["distance"] != ""
    assert rows[1]["distance"] == ""
    assert [row["failed_stage"] for row in rows[-2:]] == ["decode", "read"]
    assert (rows[-2]["target"], rows[-1]["reference"]) == ("targets/broken.png", "reference/locked")


def test_a_name_is_no_formula_and_its_bytes_are_kept() -> None:
    for name in ("=HYPERLINK(1)", "@a", HOSTILE):
        rows = list(csv.DictReader(io.StringIO(render(hostile(report(1), name), "csv"))))
        assert not any(row["target"].startswith(("=", "@")) for row in rows)
        assert base64.b64decode(rows[0]["target_base64"]) == os.fsencode(name)


def lead(auc: tuple[float, float, float], recall: tuple[float, float, float]) -> str:
    made = Lead("iip", "loss", *(Estimate(value, low, high) for low, value, high in (auc, recall)))
    quality = Quality(Estimate(0.9, 0.8, 1.0), Estimate(0.5, None, None))
    (sentence,) = methods.sentences(Contest(10, 90, 1000, {"iip": quality}, (made,)))
    return sentence


def test_where_a_baseline_is_as_good_the_sentence_says_so() -> None:
    even, above, below = (-0.1, 0.0, 0.1), (0.1, 0.2, 0.3), (-0.3, -0.2, -0.1)
    assert lead(even, even) == (
        "loss is as good as iip, as far as these images tell (iip minus loss: AUC +0.0 [-10.0, "
        "+10.0, may be chance], TPR at 1% FPR +0.0 [-10.0, +10.0, may be chance])."
    )
    assert lead(above, above).startswith("iip is ahead of loss (iip minus loss: AUC +20.0 [+10.0,")
    assert lead(below, below).startswith("loss is ahead of iip (iip minus loss: AUC -20.0 [-30.0,")
    assert lead(above, even).startswith("iip is ahead of loss by one measure (")
    assert lead(even, below).startswith("loss is ahead of iip by one measure (")
    assert lead(above, below).startswith("loss and iip are each ahead by one measure (")


class TestCharts:
    def test_every_score_is_in_a_bin_that_holds_it(self) -> None:
        made = report(60)
        for name in made.methods:
            chart = score_charts.chart(made, name)
            assert sum(one.reference for one in chart.bins) == 199
            assert sum(one.targets for one in chart.bins) == 60
            for one in chart.bins[1:-1]:
                low, high = map(float, one.scores.split(" to "))
                inside = [score for score in made.reference_scores[name] if low <= score < high]
                assert len(inside) == one.reference

    def test_what_is_far_out_is_drawn_at_the_edge_and_counted(self) -> None:
        made = report(3, methods=("loss",))
        known = made.reference_scores["loss"]
        far = [Probe(f"{s}.png", {"loss": measured("loss", s, known)}) for s in (-9.0, -0.3, 9.0)]
        chart = score_charts.chart(dataclasses.replace(made, probes=tuple(far)), "loss")
        assert chart.beyond == 2
        assert chart.bins[0].scores.startswith("up to ")
        assert chart.bins[-1].scores.endswith(" and more")
        assert (chart.bins[0].targets, chart.bins[-1].targets) == (1, 1)
        assert [mark.x for mark in chart.marks][::2] == [52, 428]

    def test_few_targets_have_marks_and_many_a_line(self) -> None:
        few, many = (score_charts.chart(report(count), "iip") for count in (3, 300))
        assert (len(few.marks), few.outline) == (3, ())
        assert many.marks == ()
        assert len(many.outline) == 2 + 2 * len(many.bins)
        assert sum(mark.memorised for mark in few.marks) == 1

    def test_the_threshold_lies_between_those_it_divides(self) -> None:
        made = report(3)
        chart = score_charts.chart(made, "iip")
        for mark, probe in zip(chart.marks, made.probes):
            assert mark.memorised == probe.methods["iip"].memorised
            assert (mark.x > chart.limits[0].x) == mark.memorised
        small = report(3, references=20)
        assert score_charts.chart(small, "iip").limits == ()

    @pytest.mark.parametrize("scores", [(1.0,) * 120, (0.0,) * 120, (1e-9,) * 119 + (2e-9,)])
    @pytest.mark.parametrize("target", [1.0, 1e6, -1e6])
    def test_odd_scores_are_drawn(self, scores: tuple[float, ...], target: float) -> None:
        made = dataclasses.replace(
            report(1, methods=("loss",)),
            probes=(Probe("a.png", {"loss": measured("loss", target, scores)}),),
            reference_scores={"loss": scores},
            thresholds={"loss": max(scores)},
        )
        chart = score_charts.chart(made, "loss")
        assert sum(one.reference for one in chart.bins) == 120
        assert len(chart.bins) <= 400
        assert all(0 <= bar.height <= 172 for bar in chart.bars)
        assert all(52 <= mark.x <= 428 for mark in chart.marks)

    def test_no_targets_are_no_marks(self) -> None:
        chart = score_charts.chart(report(0), "iip")
        assert chart.marks == chart.outline == ()


class TestPage:
    @pytest.fixture(autouse=True)
    def jinja2(self) -> None:
        pytest.importorskip("jinja2", reason="Jinja2 is not installed (it comes with an extra)")

    def test_only_its_own_style_and_script_are_let_in(self) -> None:
        text = render(report(2, pictured=1), "html")
        (style,) = re.findall(r"<style>(.*?)</style>", text, re.S)
        (script,) = re.findall(r"<script>(.*?)</script>", text, re.S)
        for kind, source in (("style", style), ("script", script)):
            digest = base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
            assert f"{kind}-src &#39;sha256-{digest}&#39;" in text
        assert "default-src &#39;none&#39;" in text
        assert not re.search(r"https?:", text.replace("http://www.w3.org/2000/svg", ""))
        assert not re.search(r"<[^>]*\s(on\w+|style)=", text)

    def test_every_section_is_there_when_there_is_something_to_show(self) -> None:
        found = re.findall(r'<section id="(.*?)"', render(REPORTS["probe"], "html"))
        assert found == ["scores", "comparison", "images", "failures", "reading", "probe"]
        found = re.findall(r'<section id="(.*?)"', render(report(0), "html"))
        assert found == ["scores", "reading", "probe"]

    def test_three_pictures_of_those_that_have_them(self) -> None:
        text = render(report(5, pictured=2), "html")
        data = block(text, "data")
        assert data["roles"] == ["Original", "Inverted", "Perturbed"]
        assert sorted(len(probe["files"]) for probe in data["probes"]) == [1, 1, 1, 3, 3]
        assert len(block(text, "pictures-0")) == 6
        missing = [data["files"][probe["files"][0]][2] for probe in data["probes"]]
        assert missing.count(-1) == 3  # their files are not there

    def test_pictures_are_for_the_first_by_any_method(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(page_data, "MAX_PICTURED", 3)
        made = report(40)
        data = block(render(made, "html"), "data")
        pictured = {data["files"][one["files"][0]][0] for one in data["probes"] if one["pictured"]}
        best = {
            max(made.probes, key=lambda probe: probe.methods[name].score).path
            for name in made.methods
        }
        assert len(pictured) == 3
        assert best <= pictured

    def test_tokens_are_shaded_by_significance(self) -> None:
        tokens = (("a", 0.0), ("dog", 4.0), ("of", 1.0))
        made = report(1)
        made = dataclasses.replace(
            made, probes=(dataclasses.replace(made.probes[0], tokens=tokens),)
        )
        (probe,) = block(render(made, "html"), "data")["probes"]
        assert probe["tokens"] == [["a", "0", 0], ["dog", "4", 5], ["of", "1", 1]]

    def test_a_tiny_image_keeps_its_pixels(self) -> None:
        pixels = np.zeros((8, 8, 3), np.uint8)
        pixels[2, 3] = 255
        drawn = thumbnails.of_pixels(pixels)
        assert (drawn.width, drawn.height) == (120, 120)

    @pytest.mark.parametrize("name", [*BREAKOUTS, "</style><script>window.pwned=1</script>"])
    def test_a_name_stays_text(self, name: str) -> None:
        plain = render(report(2, pictured=1), "html")
        text = render(hostile(report(2, pictured=1), name), "html")
        assert text.count("<script") == plain.count("<script")
        assert text.count("<img") == plain.count("<img")
        assert all(line.isprintable() for line in text.split("\n"))

    def test_a_page_of_thousands_is_small(self) -> None:
        assert len(render(report(3000), "html")) < 2_000_000


def test_the_headline_never_says_that_nothing_is_remembered() -> None:
    assert wording.headline(report(0)) == "No image could be probed."
    assert wording.headline(report(1)) == "1 of 1 image looks memorised, by iip."
    assert wording.headline(REPORTS["probe_small_reference"]) == (
        "The reference is too small to call any of 2 images memorised."
    )
    quiet = dataclasses.replace(report(3), probes=report(3).probes[1:])
    assert wording.headline(quiet) == "No sign of memorisation that iip can see, in 2 images."
