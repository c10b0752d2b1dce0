from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from memscan.errors import InputError
from memscan.tables import manifest, order, writing
from memscan.tables.checking import verify
from memscan.tables.stored import StoredTable
from tests.tables.making import finish, rows, table, write

pytest.importorskip("pyarrow", reason="tables on disk need the extra parquet")

NAMES = [f"{n:02d}" for n in range(12)]


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """A table of three shards whose names interleave."""
    return table(tmp_path / "hashes.parquet", [NAMES[shard::3] for shard in range(3)])


def test_parts_that_interleave_have_an_order_on_disk(mixed: Path) -> None:
    with_order = StoredTable.open(str(mixed)).load()
    assert np.load(mixed / "_order.npy").dtype == np.uint32
    (mixed / "_manifest.json").unlink()
    sorted_now = StoredTable.open(str(mixed)).load()
    assert list(with_order.paths) == list(sorted_now.paths) == NAMES
    assert with_order.hashes.tolist() == sorted_now.hashes.tolist()
    assert with_order.low_information.tolist() == sorted_now.low_information.tolist()


def test_parts_that_follow_each_other_need_none(tmp_path: Path, mixed: Path) -> None:
    assert not (table(tmp_path / "t", [NAMES[6:], NAMES[:6]]) / "_order.npy").exists()
    for shard in (1, 2):
        write(mixed, f"{shard:05d}.tar", [rows([f"{shard}"])])
    write(mixed, "00000.tar", [rows(["3"])])
    finish(mixed)
    assert not (mixed / "_order.npy").exists()
    assert list(StoredTable.open(str(mixed)).load().paths) == ["1", "2", "3"]


def test_a_missing_order_is_refused(mixed: Path) -> None:
    (mixed / "_order.npy").unlink()
    with pytest.raises(InputError, match=r"_order\.npy: not the order"):
        StoredTable.open(str(mixed)).load()
    assert "_order.npy: not the order" in verify(str(mixed))[0]


def test_a_changed_order_is_refused(mixed: Path) -> None:
    data = bytearray((mixed / "_order.npy").read_bytes())
    data[-1] ^= 1
    (mixed / "_order.npy").write_bytes(data)
    with pytest.raises(InputError, match=r"_order\.npy: not the order"):
        StoredTable.open(str(mixed)).load()


@pytest.mark.parametrize(
    "array",
    [
        np.zeros(12, np.uint32),
        np.arange(11, dtype=np.uint32),
        np.arange(1, 13, dtype=np.uint32),
        np.arange(12, dtype=np.int32),
        np.arange(12, dtype=np.float32),
        np.arange(12, dtype=np.uint32).reshape(3, 4),
        np.array([None] * 12, object),
    ],
    ids=["twice", "short", "beyond", "signed", "floats", "shape", "pickled"],
)
def test_an_order_by_a_stranger_must_be_one(mixed: Path, array: Any) -> None:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    (mixed / "_order.npy").write_bytes(file.getvalue())
    digest = writing.digest(str(mixed / "_order.npy"))
    with pytest.raises(InputError, match=r"_order\.npy: not the order"):
        order.read(str(mixed), digest, 12)


def test_an_order_that_does_not_sort_is_a_problem(mixed: Path) -> None:
    with open(mixed / "_order.npy", "wb") as file:
        np.save(file, np.arange(12, dtype=np.uint32))
    listed = manifest.read(str(mixed))
    assert listed is not None
    document = {**vars(listed), "order": writing.digest(str(mixed / "_order.npy"))}
    manifest.write(str(mixed), manifest.Manifest(**document))
    assert verify(str(mixed)) == ["_order.npy: not the bytewise order of the names"]


def test_a_pipe_is_not_waited_for(mixed: Path) -> None:
    (mixed / "_order.npy").unlink()
    os.mkfifo(mixed / "_order.npy")
    with pytest.raises(InputError, match="not the order"):
        StoredTable.open(str(mixed)).load()
