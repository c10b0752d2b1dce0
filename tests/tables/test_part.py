from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
import tracemalloc
from pathlib import Path
from typing import Any, Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memscan.errors import InputError, OutputError
from memscan.sources import pyarrow_modules
from memscan.tables import part, writing
from memscan.tables.identity import Encoder, Shard
from memscan.tables.rows import Rows, hash_columns
from memscan.tables.stored import StoredTable
from tests.cli.running import ROOT, environment
from tests.tables.making import PLAIN, header, rows, write

pa = pytest.importorskip("pyarrow", reason="tables on disk need the extra parquet")
pq = pytest.importorskip("pyarrow.parquet", reason="tables on disk need the extra parquet")

NAMES = st.text(
    st.characters(codec="utf-8", exclude_characters="\0")
    | st.sampled_from([chr(0xDC80 + byte) for byte in range(0x80)]),
    min_size=1,
    max_size=12,
).map(lambda name: os.fsdecode(os.fsencode(name)))  # two escapes can be one character of UTF-8


@settings(deadline=None, max_examples=40)
@given(st.lists(NAMES, unique=True, min_size=1, max_size=30), st.data())
def test_what_is_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], data: st.DataObject
) -> None:
    lost = data.draw(st.sets(st.sampled_from(names)))
    views = data.draw(st.integers(0, 3))
    words = data.draw(st.integers(1, 4))
    encoder = Encoder("a", "exact", "f", tuple(f"view {n}" for n in range(views)), words)
    some = rows(names, sorted(lost), views, words)
    cut = data.draw(st.integers(0, len(names)))
    path = str(tmp_path_factory.mktemp("parts") / "part-0.parquet")

    written = part.write_part(
        path, [_cut(some, slice(cut)), _cut(some, slice(cut, None))], header(encoder=encoder)
    )

    table = StoredTable.open(path)
    loaded = table.load(encoder.views)
    kept = sorted(set(names) - lost, key=os.fsencode)
    assert (written.rows, written.failures) == (len(names), len(lost))
    assert list(loaded.paths) == kept == [loaded.paths[i] for i in range(len(kept))]
    assert some.views is not None
    for position, name in enumerate(kept):
        row = names.index(name)
        assert np.array_equal(np.ravel(loaded.hashes[position]), some.hashes[row])
        assert np.array_equal(loaded.views[position].ravel(), some.views[row].ravel())
        assert loaded.low_information[position] == some.low_information[row]
    assert {f.path for f in table.failures()} == lost
    assert all(f.message.startswith("cannot read ") for f in table.failures())


def _cut(some: Rows, rows: slice) -> Rows:
    columns: dict[str, Any] = {
        name: None if value is None else value[rows] for name, value in vars(some).items()
    }
    return Rows(**columns)


def test_columns_are_what_other_programs_expect(tmp_path: Path) -> None:
    encoder = Encoder("a", "exact", "f", ("mirrored",), 2)
    made = write(tmp_path, "s", [rows(["b", "a"], ["a"], 1, 2)], encoder=encoder)
    columns = pq.read_schema(tmp_path / made.name)
    assert columns.names == [
        "uri", "hash", "hash_1", "view: mirrored", "view: mirrored_1", "low_information",
        "quality", "width", "height", "error", "stage", "uri_bytes",
    ]  # fmt: skip
    found = pq.read_table(tmp_path / made.name).to_pylist()
    assert [row["uri"] for row in found] == ["a", "b"]
    assert [found[0][name] for name in hash_columns(encoder)] == [None] * 4
    assert (found[0]["error"], found[0]["stage"]) == ("cannot read a", "decode")
    assert found[1]["error"] is None
    assert columns.field("hash").type == pa.uint64()


def test_hashes_are_plain_and_uncompressed(tmp_path: Path) -> None:
    made = write(tmp_path, "s", [rows([f"{n:05d}" for n in range(1000)])])
    column = pq.read_metadata(tmp_path / made.name).row_group(0).column(1)
    assert column.path_in_schema == "hash"
    assert column.compression == "UNCOMPRESSED"
    assert set(column.encodings) <= {"PLAIN", "RLE"}


def test_equal_rows_give_equal_bytes_however_they_are_batched(tmp_path: Path) -> None:
    some = rows([f"{n:03d}" for n in range(100)], ["007"])
    whole = write(tmp_path / "a", "s", [some])
    pieces = write(tmp_path / "b", "s", [_cut(some, slice(n, n + 1)) for n in range(100)])
    assert whole == pieces
    assert (tmp_path / "a" / whole.name).read_bytes() == (tmp_path / "b" / whole.name).read_bytes()
    assert whole.sha256 == writing.digest(str(tmp_path / "a" / whole.name))
    assert whole == part.describe(part.open_part(str(tmp_path / "a" / whole.name)))


def test_row_groups_are_sorted_runs_of_limited_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(part, "GROUP_ROWS", 4)
    made = write(tmp_path, "s", [rows(list("hgf")), rows(list("edcba"), seed=1), rows([])])
    file = pq.ParquetFile(tmp_path / made.name)
    groups = [file.read_row_group(n)["uri"].to_pylist() for n in range(file.num_row_groups)]
    assert groups == [list("efgh"), list("abcd")]
    assert list(StoredTable.open(str(tmp_path / made.name)).load().paths) == list("abcdefgh")


def test_memory_does_not_grow_with_the_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(part, "GROUP_ROWS", 1 << 11)

    def peak(batches: int) -> int:
        in_arrow = []

        def some() -> Iterator[Rows]:
            for batch in range(batches):
                in_arrow.append(pa.total_allocated_bytes())
                yield rows([f"{batch:04d} {n:05d}" for n in range(1 << 10)])

        tracemalloc.start()
        part.write_part(str(tmp_path / "part-0.parquet"), some(), header())
        seen: int = tracemalloc.get_traced_memory()[1] + max(in_arrow)
        tracemalloc.stop()
        return seen

    peak(8)  # what is loaded only once
    assert peak(48) < 1.5 * peak(12)


def test_done_means_whole_and_of_the_same_shard_and_encoder(tmp_path: Path) -> None:
    made = write(tmp_path, "s", [rows(["a"])], stamp={"size": 3})
    path = str(tmp_path / made.name)
    assert part.is_done(path, Shard("s", {"size": 3}), PLAIN)
    assert not part.is_done(path, Shard("s", {"size": 4}), PLAIN)
    assert not part.is_done(path, Shard("t", {"size": 3}), PLAIN)
    assert not part.is_done(path, Shard("s", {"size": 3}), Encoder("a", "exact", "other"))
    assert not part.is_done(str(tmp_path / "part-1.parquet"), Shard("s"), PLAIN)


def test_no_cut_part_is_taken_as_done(tmp_path: Path) -> None:
    made = write(tmp_path, "s", [rows([f"{n}" for n in range(50)])])
    whole = (tmp_path / made.name).read_bytes()
    for length in range(0, len(whole), 37):
        (tmp_path / made.name).write_bytes(whole[:length])
        assert not part.is_done(str(tmp_path / made.name), Shard("s"), PLAIN)


KILLED = """
import os, signal, sys
from tests.tables.making import header, rows
from memscan.tables import part
part.GROUP_ROWS = 8
def batches():
    yield rows([f"{n:03d}" for n in range(100)])
    os.kill(os.getpid(), signal.SIGKILL)
part.write_part(sys.argv[1], batches(), header("s"))
"""


def test_a_writer_that_is_killed_leaves_no_part(tmp_path: Path) -> None:
    path = tmp_path / "part-0.parquet"
    for _ in range(2):  # what the first one leaves does not disturb the second
        done = subprocess.run(
            [sys.executable, "-c", KILLED, str(path)], cwd=ROOT, env=environment(), check=False
        )
        assert done.returncode < 0
        assert not path.exists()
        assert not part.is_done(str(path), Shard("s"), PLAIN)
    part.write_part(str(path), [rows(["a"])], header("s"))
    assert part.is_done(str(path), Shard("s"), PLAIN)


def test_two_writers_of_one_part_leave_a_whole_one(tmp_path: Path) -> None:
    path = str(tmp_path / "part-0.parquet")
    meeting = threading.Barrier(2)

    def batches(seed: int) -> Iterator[Rows]:
        meeting.wait(60)
        yield rows([f"{n:03d}" for n in range(100)], seed=seed)
        meeting.wait(60)

    writers = [
        threading.Thread(target=lambda s=seed: part.write_part(path, batches(s), header()))
        for seed in range(2)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    hashes = StoredTable.open(path).load().hashes.tolist()
    expected = [
        np.ravel(rows([f"{n:03d}" for n in range(100)], seed=s).hashes).tolist() for s in range(2)
    ]
    assert hashes in expected
    assert os.listdir(tmp_path) == ["part-0.parquet"]


class _FullDisk:
    """A file on a disk that has room for some bytes."""

    def __init__(self, file: Any, room: int) -> None:
        self._file, self._room = file, room

    def write(self, data: Any) -> int:
        self._room -= len(data)
        if self._room < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return int(self._file.write(data))


@pytest.mark.parametrize("room", [0, 100, 3000])
def test_a_full_disk_is_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    first = write(tmp_path, "s", [rows(["before"])])
    whole: Any = writing.Sink.__init__
    monkeypatch.setattr(
        writing.Sink, "__init__", lambda self, file, path: whole(self, _FullDisk(file, room), path)
    )
    with pytest.raises(OutputError, match=r"part-.*parquet: cannot be written: No space left"):
        write(tmp_path, "s", [rows([f"{n}" for n in range(1000)])])
    assert os.listdir(tmp_path) == [first.name]
    assert list(StoredTable.open(str(tmp_path)).load().paths) == ["before"]


def test_a_shard_that_fails_on_the_way_leaves_nothing(tmp_path: Path) -> None:
    def batches() -> Iterator[Rows]:
        yield rows(["a"])
        raise ConnectionError("the shard is gone")

    with pytest.raises(ConnectionError, match="the shard is gone"):
        part.write_part(str(tmp_path / "part-0.parquet"), batches(), header())
    assert os.listdir(tmp_path) == []


def test_a_missing_directory_is_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written: No such file or directory"):
        part.write_part(str(tmp_path / "no" / "part-0.parquet"), [], header())


def test_without_pyarrow_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InputError, match=r"pip install 'memscan\[parquet\]'"):
        pyarrow_modules.libraries()


def test_a_broken_pyarrow_says_so_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(ImportError, match=r"pyarrow\.parquet"):
        pyarrow_modules.libraries()


def test_a_pyarrow_that_runs_what_it_reads_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pa, "__version__", "14.0.0")
    with pytest.raises(InputError, match="not safe"):
        pyarrow_modules.libraries()
