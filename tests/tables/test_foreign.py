from __future__ import annotations

import csv
import io
import os
import pickle
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memscan.errors import InputError
from memscan.records import Failure, Stage
from memscan.tables import foreign
from memscan.tables.foreign import read_hashes

pa = pytest.importorskip("pyarrow", reason="Parquet files need the extra parquet")
pq = pytest.importorskip("pyarrow.parquet", reason="Parquet files need the extra parquet")

HASHES = [0, 1, 0x00FF00FF00FF00FF, 0x8000000000000000, 0xFFFFFFFFFFFFFFFF, 1234567890123456]
SIGNED = [hash - (1 << 64) if hash >> 63 else hash for hash in HASHES]

COLUMNS: dict[str, Any] = {
    "uint64": pa.array(HASHES, pa.uint64()),
    "int64": pa.array(SIGNED, pa.int64()),
    "hex": pa.array([f"{hash:016x}" for hash in HASHES]),
    "HEX": pa.array([f"{hash:016X}" for hash in HASHES], pa.large_string()),
    "0x": pa.array([f"0x{hash:016x}" for hash in HASHES]),
    "hex with spaces": pa.array([f" {hash:016x}\t" for hash in HASHES]),
    "decimal": pa.array([str(hash) for hash in HASHES]),
    "signed decimal": pa.array([str(hash) for hash in SIGNED]),
    "eight bytes": pa.array([hash.to_bytes(8, "big") for hash in HASHES], pa.binary(8)),
    "bytes": pa.array([hash.to_bytes(8, "big") for hash in HASHES], pa.binary()),
    "dictionary": pa.array([f"{hash:016x}" for hash in HASHES]).dictionary_encode(),
}


@pytest.mark.parametrize("kind", COLUMNS)
def test_hashes_are_read_however_they_are_written(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foreign, "_CHUNK", 4)
    path = tmp_path / "hashes.parquet"
    pq.write_table(pa.table({"phash": COLUMNS[kind], "url": list("fedcba")}), path)
    table, failures, _ = read_hashes(str(path))
    assert table.hashes.tolist() == HASHES[::-1]
    assert list(table.paths) == list("abcdef") == table.paths[:]
    assert not table.low_information.any()
    assert failures == ()


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, (1 << 64) - 1), min_size=1), st.sampled_from(["016x", "d", "#018x"]))
def test_text_and_arrays_agree(
    tmp_path_factory: pytest.TempPathFactory, hashes: list[int], notation: str
) -> None:
    directory = tmp_path_factory.mktemp("hashes")
    np.save(directory / "a.npy", np.array(hashes, np.uint64))
    texts = [format(hash, notation) for hash in hashes]
    if notation == "d" and all(len(text) == 16 for text in texts):
        return  # it cannot be told from hex
    (directory / "a.csv").write_text("\n".join(["phash", *texts]))
    of_array, of_text = (read_hashes(str(directory / name)).table for name in ("a.npy", "a.csv"))
    assert of_array.hashes.tolist() == of_text.hashes.tolist()
    in_order = sorted(range(len(hashes)), key=str)
    assert of_array.hashes.tolist() == [hashes[row] for row in in_order]
    assert list(of_array.paths) == [f"{directory / 'a.npy'}#{row}" for row in in_order]


def test_rows_without_a_hash_are_failures(tmp_path: Path) -> None:
    path = tmp_path / "hashes.csv"
    good = "00ff00ff00ff00ff"
    cells = [good, "", "banana", good[:-1], good + "0", f"{good[:8]} {good[9:]}", good.upper()]
    lines = [f"{number}.jpg,{cell}" for number, cell in enumerate(cells)]
    path.write_text("\n".join(["file_name,phash", *lines, "short", ""]))
    table, failures, _ = read_hashes(str(path))
    assert list(table.paths) == ["0.jpg", "6.jpg"]
    assert table.hashes.tolist() == [int(good, 16)] * 2
    assert failures[0] == Failure("1.jpg", Stage.READ, "row 1 has no 64-bit hash")
    assert [f.path for f in failures] == [f"{n}.jpg" for n in range(1, 6)] + ["short"]


def test_nulls_are_failures_and_rows_without_a_name_get_one(tmp_path: Path) -> None:
    path = str(tmp_path / "hashes.parquet")
    columns = {"phash": pa.array([1, None, 3, 4], pa.int64()), "url": ["z", None, None, "b"]}
    pq.write_table(pa.table(columns), path)
    table, failures, _ = read_hashes(path)
    assert list(table.paths) == sorted([f"{path}#2", "b", "z"], key=os.fsencode)
    assert dict(zip(table.paths, table.hashes.tolist())) == {f"{path}#2": 3, "b": 4, "z": 1}
    assert failures == (Failure(f"{path}#1", Stage.READ, "row 1 has no 64-bit hash"),)


def test_names_are_taken_from_the_first_column_that_names(tmp_path: Path) -> None:
    path = str(tmp_path / "hashes.parquet")
    columns = {"id": [7, 5], "Path": ["b", "a"], "key": ["k", "l"], "phash": [1, 2]}
    pq.write_table(pa.table(columns), path)
    assert list(read_hashes(path).table.paths) == ["a", "b"]
    pq.write_table(pa.table({"id": [7, 5], "phash": [1, 2]}), path)
    assert list(read_hashes(path).table.paths) == ["5", "7"]


def test_names_that_are_not_utf8_survive(tmp_path: Path) -> None:
    path = tmp_path / "hashes.csv"
    path.write_bytes(b"path,phash\n\xff.jpg,00ff00ff00ff00ff\n")
    assert list(read_hashes(str(path)).table.paths) == ["\udcff.jpg"]


def test_a_mark_at_the_beginning_and_quotes_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "hashes.csv"
    with open(path, "w", newline="", encoding="utf-8-sig") as file:
        csv.writer(file).writerows([["phash", "url"], ["00ff00ff00ff00ff", 'a,"b"\nc']])
    assert list(read_hashes(str(path)).table.paths) == ['a,"b"\nc']


def test_the_column_can_be_chosen(tmp_path: Path) -> None:
    path = str(tmp_path / "hashes.parquet")
    pq.write_table(pa.table({"phash": [1, 2], "dhash": [3, 4], "width": [5, 6]}), path)
    with pytest.raises(InputError, match=r"--hash-column .*: phash, dhash$"):
        read_hashes(path)
    assert read_hashes(path, "dhash").table.hashes.tolist() == [3, 4]
    assert read_hashes(path, "width").table.hashes.tolist() == [5, 6]
    with pytest.raises(InputError, match=r"no column ahash \(it has phash, dhash, width\)"):
        read_hashes(path, "ahash")


def test_a_column_of_another_name_is_found_if_it_is_the_only_one(tmp_path: Path) -> None:
    path = tmp_path / "hashes.csv"
    path.write_text("url,fingerprint\na,00ff00ff00ff00ff\n")
    assert read_hashes(str(path)).table.hashes.tolist() == [0x00FF00FF00FF00FF]
    path.write_text("url,fingerprint,comment\na,00ff00ff00ff00ff,\n")
    with pytest.raises(InputError, match="fingerprint, comment"):
        read_hashes(str(path))


def test_hashes_that_no_phash_gives_are_counted(tmp_path: Path) -> None:
    balanced, odd = 0x00000000FFFFFFFF, 0xFF
    np.save(tmp_path / "a.npy", np.array([balanced] * 3 + [odd], np.uint64))
    assert "25.00% of the hashes" in read_hashes(str(tmp_path / "a.npy")).warning
    np.save(tmp_path / "a.npy", np.array([balanced] * 3, np.uint64))
    warning = read_hashes(str(tmp_path / "a.npy")).warning
    assert "only as good as" in warning
    assert "%" not in warning


def test_an_array_in_another_byte_order_has_the_same_hashes(tmp_path: Path) -> None:
    for kind in ("<u8", ">u8", "<i8", ">i8"):
        np.save(tmp_path / "a.npy", np.array([1, 2], kind))
        assert read_hashes(str(tmp_path / "a.npy")).table.hashes.tolist() == [1, 2]


def test_names_of_rows_are_made_when_they_are_asked_for(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros(100_000, np.uint64))
    paths = read_hashes(str(tmp_path / "a.npy")).table.paths
    assert list(paths) == sorted(paths, key=os.fsencode)
    assert len(set(paths)) == 100_000


def _npy(array: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


def _npy_header(text: str) -> bytes:
    header = text.encode("latin-1").ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(64)


def _npz() -> bytes:
    file = io.BytesIO()
    np.savez(file, np.zeros(3, np.uint64))
    return file.getvalue()


ARRAYS: dict[str, Callable[[], bytes]] = {
    "empty file": lambda: b"",
    "text": lambda: b"phash\n1\n",
    "a pickle": lambda: pickle.dumps([1, 2, 3]),
    "an archive of arrays": _npz,
    "pickled objects": lambda: _npy(np.array([1, "a"], object), allow_pickle=True),
    "cut in the header": lambda: _npy(np.zeros(3, np.uint64))[:40],
    "cut in the data": lambda: _npy(np.zeros(3, np.uint64))[:-1],
    "no hash": lambda: _npy(np.zeros(0, np.uint64)),
    "floats": lambda: _npy(np.zeros(3)),
    "small numbers": lambda: _npy(np.zeros(3, np.uint32)),
    "two dimensions": lambda: _npy(np.zeros((3, 2), np.uint64)),
    "no dimension": lambda: _npy(np.uint64(5)),
    "texts": lambda: _npy(np.array(["00ff00ff00ff00ff"])),
    "records": lambda: _npy(np.zeros(3, [("hash", "u8")])),
    "dates": lambda: _npy(np.zeros(3, "datetime64[s]")),
    "a billion billion rows": lambda: _npy_header(
        "{'descr': '<u8', 'fortran_order': False, 'shape': (1000000000000000000,)}"
    ),
    "more rows than numbers go": lambda: _npy_header(
        "{'descr': '<u8', 'fortran_order': False, 'shape': (99999999999999999999999,)}"
    ),
    "fewer rows than none": lambda: _npy_header(
        "{'descr': '<u8', 'fortran_order': False, 'shape': (-3,)}"
    ),
    "a shape that is a text": lambda: _npy_header(
        "{'descr': '<u8', 'fortran_order': False, 'shape': 'a'}"
    ),
    "a header that is code": lambda: _npy_header("__import__('os').abort()"),
    "a header without end": lambda: _npy_header("{'descr': '<u8', "),
    "an unknown version": lambda: b"\x93NUMPY\x09\x00" + bytes(200),
}


@pytest.mark.parametrize("damage", ARRAYS)
def test_arrays_that_hold_no_hashes_are_refused(tmp_path: Path, damage: str) -> None:
    (tmp_path / "a.npy").write_bytes(ARRAYS[damage]())
    with pytest.raises(InputError, match=r"a\.npy"):
        read_hashes(str(tmp_path / "a.npy"))


TEXTS: dict[str, bytes] = {
    "empty": b"",
    "only a header": b"phash\n",
    "only empty lines": b"\n\n\n",
    "no header": b"00ff00ff00ff00ff\n00ff00ff00ff00ff\n",
    "no hash in the column": b"phash\nbanana\n",
    "only names": b"url,path\na,b\n",
    "columns of one name": b"phash,phash\n1,2\n",
    "numbers of more than 64 bits": b"phash\n99999999999999999999\n",
    "fractions": b"phash\n1.5\n",
    "hashes of 256 bits": b"phash\n" + b"0f" * 32 + b"\n",
    "a quote without end": b'phash\n"00ff00ff00ff00ff',
    "a cell of a megabyte": b"phash\n" + b"0" * (1 << 20) + b"\n",
    "UTF-16": "phash\n00ff00ff00ff00ff\n".encode("utf-16"),
    "a picture": b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4,
    "null characters": b"phash\n\0\0\0\0\n",
    "digits of another script": "phash\n\u0661\u0662\u0663\n".encode(),
}


@pytest.mark.parametrize("damage", TEXTS)
def test_texts_that_hold_no_hashes_are_refused(tmp_path: Path, damage: str) -> None:
    (tmp_path / "a.csv").write_bytes(TEXTS[damage])
    with pytest.raises(InputError, match=r"a\.csv"):
        read_hashes(str(tmp_path / "a.csv"))


def _parquet(**columns: Any) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    return file.getvalue()


PARQUETS: dict[str, Callable[[], bytes]] = {
    "empty file": lambda: b"",
    "text": lambda: b"phash\n1\n",
    "cut": lambda: _parquet(phash=[1, 2, 3])[:-20],
    "no rows": lambda: _parquet(phash=pa.array([], pa.uint64())),
    "no columns": lambda: _parquet(),
    "only nulls": lambda: _parquet(phash=pa.array([None] * 3, pa.uint64())),
    "null type": lambda: _parquet(phash=pa.nulls(3)),
    "floats": lambda: _parquet(phash=[1.0, 2.0]),
    "small numbers": lambda: _parquet(phash=pa.array([1, 2], pa.int32())),
    "lists": lambda: _parquet(phash=[[1], [2]]),
    "structs": lambda: _parquet(phash=[{"a": 1}]),
    "nine bytes": lambda: _parquet(phash=pa.array([b"123456789"], pa.binary(9))),
    "bytes of other lengths": lambda: _parquet(phash=[b"1", b"123456789"]),
    "dates": lambda: _parquet(phash=pa.array([1, 2], pa.timestamp("s"))),
    "texts that are no hashes": lambda: _parquet(phash=["a", "b"]),
    "rows of nothing": lambda: _parquet(phash=pa.array(np.zeros(1 << 20, np.uint64))),
    "columns of one name": lambda: _written(pa.table([[1], [2]], ["phash", "phash"])),
    "several candidates": lambda: _parquet(a=[1, 2], b=[3, 4]),
}


def _written(table: Any) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file)
    return file.getvalue()


@pytest.mark.parametrize("damage", PARQUETS)
def test_parquet_that_holds_no_hashes_is_refused(tmp_path: Path, damage: str) -> None:
    (tmp_path / "a.parquet").write_bytes(PARQUETS[damage]())
    with pytest.raises(InputError, match=r"a\.parquet"):
        read_hashes(str(tmp_path / "a.parquet"))


@pytest.mark.parametrize("column", ["phash", "size"])
def test_a_column_that_is_asked_for_must_be_able_to_hold_hashes(
    tmp_path: Path, column: str
) -> None:
    (tmp_path / "a.parquet").write_bytes(_parquet(phash=[1.0], size=pa.array([1], pa.int32())))
    with pytest.raises(InputError, match=f"column {column} holds"):
        read_hashes(str(tmp_path / "a.parquet"), column)


@pytest.mark.parametrize("name", ["a.txt", "a", "a.pkl"])
def test_other_files_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(InputError, match=r"hashes are read from \.parquet, \.csv, \.npy"):
        read_hashes(str(tmp_path / name))


@pytest.mark.parametrize("suffix", ["parquet", "csv", "npy"])
def test_what_is_no_file_is_refused(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_hashes(str(tmp_path / f"no.{suffix}"))
    os.mkfifo(tmp_path / f"pipe.{suffix}")
    with pytest.raises(InputError, match="not a file"):
        read_hashes(str(tmp_path / f"pipe.{suffix}"))
