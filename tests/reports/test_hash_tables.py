"""What is said of a hash table, byte for byte. MEMSCAN_ACCEPT=1 accepts a change."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from memscan.reports.hash_tables import FORMATS, render_check, render_info, render_run
from memscan.tables.identity import Encoder, Shard
from memscan.tables.manifest import FailedShard, Manifest
from memscan.tables.part import Part

GOLDEN = Path(__file__).parent / "golden"

MANIFEST = Manifest(
    memscan="1.2.3",
    encoder=Encoder("pdq-256", "exact", "pdq-256 decode=exact Pillow=1", ("upright", "square"), 4),
    libraries={"Pillow": ("1.0", "1.1"), "numpy": ("3.0",)},
    options={"sources": ["shards/{0..20}.tar", "evil\x1b[2J"], "views": "training"},
    parts=tuple(
        Part(f"part-{n}.parquet", Shard(f"shards/{n}.tar", "0" * 32), 1000, n, 34_567, "0" * 64)
        for n in range(3)
    ),
    failed=tuple(
        FailedShard(Shard(f"shards/{n}.tar\n", None), "given up after 3 attempts: OSError: no")
        for n in range(10, 22)
    ),
)
EMPTY = Manifest("1.2.3", Encoder("phash-64", "exact", "phash-64"), {}, {}, ())


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("hash_table.txt", render_info(MANIFEST, "table\u202e", "text")),
        ("hash_table.json", render_info(MANIFEST, "table\u202e", "json")),
        ("hash_table_run.txt", render_run(MANIFEST, "table\u202e", 2, 1)),
        ("hash_table_empty.txt", render_info(EMPTY, "table", "text")),
    ],
)
def test_what_is_said_is_as_accepted(name: str, text: str) -> None:
    if os.environ.get("MEMSCAN_ACCEPT"):
        (GOLDEN / name).write_text(text, encoding="utf-8")
    assert text == (GOLDEN / name).read_text(encoding="utf-8")
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_json_is_the_manifest_but_for_its_parts() -> None:
    document = json.loads(render_info(MANIFEST, "table", "json"))
    assert document == {k: v for k, v in MANIFEST.to_json().items() if k != "parts"}
    assert FORMATS == ("text", "json")


def test_problems_are_lines() -> None:
    assert render_check([], "a\nb") == "a\\nb: sound\n"
    assert render_check(["x\x1b", "y"], "table") == "x\\x1b\ny\n"
