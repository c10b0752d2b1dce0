"""Part files that are not what they should be: each is refused with a sentence."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest

from memscan.errors import InputError
from memscan.tables import part
from memscan.tables.stored import StoredTable, is_table
from tests.tables.making import header, rows, write

pa = pytest.importorskip("pyarrow", reason="tables on disk need the extra parquet")
pq = pytest.importorskip("pyarrow.parquet", reason="tables on disk need the extra parquet")


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    made = write(tmp_path, "s", [rows([f"{n:03d}" for n in range(100)], ["007"])])
    return tmp_path / made.name


BYTES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "four bytes": lambda data: data[:4],
    "cut in half": lambda data: data[: len(data) // 2],
    "without its end": lambda data: data[:-1],
    "without its beginning": lambda data: data[100:],
    "a text": lambda data: b"uri,hash\n" * 100,
    "a footer longer than the file": lambda data: data[:-8] + b"\xff\xff\xff\x7fPAR1",
    "a footer of no length": lambda data: data[:-8] + b"\0\0\0\0PAR1",
    "a footer of noise": lambda data: data[:-600] + os.urandom(592) + data[-8:],
    "an encrypted footer": lambda data: data[:-4] + b"PARE",
}


@pytest.mark.parametrize("damage", BYTES)
def test_damaged_bytes_are_refused(whole: Path, damage: str) -> None:
    whole.write_bytes(BYTES[damage](whole.read_bytes()))
    with pytest.raises(InputError, match=whole.name):
        StoredTable.open(str(whole)).load()


def _header(**changes: Any) -> bytes:
    document = header().to_json()
    for key, value in changes.items():
        document[key] = value
    return json.dumps(document).encode()


PLAIN = header().encoder.to_json()

HEADERS: dict[str, bytes] = {
    "no JSON": b"{",
    "no text": b"\xff\xfe",
    "no object": b"[]",
    "nested without end": b"[" * 100_000,
    "another format": _header(format=2),
    "no format": _header(format=None),
    "no encoder": _header(encoder=None),
    "an encoder without words": _header(encoder={"algorithm": "a"}),
    "a hash of no word": _header(encoder={**PLAIN, "words": 0}),
    "a hash of a billion words": _header(encoder={**PLAIN, "words": 10**9}),
    "views that are no texts": _header(encoder={**PLAIN, "views": [1]}),
    "a view twice": _header(encoder={**PLAIN, "views": ["a", "a"]}),
    "a view that has no column": _header(encoder={**PLAIN, "views": ["a"]}),
    "libraries in a list": _header(libraries=["numpy"]),
    "versions that are numbers": _header(libraries={"numpy": 2}),
    "no shard": _header(shard="00000.tar"),
    "a shard without a name": _header(shard={"stamp": 1}),
    "a version that is a number": _header(memscan=1),
}


@pytest.mark.parametrize("damage", HEADERS)
def test_damaged_headers_are_refused(whole: Path, damage: str) -> None:
    table = pq.read_table(whole).replace_schema_metadata({b"memscan": HEADERS[damage]})
    pq.write_table(table, whole)
    with pytest.raises(InputError, match=whole.name):
        StoredTable.open(str(whole))


def _replaced(name: str, values: Any) -> Callable[[Any], Any]:
    return lambda table: table.set_column(table.schema.get_field_index(name), name, values)


def _retyped(name: str, kind: Any) -> Callable[[Any], Any]:
    return lambda table: _replaced(name, table[name].cast(kind, safe=False))(table)


COLUMNS: dict[str, Callable[[Any], Any]] = {
    "signed hashes": _retyped("hash", pa.int64()),
    "hashes that are texts": _retyped("hash", pa.string()),
    "names that are numbers": _replaced("uri", pa.array(range(100))),
    "a column too few": lambda table: table.drop_columns(["stage"]),
    "a column too many": lambda table: table.append_column("more", pa.nulls(100)),
    "columns in another order": lambda table: table.select(table.column_names[::-1]),
    "no header": lambda table: table.replace_schema_metadata({}),
}


@pytest.mark.parametrize("damage", COLUMNS)
def test_other_columns_are_refused(whole: Path, damage: str) -> None:
    pq.write_table(COLUMNS[damage](pq.read_table(whole)), whole)
    with pytest.raises(InputError, match=whole.name):
        StoredTable.open(str(whole))


def test_a_table_without_statistics_is_refused(whole: Path) -> None:
    pq.write_table(pq.read_table(whole), whole, write_statistics=False)
    with pytest.raises(InputError, match="does not say how many"):
        StoredTable.open(str(whole))


def test_more_hashes_than_bytes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "part-0.parquet"
    count = part.GROUP_ROWS
    some = rows([f"{n:06d}" for n in range(count)])
    part.write_part(str(path), [some], header())
    table = pq.read_table(path)
    squeezed = _replaced("hash", pa.array(np.zeros(count, np.uint64)))(table)
    squeezed = _replaced("uri", pa.array([""] * count))(squeezed)
    squeezed = _replaced("width", pa.nulls(count, pa.uint32()))(squeezed)
    squeezed = _replaced("height", pa.nulls(count, pa.uint32()))(squeezed)
    squeezed = squeezed.cast(table.schema)
    pq.write_table(squeezed, path, compression="zstd")
    with pytest.raises(InputError, match="more hashes than it has room for"):
        StoredTable.open(str(path))


def test_row_groups_of_any_size_are_refused(whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part, "GROUP_ROWS", 99)
    with pytest.raises(InputError, match="row groups"):
        StoredTable.open(str(whole))


def test_damage_in_the_middle_is_an_input_error_or_another_value(whole: Path) -> None:
    sound = whole.read_bytes()
    refused = 0
    for place in range(4, len(sound) - 8, 61):
        damaged = bytearray(sound)
        damaged[place] ^= 0xFF
        whole.write_bytes(damaged)
        try:
            table = StoredTable.open(str(whole))
            list(table.load().paths)
            list(table.failures())
        except InputError:
            refused += 1
    assert refused > 0


def test_null_flags_are_refused(whole: Path) -> None:
    table = pq.read_table(whole)
    nulled = _replaced("low_information", pa.nulls(100, pa.bool_()))(table).cast(table.schema)
    pq.write_table(nulled, whole)
    with pytest.raises(InputError, match="not what its footer says"):
        StoredTable.open(str(whole)).load()


def test_an_unknown_stage_is_refused(whole: Path) -> None:
    table = pq.read_table(whole)
    pq.write_table(_replaced("stage", pa.array(["guess"] * 100))(table), whole)
    with pytest.raises(InputError, match="guess"):
        list(StoredTable.open(str(whole)).failures())


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "part-0.parquet")
    with pytest.raises(InputError, match="not a file"):
        StoredTable.open(str(tmp_path / "part-0.parquet"))


def test_what_is_a_table_of_memscan(whole: Path, tmp_path: Path) -> None:
    assert is_table(str(whole))
    assert is_table(str(whole.parent))
    pq.write_table(pa.table({"hash": [1]}), tmp_path / "foreign.parquet")
    assert not is_table(str(tmp_path / "foreign.parquet"))
    (tmp_path / "images").mkdir()
    assert not is_table(str(tmp_path / "images"))
    assert not is_table(str(tmp_path / "nothing"))
    (tmp_path / "images" / "_manifest.json").write_text("{}")
    assert is_table(str(tmp_path / "images"))
