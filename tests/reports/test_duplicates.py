"""Near-duplicates in each format, byte for byte. MEMSCAN_ACCEPT=1 accepts a change."""

from __future__ import annotations

import base64
import csv
import io
import json
import os
from pathlib import Path

import pytest

from memscan.groups import DuplicateGroup, DuplicateReport, Member
from memscan.records import Failure, Stage
from memscan.report import Source
from memscan.reports.duplicates import FORMATS, SUFFIXES, render

GOLDEN = Path(__file__).parent / "golden"
ENDINGS = {format: suffix for suffix, format in SUFFIXES.items()}

HOSTILE = "train/\x1b[31m\u202e\n.png"
NOT_UTF8 = "train/caf\udce9.png"
FORMULA = '=HYPERLINK("http://x","y").png'

MANY = DuplicateReport(
    version="1.2.3",
    encoder="phash-64 decode=exact Pillow=1 imagehash=2",
    libraries={"Pillow": "1.0", "imagehash": "2.0", "numpy": "3.0"},
    threshold=5,
    sources=(Source("train", 12), Source("caf\udce9", 1)),
    hashed=11,
    groups=(
        DuplicateGroup(
            (Member(HOSTILE, 0, 0), Member("train/é.png", 7, 3), Member(FORMULA, 2047, 11))
        ),
        DuplicateGroup((Member("+1.png", 2**64 - 1, 0), Member(NOT_UTF8, 2**64 - 1, 0))),
    ),
    low_information=("train/red.png", "@blue\udcff.png"),
    failures=(
        Failure("train/locked", Stage.READ, "the directory cannot be listed: no", True),
        Failure(HOSTILE + "2", Stage.DECODE, "truncated\x1b[0m"),
        Failure("=cmd.png", Stage.HASH, "=images of mode LAB have no grey version"),
    ),
)

NONE = DuplicateReport(
    version="1.2.3",
    encoder="phash-64 decode=exact Pillow=1 imagehash=2",
    libraries={"Pillow": "1.0", "imagehash": "2.0", "numpy": "3.0"},
    threshold=0,
    sources=(Source("train", 3),),
    hashed=3,
    groups=(),
    low_information=(),
    failures=(),
)

CASES = {"duplicates": MANY, "no_duplicates": NONE}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("verbose", [False, True])
def test_the_report_is_as_accepted(case: str, format: str, verbose: bool) -> None:
    mark = "_verbose" if verbose and format == "text" and case == "duplicates" else ""
    path = GOLDEN / f"{case}{mark}{ENDINGS[format]}"
    rendered = render(CASES[case], format, verbose)
    if os.environ.get("MEMSCAN_ACCEPT"):
        path.write_bytes(rendered.encode())
    assert rendered.encode() == path.read_bytes()


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("format", FORMATS)
def test_no_format_lets_a_name_reach_the_terminal(case: str, format: str) -> None:
    for line in render(CASES[case], format, verbose=True).split("\n"):
        assert line.isprintable()


def test_the_document_accounts_for_every_image_and_path() -> None:
    document = json.loads(render(MANY, "json"))
    source, summary = document["source"], document["summary"]
    assert source["found"] == source["hashed"] + source["failed"] == 13
    assert summary["grouped"] == sum(group["size"] for group in document["groups"]) == 5
    assert summary["removable"] == 3
    member = document["groups"][1]["members"][1]
    assert base64.b64decode(member["path_base64"]) == os.fsencode(NOT_UTF8)
    assert document["low_information_base64"][0] is None
    assert base64.b64decode(document["low_information_base64"][1]) == b"@blue\xff.png"
    assert "low_information_base64" not in json.loads(render(NONE, "json"))


def test_the_table_has_a_row_for_each_member_and_whatever_is_in_no_group() -> None:
    rows = list(csv.DictReader(io.StringIO(render(MANY, "csv"))))
    assert [row["kind"] for row in rows] == (
        ["member"] * 5 + ["low-information"] * 2 + ["failure"] * 3
    )
    assert [row["rank"] for row in rows[:5]] == ["1", "2", "3", "1", "2"]
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row.values())
    decoded = base64.b64decode(rows[2]["path_base64"]).decode()
    assert (rows[2]["path"], decoded) == ("'" + FORMULA, FORMULA)
