"""Each format, byte for byte. To accept a change: MEMSCAN_ACCEPT=1 pytest tests/reports."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import os
from pathlib import Path
from typing import Any

import pytest

from memscan.records import (
    Basis,
    Calibration,
    Chance,
    Cuts,
    Failure,
    Finding,
    Level,
    Match,
    Reason,
    Stage,
    Thresholds,
    Verdict,
    View,
)
from memscan.report import CopiedSource, CurvePoint, Holdout, Network, Options, Report, Source
from memscan.reports import FORMATS, SUFFIXES, Style, comparison, render

GOLDEN = Path(__file__).parent / "golden"

ONE_TARGET = Report(
    version="1.2.3",
    encoder="phash-64 decode=exact Pillow=1 imagehash=2",
    libraries={"Pillow": "1.0", "imagehash": "2.0", "numpy": "3.0"},
    thresholds=Thresholds(),
    targets=("./generated_images/sample_01.png",),
    sources=(Source("./training_data/", 5000),),
    hashed=5000,
    findings=(
        Finding(
            "./generated_images/sample_01.png",
            0x8F00000000000001,
            Verdict.NEAR_DUPLICATE,
            (),
            (Match("./training_data/class_A/img_402.jpg", 0x8F0000000000000E, 4),),
            Chance(1.25e-05, Basis.EXTRAPOLATED),
        ),
    ),
    target_failures=(),
    source_failures=(),
)

HOSTILE = "train/\x1b[31m\u202e\n.png"
NOT_UTF8 = "train/caf\udce9.png"
FORMULA = '=HYPERLINK("http://x","y").png'

MANY_TARGETS = Report(
    version="1.2.3",
    encoder="phash-64 decode=exact Pillow=1 imagehash=2",
    libraries={"Pillow": "1.0", "imagehash": "2.0", "numpy": "3.0"},
    thresholds=Thresholds(4, 12),
    targets=("generated", FORMULA),
    sources=(Source("train", 7), Source("caf\udce9", 2)),
    hashed=7,
    findings=(
        Finding(
            "generated/a.png",
            0,
            Verdict.IDENTICAL,
            (Reason.LOW_INFORMATION,),
            (Match(HOSTILE, 0, 0), Match(NOT_UTF8, 3, 2), Match("train/é.png", 255, 8)),
            Chance(None, Basis.LOW_INFORMATION),
        ),
        Finding(
            'generated/b,"c".png',
            2**64 - 1,
            Verdict.IDENTICAL,
            (),
            (Match("train/d.png", 7, 0),),
            Chance(3.1e-07, Basis.EXTRAPOLATED),
            ((7, 0),),
            accepted=True,
        ),
        Finding(
            "generated/c<&>.png",
            9,
            Verdict.NEAR_DUPLICATE,
            (Reason.GENERIC_HASH,),
            (Match(NOT_UTF8, 3, 4),),
            Chance(0.5, Basis.OBSERVED),
        ),
        Finding(
            "generated/e.png", 5, Verdict.DISTINCT, (Reason.BORDERLINE,), (Match("+1.png", 6, 8),)
        ),
        Finding(
            NOT_UTF8,
            5,
            Verdict.DISTINCT,
            (Reason.BORDERLINE, Reason.LOW_INFORMATION),
            (Match("-1.png", 6, 10),),
        ),
        Finding(FORMULA, 5, Verdict.DISTINCT, (), (Match("@x.png", 6, 30),)),
    ),
    options=Options(
        recursive=True,
        exclude=("caf\udce9*", "*.tmp"),
        top_k=3,
        max_pixels=1000,
        baseline="base\udce9.json",
    ),
    copied=(
        CopiedSource(NOT_UTF8, 3, 12, ("generated/c<&>.png", HOSTILE)),
        CopiedSource("train/d.png", 7, 1, ('generated/b,"c".png',)),
    ),
    curve=(CurvePoint(0, 2, 0.0), CurvePoint(2, 0, 1.5e-06), CurvePoint(32, 40000, 39876.5)),
    holdout=Holdout(
        sources=(Source("held out", 3), Source("caf\udce9", 1)),
        hashed=3,
        copies=1,
        only_source=2,
        only_holdout=1,
        p_value=1.0,
        failures=(Failure("held out/x.png", Stage.DECODE, "the file is empty"),),
    ),
    target_failures=(Failure("generated/broken.png", Stage.DECODE, "the file is empty"),),
    source_failures=(
        Failure("train/locked", Stage.READ, "the directory cannot be listed: no", True),
        Failure(HOSTILE + "2", Stage.DECODE, "truncated\x1b[0m"),
        Failure("=cmd.png", Stage.HASH, "=images of mode LAB have no grey version"),
    ),
)

CALIBRATED = Network(
    "deepssim",
    "small, trained on x-rays\x1b[31m",
    "0123456789abcdef" * 4,
    Cuts(0.85, 0.6),
    Calibration(rate=1e-5, observed=8e-6, recall=0.9625, positives=400, negatives=250_000),
)
UNCALIBRATED = Network("lcmem", "chest", "fedcba9876543210" * 4, Cuts(0.9, 0.5))

LEARNED = Report(
    version="1.2.3",
    encoder="deepssim:0123 decode=exact Pillow=1 imagehash=2",
    libraries={"Pillow": "1.0", "imagehash": "2.0", "numpy": "3.0"},
    thresholds=CALIBRATED.thresholds,
    targets=("generated",),
    sources=(Source("train", 7),),
    hashed=7,
    findings=(
        Finding(
            "generated/a.png",
            0xA,
            Verdict.IDENTICAL,
            (),
            (
                Match("train/a.png", 0xB, 0.00003, similarity=0.991, confirmation=0.998877),
                Match("train/b.png", 0xC, 0.6),
            ),
            Chance(0.000252, Basis.CALIBRATED),
        ),
        Finding(
            "generated/b.png",
            0xD,
            Verdict.NEAR_DUPLICATE,
            (Reason.VERIFIED, Reason.UNCALIBRATED),
            (Match("train/c.png", 0xE, 0.21, View("mirrored", "centre 92 %"), 0.85, 0.25),),
            Chance(None, Basis.NO_MODEL),
        ),
        Finding(
            "generated/c.png",
            0xF,
            Verdict.DISTINCT,
            (Reason.BORDERLINE, Reason.UNVERIFIED),
            (Match("train/c.png", 0xE, 0.399999),),
            Chance(None, Basis.NO_MODEL),
        ),
        Finding(
            "generated/d.png",
            0x10,
            Verdict.DISTINCT,
            (),
            (Match("train/d.png", 0x11, 1.2),),
            Chance(None, Basis.NO_MODEL),
        ),
    ),
    target_failures=(),
    source_failures=(),
    options=Options(
        detector="deepssim",
        verify="lcmem",
        weights=("deepssim.safetensors", "lcm\udce9m.safetensors"),
        trust_weights=True,
    ),
    copied=(CopiedSource("train/a.png", 0xB, 1, ("generated/a.png",)),),
    detector=CALIBRATED,
    verifier=UNCALIBRATED,
)

REVIEWED = dataclasses.replace(
    LEARNED,
    findings=(
        dataclasses.replace(
            LEARNED.findings[0],
            verdict=Verdict.DISTINCT,
            reasons=(Reason.UNCALIBRATED,),
            matches=(Match("train/a.png", 0xB, 0.00003),),
            chance=Chance(None, Basis.NO_MODEL),
        ),
    ),
    copied=(),
    options=Options(detector="encoder", weights=("mine.onnx",)),
    detector=dataclasses.replace(UNCALIBRATED, kind="encoder"),
    verifier=None,
)

CASES = {
    "one": ONE_TARGET,
    "many": MANY_TARGETS,
    "learned": LEARNED,
    "uncalibrated": REVIEWED,
}
BYTE_FOR_BYTE = [format for format in FORMATS if format != "html"]  # which shows images and links
ENDINGS = {format: suffix for suffix, format in SUFFIXES.items()}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("format", BYTE_FOR_BYTE)
@pytest.mark.parametrize("verbose", [False, True])
def test_the_report_is_as_accepted(case: str, format: str, verbose: bool) -> None:
    mark = "_verbose" if verbose and format == "text" else ""
    path = GOLDEN / f"{case}{mark}{ENDINGS[format]}"
    rendered = render(CASES[case], format, Style(verbose))
    if os.environ.get("MEMSCAN_ACCEPT"):
        path.write_bytes(rendered.encode())
    assert rendered.encode() == path.read_bytes()


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("format", BYTE_FOR_BYTE)
def test_no_format_lets_a_name_reach_the_terminal(case: str, format: str) -> None:
    for line in render(CASES[case], format, Style(True, Level.REVIEW)).split("\n"):
        assert line.isprintable()


def without_comparison(report: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in report.items() if key not in ("type", "schema_version")}


@pytest.mark.parametrize("case", CASES)
def test_json_lines_hold_what_the_document_holds(case: str) -> None:
    document = json.loads(render(CASES[case], "json"))
    lines = [json.loads(line) for line in render(CASES[case], "jsonl").splitlines()]
    by_type: dict[str, list[dict[str, Any]]] = {}
    for line in lines:
        by_type.setdefault(line["type"], []).append(without_comparison(line))
    assert by_type["finding"] == document["findings"]
    assert by_type.get("failure", []) == document["failures"]
    (summary,) = by_type["summary"]
    whole = ("tool", "options", "source", "copied", "curve", "holdout", "volumes", "warnings")
    networks = {key: document[key] for key in ("detector", "verifier") if key in document}
    assert summary == {**document["summary"], **{key: document[key] for key in whole}, **networks}
    assert lines[-1]["type"] == "summary"


def test_the_document_counts_every_image_found() -> None:
    source = json.loads(render(MANY_TARGETS, "json"))["source"]
    assert source["found"] == source["hashed"] + source["failed"]


def test_no_cell_is_a_formula() -> None:
    rows = list(csv.reader(io.StringIO(render(MANY_TARGETS, "csv"))))
    assert len({len(row) for row in rows}) == 1
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row)
    assert any(cell.startswith("'=HYPERLINK") for row in rows for cell in row)


def test_a_comparison_shows_both_hashes() -> None:
    assert comparison.render(ONE_TARGET) == (
        "A: 8f00000000000001 ./generated_images/sample_01.png\n"
        "B: 8f0000000000000e ./training_data/class_A/img_402.jpg\n"
        "Distance: 4\n"
        "Verdict: Near-Duplicate (High Probability of Memorization)\n"
    )
