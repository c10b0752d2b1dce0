"""Lineages in each format. To accept a change: MEMSCAN_ACCEPT=1 pytest tests/reports."""

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

import pytest
from PIL import Image

from memscan.evidence.areas import Area
from memscan.kinship import Cell, Kind, LineageReport, Model, Relation, Traced
from memscan.records import Failure, Stage
from memscan.report import Source
from memscan.reports.lineage import SUFFIXES, as_file, html_page, render, require, wording
from tests.reports.pages import BREAKOUTS

GOLDEN = Path(__file__).parent / "golden"
HOSTILE = "=cmd\x1b[31m\u202e\n<script>window.pwned=1</script>"


def cell(fingerprint: str, model: str, *values: float) -> Cell:
    residuals = ("laplacian", "wiener")[: len(values)]
    return Cell(
        fingerprint,
        model,
        {
            name: Area(value, max(0.0, value - 0.05), min(1.0, value + 0.03125), 100, 300)
            for name, value in zip(residuals, values)
        },
        {name: max(0.0, value - 0.078125) for name, value in zip(residuals, values)},
    )


REPORT = LineageReport(
    version="1.2.3",
    fingerprints=(
        Traced("base", "prints/base.dif.npz", "dif", "laplacian"),
        Traced("other", "prints/other.dif.npz", "mean", "laplacian"),
        Traced("tuned", "prints/tuned/chk_0.pt", "published", "laplacian"),
    ),
    models=(
        Model("base", Source("images/base", 100), 100),
        Model("other", Source("images/other/1_fake", 101), 100),
        Model("tuned", Source("images/caf\udce9", 100), 100),
        Model("without a fingerprint but long", Source("images/without", 100), 100),
    ),
    real=(Source("images/other/0_real", 200), Source("more", 101)),
    real_read=300,
    residuals=("laplacian", "wiener"),
    least=0.7,
    confidence=0.9944,
    cells=(
        cell("base", "base", 0.995, 0.98),
        cell("base", "other", 0.81, 0.79),
        cell("base", "tuned", 0.9, 0.85),
        cell("base", "without a fingerprint but long", 0.5, 0.25),
        cell("other", "base", 0.55, 0.5),
        cell("other", "other", 0.9, 0.55),
        cell("other", "tuned", 0.03, 0.5),
        cell("other", "without a fingerprint but long", 0.5, 0.5),
        cell("tuned", "base", 0.91, 0.88),
        cell("tuned", "other", 0.5, 0.5),
        cell("tuned", "tuned", 0.97, 0.99),
        cell("tuned", "without a fingerprint but long", 0.5, 0.5),
    ),
    relations=(
        Relation("base", "other", Kind.ONE_DIRECTION),
        Relation("base", "tuned", Kind.RELATED),
        Relation("other", "tuned", Kind.UNDECIDED, "the fingerprint of other is not clearly seen"),
    ),
    failures=(
        Failure("images/locked", Stage.READ, "the directory cannot be listed: no", True),
        Failure(f"images/other/{HOSTILE}.png", Stage.DECODE, "truncated\x1b[0m"),
    ),
    warnings=("without a fingerprint but long: images without a fingerprint",),
)

ALONE = dataclasses.replace(
    REPORT,
    fingerprints=REPORT.fingerprints[:1],
    models=REPORT.models[:1],
    residuals=("own",),
    cells=(Cell("base", "base", {"own": Area(1.0, 0.8, 1.0, 10, 10)}, {"own": 0.8}),),
    relations=(),
    failures=(),
    warnings=(),
)

HOSTILES = dataclasses.replace(
    ALONE,
    fingerprints=(Traced(HOSTILE, HOSTILE, "dif", "laplacian"),),
    models=(Model(HOSTILE, Source(HOSTILE, 2), 1),),
    cells=(Cell(HOSTILE, HOSTILE, {"own": Area(0.5, 0.1, 0.9, 1, 1)}, {"own": 0.1}),),
    relations=(Relation(HOSTILE, HOSTILE, Kind.RELATED, HOSTILE),),
    failures=(Failure(HOSTILE, Stage.READ, HOSTILE),),
    warnings=(HOSTILE,),
)


@pytest.mark.parametrize(("name", "report"), [("lineage", REPORT), ("lineage_alone", ALONE)])
@pytest.mark.parametrize("suffix", [".txt", ".json", ".csv"])
def test_the_report_is_as_accepted(name: str, report: LineageReport, suffix: str) -> None:
    path = GOLDEN / f"{name}{suffix}"
    rendered = render(report, SUFFIXES[suffix], verbose=True)
    if os.environ.get("MEMSCAN_ACCEPT"):
        path.write_bytes(rendered.encode())
    assert rendered.encode() == path.read_bytes()


@pytest.mark.parametrize("format", ["text", "json", "csv"])
def test_names_of_strangers_are_inert(format: str) -> None:
    rendered = render(HOSTILES, format, verbose=True)
    assert all(line.isprintable() for line in rendered.split("\n"))
    rows = list(csv.reader(io.StringIO(render(HOSTILES, "csv"))))
    assert len({len(row) for row in rows}) == 1
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row)


def test_what_is_unread_is_named_only_when_asked() -> None:
    assert "locked" in render(REPORT, "text", verbose=True)
    text = render(REPORT, "text")
    assert "locked" not in text
    assert "[!] Could not read 1 images (--verbose lists them)" in text


def test_long_lists_of_relations_are_cut_unless_asked() -> None:
    many = tuple(Relation("base", "tuned", Kind.NOT_SHOWN) for _ in range(25))
    report = dataclasses.replace(REPORT, relations=many)
    assert "  and 5 more (--verbose lists them)" in render(report, "text")
    assert render(report, "text", verbose=True).count("base and tuned") == 25


def test_words() -> None:
    assert wording.joined([]) == ""
    assert wording.joined(["a"]) == "a"
    assert wording.joined(["a", "b", "c"]) == "a, b and c"
    assert wording.short("a" * 20) == "a" * 20
    assert wording.short("a" * 21) == "a" * 19 + "…"
    assert wording.headline(REPORT) == "Related: base and tuned"
    assert wording.headline(ALONE) == "No two models have both a fingerprint and images"
    related = tuple(Relation("a", str(number), Kind.RELATED) for number in range(5))
    several = dataclasses.replace(REPORT, relations=related)
    assert wording.headline(several) == "Related: a and 0; a and 1; a and 2; 2 more pairs"
    none = dataclasses.replace(REPORT, relations=(Relation("a", "b", Kind.NOT_SHOWN),))
    assert wording.headline(none) == "None of 1 pairs of models is called related"


def test_the_document_has_every_figure() -> None:
    document = json.loads(render(REPORT, "json"))
    assert len(document["areas"]) == 24
    assert document["areas"][2] == {
        "fingerprint": "base",
        "model": "other",
        "residual": "laplacian",
        "auc": 0.81,
        "low": 0.76,
        "high": 0.84125,
        "sure": 0.731875,
        "images": 100,
        "real": 300,
    }
    assert document["summary"] == {
        "related": 1,
        "one direction only": 1,
        "not shown": 0,
        "undecided": 1,
    }
    with pytest.raises(KeyError):
        REPORT.cell("base", "nothing")


class TestPage:
    @pytest.fixture(autouse=True)
    def jinja2(self) -> None:
        pytest.importorskip("jinja2", reason="Jinja2 is not installed (it comes with an extra)")

    def test_nothing_is_loaded_and_nothing_runs(self) -> None:
        text = render(REPORT, "html")
        (style,) = re.findall(r"<style>(.*?)</style>", text, re.S)
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        assert f"style-src &#39;sha256-{digest}&#39;" in text
        assert "<script" not in text
        assert not re.search(r"https?:", text)
        assert not re.search(r"<[^>]*\s(on\w+|style)=", text)

    def test_cells_are_coloured_by_their_area_and_related_ones_framed(self) -> None:
        text = render(REPORT, "html")
        assert [html_page.shade(Area(value, 0, 1, 1, 1)) for value in (0, 0.51, 0.96, 1)] == [
            0,
            5,
            10,
            10,
        ]
        assert text.count('<td class="s') == 24
        assert len(re.findall(r'<td class="s9 related"><b>0\.9[01]</b>', text)) == 2
        assert text.count(' related"><b>') == 4
        assert "<h1>Related: base and tuned</h1>" in text
        assert "base on images of tuned: laplacian 0.90 (0.85 to 0.93), wiener 0.85" in text

    def test_a_single_model_is_told_of(self) -> None:
        text = render(ALONE, "html")
        assert "No two models have both a fingerprint and images" in text
        assert 'id="failures"' not in text

    @pytest.mark.parametrize("name", [*BREAKOUTS, HOSTILE])
    def test_a_name_stays_text(self, name: str) -> None:
        hostile = dataclasses.replace(
            ALONE,
            fingerprints=(Traced(name, name, "dif", "laplacian"),),
            models=(Model(name, Source(name, 2), 1),),
            cells=(Cell(name, name, {"own": Area(0.5, 0.1, 0.9, 1, 1)}, {"own": 0.1}),),
            relations=(Relation(name, name, Kind.RELATED, name),),
            failures=(Failure(name, Stage.READ, name),),
            warnings=(name,),
        )
        text = render(hostile, "html")
        assert "<script" not in text
        assert all(line.isprintable() for line in text.split("\n"))


class TestHeatMap:
    @pytest.fixture(autouse=True)
    def matplotlib(self) -> None:
        pytest.importorskip("matplotlib", reason="matplotlib is not installed (extra report)")

    @pytest.mark.parametrize("report", [REPORT, ALONE])
    def test_each_format_is_what_it_says(self, report: LineageReport) -> None:
        for format in ("png", "pdf", "svg"):
            require(format)
        data = as_file(report, "png")
        assert isinstance(data, bytes)
        with Image.open(io.BytesIO(data)) as image:
            assert image.format == "PNG"
            assert len(image.convert("RGB").getcolors(1 << 20) or []) > 20
        pdf, svg = as_file(report, "pdf"), as_file(report, "svg")
        assert isinstance(pdf, bytes)
        assert pdf.startswith(b"%PDF-")
        assert isinstance(svg, bytes)
        assert b"</svg>" in svg

    def test_the_same_report_gives_the_same_bytes_and_another_does_not(self) -> None:
        first = as_file(REPORT, "svg")
        assert first == as_file(REPORT, "svg")
        unrelated = dataclasses.replace(REPORT, relations=())
        assert first != as_file(unrelated, "svg")  # nothing is framed

    def test_names_are_drawn_as_they_are(self) -> None:
        for name in ("$x^2$", "$\\frac{", "\\$", HOSTILE):
            report = dataclasses.replace(
                ALONE,
                fingerprints=(Traced(name, "x", "dif", "laplacian"),),
                models=(Model(name, Source("x", 1), 1),),
                cells=(Cell(name, name, {"own": Area(0.5, 0.1, 0.9, 1, 1)}, {"own": 0.1}),),
            )
            svg = as_file(report, "svg")
            assert isinstance(svg, bytes)
            assert b"</svg>" in svg


def test_a_file_in_a_text_format_is_verbose() -> None:
    assert as_file(REPORT, "text") == render(REPORT, "text", verbose=True)
