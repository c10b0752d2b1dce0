"""Attributions in each format. To accept a change: MEMSCAN_ACCEPT=1 pytest tests/reports."""

from __future__ import annotations

import base64
import csv
import dataclasses
import io
import json
import os
import re
from pathlib import Path

import pytest

from memscan.attributions import (
    NEAREST,
    RATE,
    SHIPPED,
    Attribution,
    AttributionReport,
    Calibrated,
    Generator,
    Judged,
    Performance,
    PerformanceReport,
    Survival,
    Weakness,
)
from memscan.records import Failure, Stage
from memscan.report import Source
from memscan.reports.attribution import SUFFIXES, html_page, render, wording
from memscan.reports.names import inert
from memscan.scorecard import Estimate
from tests.drawing import picture, save
from tests.reports.pages import BREAKOUTS

GOLDEN = Path(__file__).parent / "golden"
HOSTILE = "=cmd|'\x1b[31m\n\u202e\udce9<script>.png"


def generator(name: str, threshold: float, made: str = "dif") -> Generator:
    path = f"prints/{name}.dif.npz"
    means = -0.001, 0.013
    return Generator(name, path, 256, "laplacian", made, *means, threshold, 2 * threshold)


def target(
    path: str,
    scores: tuple[float, float, float],
    margins: tuple[float, float, float],
    named: tuple[str, ...] = (),
    p_value: float | None = 0.5,
    phase: tuple[int, int] | None = None,
    weaknesses: tuple[Weakness, ...] = (),
    format: str = "PNG",
) -> Attribution:
    size = (512, 500) if weaknesses else (512, 512)
    return Attribution(path, scores, margins, named, p_value, phase, format, size, weaknesses)


FAILURES = (
    Failure("generated/locked", Stage.READ, "the directory cannot be listed: no", True),
    Failure(HOSTILE, Stage.DECODE, "truncated\x1b[0m"),
)

CALIBRATED = AttributionReport(
    version="1.2.3",
    generators=(
        generator("alpha", 0.011),
        generator("beta<b>\x1b[0m", 0.0125),
        generator("glide", 0.02, "published"),
    ),
    search=True,
    calibrated=Calibrated(("photos",), 60, 0.05, 19, 3.25, FAILURES[1:]),
    targets=(Source("generated", 6), Source("caf\udce9", 1)),
    attributions=(
        target(HOSTILE, (0.002, 0.001, 0.003), (0.5, -1.0, 0.25), p_value=0.75),
        target("generated/a.png", (0.05, 0.002, 0.001), (12.5, 0.1, -0.4), ("alpha",), 1 / 61),
        target(
            "generated/b.jpg",
            (0.03, 0.02, 0.001),
            (8.0, 6.0, 0.5),
            ("alpha", "beta<b>\x1b[0m"),
            1 / 61,
            None,
            (Weakness.LOSSY, Weakness.SIZE),
            "JPEG",
        ),
        target(
            "generated/c.png",
            (0.015, 0.001, 0.09),
            (3.5, -0.5, 21.0),
            ("glide", "alpha"),
            1 / 61,
        ),
        target(
            "generated/e.png",
            (0.04, 0.001, 0.03),
            (9.5, 0.5, 7.0),
            ("alpha", "glide"),
            1 / 61,
            (3, 1),
        ),
        target(
            "generated/d.png",
            (0.0, 0.0, 0.0),
            (-0.5, -0.25, -1.5),
            weaknesses=(Weakness.SMALL, Weakness.BLANK),
            p_value=1.0,
        ),
    ),
    failures=FAILURES,
    warnings=("Know\x1b this.",),
)

PLAIN = dataclasses.replace(
    CALIBRATED,
    generators=tuple(
        dataclasses.replace(one, moved_threshold=None) for one in CALIBRATED.generators
    ),
    search=False,
    calibrated=None,
    attributions=tuple(
        dataclasses.replace(one, p_value=None, phase=None) for one in CALIBRATED.attributions[1:2]
    ),
    targets=(Source("generated", 1),),
    failures=(),
    warnings=(),
)


def estimate(value: float, spread: float = 0.1) -> Estimate:
    return Estimate(value, max(0.0, value - spread), min(1.0, value + spread))


def performance(name: str, search: bool, robust: bool = True) -> Performance:
    rules = (NEAREST, RATE) if search else (SHIPPED, NEAREST, RATE)
    return Performance(
        images="sets/caf\udce9",
        generator=name,
        residual="wiener",
        search=search,
        real=10,
        fake=12,
        auc=estimate(0.9876),
        judged=tuple(
            Judged(rule, 0.0123456, estimate(0.9), estimate(0.7), estimate(0.8, 0.05))
            for rule in rules
        ),
        survivals=(
            Survival("none", estimate(0.9876), estimate(0.8)),
            Survival("JPEG 95", estimate(0.5), estimate(0.45, 0.2)),
        )
        if robust
        else (),
    )


MEASURED = PerformanceReport(
    version="1.2.3",
    rate=0.05,
    performances=(performance("alpha", False), performance("beta\x1b", True)),
    calibrated=None,
    failures=FAILURES,
    warnings=("A confound\x1b.",),
)

MEASURED_PLAIN = dataclasses.replace(
    MEASURED,
    performances=(performance("alpha", False, robust=False),),
    calibrated=CALIBRATED.calibrated,
    failures=(),
    warnings=(),
)

CASES: dict[str, AttributionReport | PerformanceReport] = {
    "attribution": CALIBRATED,
    "attribution_plain": PLAIN,
    "attribution_performance": MEASURED,
    "attribution_performance_plain": MEASURED_PLAIN,
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_report_is_as_accepted(case: str, suffix: str) -> None:
    if suffix == ".html":
        pytest.importorskip("jinja2", reason="Jinja2 is not installed")
    path = GOLDEN / f"{case}{suffix}"
    rendered = render(CASES[case], SUFFIXES[suffix], shown=4, verbose=True)
    if suffix == ".html":  # the style is the same on all pages
        rendered = re.sub("<style>.*</style>", "<style></style>", rendered, flags=re.DOTALL)
        rendered = re.sub("'sha256-[^']*'", "'sha256-'", rendered)
        rendered = re.sub('href="file://[^"]*"', 'href="file://"', rendered)
    if os.environ.get("MEMSCAN_ACCEPT"):
        path.write_bytes(rendered.encode())
    assert rendered.encode() == path.read_bytes()
    assert all(line.isprintable() for line in rendered.split("\n"))


def test_the_most_suspect_come_first_and_the_rest_is_counted() -> None:
    order = [one.path[-6:] for one in CALIBRATED.most_suspect]
    assert order == ["/c.png", "/a.png", "/b.jpg", "/e.png", "t>.png", "/d.png"]
    assert CALIBRATED.moved == 1
    text = render(CALIBRATED, "text", shown=1)
    assert "generated/c.png" in text
    assert "generated/a.png" not in text
    assert "and 5 others" in text
    assert "locked" not in text
    assert "p-value" not in render(CALIBRATED, "text", shown=0)


def test_a_rival_is_named_and_a_faint_echo_is_not() -> None:
    by_path = {one.path: one for one in CALIBRATED.attributions}
    rivals, echo = by_path["generated/b.jpg"], by_path["generated/c.png"]
    assert (rivals.is_ambiguous, echo.is_ambiguous) == (True, False)
    assert wording.decision(rivals) == "alpha or beta<b>\\x1b[0m"
    assert list(wording.remarks(rivals)) == []
    assert wording.decision(echo) == "glide"
    assert list(wording.remarks(echo)) == ["above its threshold as well: alpha"]
    assert list(wording.remarks(by_path[HOSTILE])) == []


def test_a_grid_that_was_moved_names_no_one() -> None:
    (moved,) = [one for one in CALIBRATED.attributions if one.is_moved]
    assert (moved.generator, moved.is_ambiguous) == (None, False)
    assert wording.decision(moved) == "some generator, moved"
    where, like = wording.remarks(moved)
    assert where == "grid found 3 px down and 1 px to the right, or where it repeats"
    assert like.startswith("most like that of alpha, glide, but")
    assert [count for _, _, count in wording.outcomes(CALIBRATED)] == [2, 0, 1, 1, 2]
    assert [count for _, _, count in wording.outcomes(PLAIN)] == [1, 0, 0, 0]


def test_json_and_csv_have_every_target_and_failure() -> None:
    document = json.loads(render(CALIBRATED, "json", shown=0))
    assert len(document["attributions"]) == 6
    assert document["summary"]["attributed"]["glide"]["count"] == 1
    assert document["summary"]["none_of_these"]["count"] == 2
    rows = list(csv.DictReader(io.StringIO(render(CALIBRATED, "csv", shown=0))))
    assert len(rows) == 6 * 3 + len(CALIBRATED.lost) == 6 * 3 + 3
    assert [row["generator"] for row in rows if row["attributed"] == "true"] == [
        "alpha",
        "alpha",
        "glide",
    ]
    assert not any(cell.startswith(("=", "+", "@")) for row in rows for cell in row.values())


@pytest.mark.parametrize("measured", [MEASURED, MEASURED_PLAIN])
def test_the_table_of_an_evaluation_ends_with_what_was_not_read(
    measured: PerformanceReport,
) -> None:
    rows = list(csv.DictReader(io.StringIO(render(measured, "csv", shown=0))))
    failed = rows[-len(measured.lost) :]
    assert [(row["failed_stage"], row["failure"]) for row in failed] == [
        (one.stage.value, inert(one.message)) for one in measured.lost
    ]
    assert all(row["generator"] == "" for row in failed)
    assert not any(row["failed_stage"] for row in rows[: -len(failed)])
    assert base64.b64decode(failed[-1]["images_base64"]) == os.fsencode(HOSTILE)


def test_the_page_lets_no_name_out_of_its_place(tmp_path: Path) -> None:
    pytest.importorskip("jinja2", reason="Jinja2 is not installed")
    paths = [save(picture(seed), tmp_path / name) for seed, name in enumerate(BREAKOUTS)]
    some = tuple(target(path, (0.1, 0.0, 0.0), (9.0, 0.0, 0.0), ("alpha",)) for path in paths)
    page = render(dataclasses.replace(CALIBRATED, attributions=some), "html", shown=0)
    assert page.count("<img src=") == page.count('<img src="data:image/') == len(paths)
    assert "<script" not in page
    assert "onerror=window" not in page.replace("onerror=window.pwned=1&gt;", "")
    assert all(line.isprintable() for line in page.split("\n"))


def test_the_page_says_what_it_leaves_out(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("jinja2", reason="Jinja2 is not installed")
    monkeypatch.setattr(html_page, "MAX_SHOWN", 2)
    monkeypatch.setattr(html_page, "MAX_FAILURES", 1)
    page = render(CALIBRATED, "html", shown=0)
    assert "4 more are not shown here" in page
    assert "The first 1 of 3." in page
    assert "a.png" in page
    assert "d.png" not in page
