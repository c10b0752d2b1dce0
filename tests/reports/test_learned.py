"""What reports say of learned detectors, beside the golden files."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest

from memscan.errors import InputError
from memscan.records import Finding, Match, Thresholds, Verdict
from memscan.report import Holdout, Report, Source
from memscan.reports import FORMATS, charts, read_back, render, repetition, score_chart
from tests.reports.test_golden import LEARNED, ONE_TARGET, REVIEWED


def with_distances(report: Report, *distances: float) -> Report:
    findings = tuple(
        Finding("t.png", 1, Verdict.DISTINCT, (), (Match("s.png", 1, distance),))
        for distance in distances
    )
    return dataclasses.replace(report, findings=findings)


@pytest.mark.parametrize("report", [LEARNED, REVIEWED])
def test_nothing_speaks_of_bits(report: Report) -> None:
    pytest.importorskip("jinja2", reason="the extra 'report' is not installed")
    for format in FORMATS:
        text = re.sub(r"<(script|style)[^>]*>.*?</\1>", "", render(report, format), flags=re.DOTALL)
        assert not re.search(r"\bbits?\b", text.replace("hash_bits", "")), format


def test_the_page_shows_scores_and_the_second_look() -> None:
    pytest.importorskip("jinja2", reason="the extra 'report' is not installed")
    page = render(LEARNED, "html")
    data = json.loads(re.findall(r'id="data">(.*?)</script>', page)[0])
    assert data["scored"] is True
    assert data["findings"][0]["matches"][0][1] == 0.00003
    assert data["findings"][0]["confirmation"] == 0.998877
    assert data["findings"][0]["chance"] == "at most 0.00025"
    assert "distance (1 minus score) to the closest source image" in page
    assert "8e-06 of 250,000 unrelated pairs passed" in page
    assert "the probability that both images show the same" in page
    assert "close enough for a copy" in page
    assert "close enough for a review" in render(REVIEWED, "html")


def test_the_page_of_a_hash_has_nothing_of_it() -> None:
    pytest.importorskip("jinja2", reason="the extra 'report' is not installed")
    page = render(ONE_TARGET, "html")
    static = re.sub(r"<(script|style)[^>]*>.*?</\1>", "", page, flags=re.DOTALL)
    assert "ncalibrated" not in static
    assert "Second look" not in static
    assert "distance in bits to the closest source image" in static


@pytest.mark.parametrize("format", ["text", "html", "json"])
def test_an_uncalibrated_detector_gives_no_rate(format: str) -> None:
    if format == "html":
        pytest.importorskip("jinja2", reason="the extra 'report' is not installed")
    holdout = Holdout((Source("never", 5),), 5, 0, 0, 0, 1.0)
    text = render(dataclasses.replace(REVIEWED, holdout=holdout), format)
    if format == "json":
        document = json.loads(text)
        assert document["summary"]["rate"] is None
        assert document["holdout"]["rate"] is None
        return
    assert "not known, for the detector is not calibrated" in text
    assert "95 %" not in text
    calibrated = render(dataclasses.replace(LEARNED, holdout=holdout), format)
    assert "95 %" in calibrated
    if format == "html":
        assert "1 of 1 generated image is close to a training image, by a detector" in text


class TestTheHistogram:
    """Distances that are fractions, in bins."""

    def test_every_target_is_in_a_bar(self) -> None:
        distances = [0.0, 0.00001, 0.019999, 0.02, 0.1499, 0.1501, 0.4, 0.41, 1.3]
        drawn = score_chart.histogram(with_distances(LEARNED, *distances))
        assert sum(bar.targets for bar in drawn.bars) == len(distances)
        assert {bar.kind for bar in drawn.bars} == {"identical", "near", "review", "distinct"}
        for bar in drawn.bars:
            assert bar.x >= charts.LEFT
            assert bar.x + bar.width <= charts.RIGHT
            assert bar.y >= charts.TOP
            assert bar.y + bar.height <= charts.BOTTOM + 0.1

    def test_a_bin_that_a_threshold_divides_has_two_bars(self) -> None:
        report = dataclasses.replace(LEARNED, thresholds=Thresholds(0.17, 0.4))
        drawn = score_chart.histogram(with_distances(report, 0.169, 0.171, 1.9))
        left, right = drawn.bars[:2]
        assert (left.x, left.kind, right.kind) == (right.x, "near", "review")
        assert right.y + right.height == pytest.approx(left.y, abs=0.2)

    def test_thresholds_lie_where_they_are(self) -> None:
        drawn = score_chart.histogram(with_distances(LEARNED, 0.5))
        ticks = {tick.label: tick.at for tick in drawn.x_ticks}
        scale = (ticks["0.30"] - ticks["0.00"]) / 0.3
        places = [(limit.x - ticks["0.00"]) / scale for limit in drawn.limits]
        assert places == pytest.approx([0.15, 0.4], abs=0.002)

    def test_of_an_uncalibrated_detector_nothing_is_a_copy(self) -> None:
        drawn = score_chart.histogram(with_distances(REVIEWED, 0.0, 0.05, 0.3, 0.9))
        assert {bar.kind for bar in drawn.bars} == {"review", "distinct"}
        assert len(drawn.limits) == 1


def test_the_command_repeats_the_detectors() -> None:
    asked = dataclasses.replace(LEARNED.options, weights=("deepssim.safetensors", "l.safetensors"))
    assert repetition.command(dataclasses.replace(LEARNED, options=asked)) == (
        "memscan detect --target generated --source train --trust-weights "
        "--weights deepssim.safetensors --weights l.safetensors "
        "--detector deepssim --verify lcmem"
    )
    facts = dict(repetition.facts(LEARNED))
    assert "hash" not in facts
    assert "thresholds" not in facts
    assert facts["cuts of deepssim"] == "duplicate from 0.85, similar from 0.6"


def test_no_plot_of_bits_is_drawn_from_scores(tmp_path: Path) -> None:
    path = tmp_path / "audit.json"
    path.write_text(render(LEARNED, "json"))
    with pytest.raises(InputError, match="made by a learned detector"):
        read_back.read(str(path))
    by_hash = dataclasses.replace(ONE_TARGET, verifier=LEARNED.verifier)
    path.write_text(render(by_hash, "json"))
    assert read_back.read(str(path)).targets == 1
