"""Protocols in each format. To accept a change: MEMSCAN_ACCEPT=1 pytest tests/reports."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import os
import re
from pathlib import Path
from typing import Mapping

import pytest

from memscan.protocols import Column, Comparison, Contest, Entry, Origin, Part, ProtocolName
from memscan.records import Failure, Stage
from memscan.report import Source
from memscan.reports.protocols import lines, render, wording
from memscan.scorecard import Estimate
from tests.reports.pages import BREAKOUTS

GOLDEN = Path(__file__).parent / "golden"
HOSTILE = "photos/\x1b[31m\u202e\n<script>window.pwned=1</script>.png"

Figures = Mapping[str, Estimate]

COLUMNS = (
    Column("auc", "AUC", "Pairs", "The area below the ROC curve."),
    Column("recall", "recall", "Pairs", "The share of right pairs."),
    Column("mae", "MAE", "Scale", "The mean absolute difference.", is_share=False),
)
PARTS = (
    Part("pooled", "", "all edits", "all edits", {"right": 4000, "unrelated": 4000}),
    *(
        Part(f"blur-{n}", "blur", f"blur {n}", f"blurred by {n}", {"right": 50}, place)
        for place, n in enumerate((1, 2, 6))
    ),
)


def estimate(value: float) -> Estimate:
    return Estimate(value, value - 0.1, min(1.0, value + 0.1))


def entry(name: str, value: float, is_model: bool = False, **more: Estimate) -> Entry:
    figures = {
        part.key: {
            "auc": estimate(value),
            "recall": None if part.place == 2 else estimate(value / 2),
            **more,
        }
        for part in PARTS
    }
    training = "images (train 400, val 40)" if is_model else "not trained"
    origin = Origin(training, is_model)
    return Entry(name, f"what {name} <is>", origin, {"best F1": 0.123456, "none": None}, figures)


def contest(model: str, baseline: str, part: str, low: float, value: float, high: float) -> Contest:
    return Contest(model, baseline, part, Estimate(value, low, high))


COMPARISON = Comparison(
    version="1.2.3",
    libraries={"Pillow": "1.0", "numpy": "3.0"},
    protocol=ProtocolName.ROBUSTNESS,
    images="images under edits",
    seed=7,
    resamples=1000,
    sources=(Source("photos", 11), Source("caf\udce9", 1)),
    calibration=40,
    reported=60,
    ignored=2,
    main="auc",
    columns=COLUMNS,
    parts=PARTS,
    entries=(
        entry("mse", 0.8),
        entry("phash+training", 0.75),
        entry("lcmem-1", 0.7, True, mae=Estimate(0.123456, None, None)),
        entry("lcmem-2", 0.9, True),
    ),
    contests=(
        contest("lcmem-1", "mse", "pooled", -0.2, -0.1, -0.05),
        contest("lcmem-1", "phash+training", "pooled", -0.1, -0.05, 0.02),
        contest("lcmem-1", "mse", "blur-1", -0.2, -0.1, -0.05),
        contest("lcmem-1", "phash+training", "blur-1", -0.2, -0.1, -0.05),
        contest("lcmem-1", "phash+training", "blur-2", 0.1, 0.2, 0.3),
        contest("lcmem-1", "phash+training", "blur-6", -0.1, 0.0, 0.1),
        contest("lcmem-2", "mse", "pooled", 0.05, 0.1, 0.2),
        contest("lcmem-2", "phash+training", "pooled", -0.05, 0.15, 0.2),
    ),
    notes=("Know this.", "And that."),
    failures=(
        Failure("photos/locked", Stage.READ, "the directory cannot be listed: no", True),
        Failure(HOSTILE, Stage.DECODE, "truncated\x1b[0m"),
    ),
)

WITHOUT_GRID = dataclasses.replace(
    COMPARISON,
    protocol=ProtocolName.REIDENTIFICATION,
    parts=PARTS[:1],
    entries=COMPARISON.entries[:2],
    contests=(),
    failures=(),
    ignored=0,
)


@pytest.mark.parametrize("format", ["text", "json"])
def test_the_report_is_as_accepted(format: str) -> None:
    path = GOLDEN / f"protocol{'.txt' if format == 'text' else '.json'}"
    rendered = render(COMPARISON, format, verbose=True)
    if os.environ.get("MEMSCAN_ACCEPT"):
        path.write_bytes(rendered.encode())
    assert rendered.encode() == path.read_bytes()
    assert all(line.isprintable() for line in rendered.split("\n"))


def test_what_plain_baselines_do_better_is_said() -> None:
    assert list(wording.verdicts(COMPARISON)) == [
        "lcmem-1 is behind 2 of 2 plain baselines (AUC of all edits): mse by 10.0 [5.0, 20.0], "
        "phash+training by 5.0 [-2.0, 10.0, may be chance].",
        "lcmem-1: some plain baseline is clearly ahead (by AUC, with an interval beyond 0) in 1 of "
        "3 edits (blur 1).",
        "lcmem-1 against phash+training, of 3 edits: clearly ahead in 1 (blur 2), clearly behind "
        "in 1 (blur 1), neither in 1.",
        "lcmem-2 is ahead of all 2 plain baselines (AUC of all edits); the closest is mse, by 10.0 "
        "[5.0, 20.0].",
    ]
    assert list(wording.verdicts(WITHOUT_GRID)) == []


def test_the_text_leaves_out_what_is_not_there() -> None:
    text = render(WITHOUT_GRID, "text")
    assert "by edit" not in text
    assert "Models and plain" not in text
    assert "Scale: all edits" not in text  # no detector has a figure of this sheet
    assert text.count("\n  mse: what mse <is>\n") == 1


def test_figures_are_brief() -> None:
    share, number = COLUMNS[0], COLUMNS[2]
    assert wording.figure(Estimate(0.98765, 0.9, 1.0), share) == "98.8"
    assert wording.figure(Estimate(0.98765, 0.9, 1.0), number) == "0.988"
    assert wording.figure(None, share) == "-"
    assert wording.interval(Estimate(0.98765, 0.9, 1.0), share) == "[90.0, 100.0]"
    assert wording.interval(Estimate(0.98765, None, None), share) == ""
    assert wording.headline(COMPARISON) == "lcmem-2 has the greatest AUC of all edits, 90.0 %"


def test_charts_have_a_line_for_each_detector() -> None:
    (chart,) = lines.charts(COMPARISON, "auc")
    assert (chart.group, len(chart.lines)) == ("blur", 4)
    assert [tick.label for tick in chart.x_ticks] == ["1", "2", "6"]
    assert [len(points) for points in chart.lines] == [3, 3, 3, 3]
    assert [len(points) for points in lines.charts(COMPARISON, "recall")[0].lines] == [2, 2, 2, 2]
    assert lines.charts(WITHOUT_GRID, "auc") == []
    higher, lower = chart.lines[3][0], chart.lines[2][0]
    assert higher[1] < lower[1]  # the origin of a drawing is above


def test_the_document_holds_every_figure_with_its_interval() -> None:
    document = json.loads(render(COMPARISON, "json"))
    assert document["options"]["protocol"] == "robustness"
    found = document["detectors"][2]["figures"]["pooled"]["auc"]
    assert found == {"value": 0.7, "low": pytest.approx(0.6), "high": pytest.approx(0.8)}
    assert document["detectors"][2]["is_model"] is True
    assert document["contests"][0]["difference"]["value"] == -0.1
    assert document["images"]["failed"] == 1


class TestPage:
    @pytest.fixture(autouse=True)
    def jinja2(self) -> None:
        pytest.importorskip("jinja2", reason="Jinja2 is not installed (it comes with an extra)")

    def test_nothing_is_loaded_and_nothing_runs(self) -> None:
        text = render(COMPARISON, "html")
        (style,) = re.findall(r"<style>(.*?)</style>", text, re.S)
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        assert f"style-src &#39;sha256-{digest}&#39;" in text
        assert "<script" not in text
        assert not re.search(r"https?:", text)
        assert not re.search(r"<[^>]*\s(on\w+|style)=", text)

    def test_every_section_is_there_when_there_is_something_to_show(self) -> None:
        wanted = {"overall", "verdicts", "grid", "detectors", "failures", "method"}
        found = re.findall(r'<section id="(.*?)"', render(COMPARISON, "html"))
        assert set(found) == wanted
        found = re.findall(r'<section id="(.*?)"', render(WITHOUT_GRID, "html"))
        assert set(found) == {"overall", "detectors", "method"}

    def test_numbers_and_sentences(self) -> None:
        text = render(COMPARISON, "html")
        assert "<h1>lcmem-2 has the greatest AUC of all edits, 90.0 %</h1>" in text
        assert "[80.0, 100.0]" in text
        assert "images (train 400, val 40)" in text
        assert "<li>And that.</li>" in text
        assert text.count("<polyline") == 4

    @pytest.mark.parametrize("name", [*BREAKOUTS, "</style><script>window.pwned=1</script>"])
    def test_a_name_stays_text(self, name: str) -> None:
        hostile = dataclasses.replace(
            COMPARISON,
            sources=(Source(name, 3),),
            failures=(Failure(name, Stage.READ, name),),
            entries=(dataclasses.replace(entry("x", 0.5), name=name, description=name),),
        )
        text = render(hostile, "html")
        assert "<script" not in text
        assert all(line.isprintable() for line in text.split("\n"))
