from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from memscan.errors import InputError
from memscan.similarity import matrix_files
from memscan.similarity.matrix_files import Names

NAMES = Names(["a", "b/ü.png", "c\udcff", "d", "e"], ["x", "y z", "x\udcff"], "network=1")
SCORES = np.linspace(-1, 1, 15, dtype=np.float32).reshape(5, 3)


def _write(path: Path, *starts: int) -> None:
    format = path.suffix[1:]
    with matrix_files.opened(str(path), format, NAMES) as write:
        for block in np.split(SCORES, starts):
            write(block)


def test_npz_holds_arrays_without_objects(tmp_path: Path) -> None:
    path = tmp_path / "m.npz"
    _write(path, 2, 4)
    with np.load(path, allow_pickle=False) as found:
        assert set(found) == {"scores", "targets", "sources", "detector"}
        assert np.array_equal(found["scores"], SCORES)
        assert found["scores"].dtype == np.float32
        assert found["targets"].tolist() == list(NAMES.targets)
        assert found["sources"].tolist() == list(NAMES.sources)
        assert str(found["detector"]) == "network=1"


def test_parquet_holds_a_row_for_each_pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pq = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    monkeypatch.setattr(matrix_files, "GROUP_ROWS", 6)
    path = tmp_path / "m.parquet"
    _write(path, 1, 3, 4)
    with pq.ParquetFile(path) as file:
        assert file.metadata.num_row_groups == 2  # targets 0 to 2, and the others
        about = json.loads(file.metadata.metadata[b"memscan"])
        table = file.read()
    assert about == {"format": 1, "detector": "network=1", "shape": [5, 3]}
    assert [str(kind) for kind in table.schema.types[2:]] == ["float"]
    rows = list(zip(*(table[name].to_pylist() for name in ("target", "source", "score"))))
    targets, sources = ["a", "b/ü.png", "c\\xff", "d", "e"], ["x", "y z", "x\\xff"]
    assert rows == [
        (target, source, float(SCORES[row, column]))
        for row, target in enumerate(targets)
        for column, source in enumerate(sources)
    ]


@pytest.mark.parametrize("suffix", ["npz", "parquet"])
def test_equal_matrices_are_equal_files(tmp_path: Path, suffix: str) -> None:
    if suffix == "parquet":
        pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    one, other = tmp_path / f"1.{suffix}", tmp_path / f"2.{suffix}"
    _write(one, 2)
    _write(other, 1, 4)
    assert one.read_bytes() == other.read_bytes()


@pytest.mark.parametrize("suffix", ["npz", "parquet"])
def test_what_was_there_stays_if_anything_goes_wrong(tmp_path: Path, suffix: str) -> None:
    if suffix == "parquet":
        pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    path = tmp_path / f"m.{suffix}"
    path.write_bytes(b"before")

    def fail() -> None:
        with matrix_files.opened(str(path), suffix, NAMES) as write:
            write(SCORES[:2])
            raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        fail()
    assert [one.name for one in tmp_path.iterdir()] == [path.name]
    assert path.read_bytes() == b"before"


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "link.npz").symlink_to(tmp_path / "m.npz")
    _write(tmp_path / "link.npz")
    assert (tmp_path / "link.npz").is_symlink()
    with np.load(tmp_path / "m.npz") as found:
        assert np.array_equal(found["scores"], SCORES)


def test_addresses_are_written_without_what_may_be_secret(tmp_path: Path) -> None:
    path = tmp_path / "m.npz"
    names = Names(["https://me:word@host/a.png?key=1"], ["b"], "")
    with matrix_files.opened(str(path), "npz", names) as write:
        write(np.zeros((1, 1), np.float32))
    with np.load(path) as found:
        assert found["targets"].tolist() == ["https://host/a.png"]


def test_one_very_long_name_is_not_padded_to_for_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matrix_files, "_MOST_NAME_BYTES", 4 * 3 * 10)
    opened = matrix_files.opened
    with opened(str(tmp_path / "m.npz"), "npz", Names(["a"], ["x", "y", 10 * "z"], "")) as write:
        write(np.zeros((1, 3), np.float32))
    with pytest.raises(InputError, match="too long for npz"), opened(
        str(tmp_path / "n.npz"), "npz", Names(["a"], ["x", "y", 11 * "z"], "")
    ):
        pass
    assert not (tmp_path / "n.npz").exists()
