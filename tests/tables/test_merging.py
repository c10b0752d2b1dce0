from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest

from memscan.errors import InputError, OutputError
from memscan.tables.checking import verify
from memscan.tables.identity import Encoder, Shard
from memscan.tables.manifest import FailedShard
from memscan.tables.merging import merge
from memscan.tables.stored import StoredTable
from tests.tables.making import finish, rows, write

pytest.importorskip("pyarrow", reason="tables on disk need the extra parquet")


@pytest.fixture
def two(tmp_path: Path) -> list[str]:
    """Tables with one shard in common, and one shard that failed in the first."""
    write(tmp_path / "one", "a", [rows(["1", "3"])])
    write(tmp_path / "one", "b", [rows(["5"])])
    failed = [FailedShard(Shard("c"), "gone"), FailedShard(Shard("d"), "gone")]
    finish(tmp_path / "one", failed=failed, options={"max_pixels": 5, "recursive": True})
    write(tmp_path / "two", "b", [rows(["5"])])
    write(tmp_path / "two", "c", [rows(["2", "4"], ["4"])])
    finish(tmp_path / "two", options={"max_pixels": 6, "recursive": True})
    return [str(tmp_path / "one"), str(tmp_path / "two")]


def test_tables_are_united(two: list[str], tmp_path: Path) -> None:
    output = str(tmp_path / "all.parquet")
    made = merge(two, output, "1.0.0")
    assert [part.shard.name for part in made.parts] != []
    assert (len(made.parts), made.rows, made.failures) == (3, 5, 1)
    assert [failed.shard.name for failed in made.failed] == ["d"]
    assert made.options == {"recursive": True}
    assert made.memscan == "1.0.0"
    assert verify(output) == []
    assert list(StoredTable.open(output).load().paths) == ["1", "2", "3", "5"]
    assert not [name for name in os.listdir(tmp_path) if name.endswith(".tmp")]


def test_a_merged_table_does_not_need_its_parts(two: list[str], tmp_path: Path) -> None:
    output = str(tmp_path / "all.parquet")
    merge(two, output, "1.0.0")
    write(Path(two[0]), "a", [rows(["other"])])
    for path in two:
        shutil.rmtree(path)
    assert verify(output) == []


def test_where_links_are_impossible_parts_are_copied(
    two: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*paths: str) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(os, "link", refuse)
    merge(two, str(tmp_path / "all.parquet"), "1.0.0")
    assert verify(str(tmp_path / "all.parquet")) == []


def test_parts_of_one_name_are_both_kept(tmp_path: Path) -> None:
    for table, name in (("one", "1"), ("two", "2")):
        write(tmp_path / table, "00000.tar", [rows([name])], stamp={"table": table})
        finish(tmp_path / table)
    output = str(tmp_path / "all.parquet")
    made = merge([str(tmp_path / "one"), str(tmp_path / "two")], output, "1.0.0")
    name = Shard("00000.tar").part_name
    assert [part.name for part in made.parts] == [name[:-8] + "-2.parquet", name]
    assert list(StoredTable.open(output).load().paths) == ["1", "2"]


@pytest.mark.parametrize(
    ("encoder", "message"),
    [
        (Encoder("phash-64", "fast", "fast"), "made with fast, but"),
        (Encoder("phash-64", "exact", "f", ("square",)), "its views are not those"),
    ],
)
def test_other_encoders_are_refused(tmp_path: Path, encoder: Encoder, message: str) -> None:
    write(tmp_path / "one", "a", [rows(["1"])])
    finish(tmp_path / "one")
    write(tmp_path / "two", "b", [rows(["2"], views=len(encoder.views))], encoder=encoder)
    finish(tmp_path / "two", encoder)
    with pytest.raises(InputError, match=message):
        merge([str(tmp_path / "one"), str(tmp_path / "two")], str(tmp_path / "all"), "1.0.0")
    assert not (tmp_path / "all").exists()


def test_an_output_that_is_there_is_left_alone(two: list[str], tmp_path: Path) -> None:
    (tmp_path / "all").mkdir()
    with pytest.raises(InputError, match="there is something already"):
        merge(two, str(tmp_path / "all"), "1.0.0")


def test_nothing_and_unfinished_tables_are_refused(two: list[str], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no table"):
        merge([], str(tmp_path / "all"), "1.0.0")
    os.unlink(os.path.join(two[1], "_manifest.json"))
    with pytest.raises(InputError, match=r"there is no _manifest\.json"):
        merge(two, str(tmp_path / "all"), "1.0.0")


def test_a_full_disk_leaves_no_half_table(
    two: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*paths: str) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr(shutil, "copyfile", refuse)
    with pytest.raises(OutputError, match="No space left"):
        merge(two, str(tmp_path / "all"), "1.0.0")
    assert sorted(os.listdir(tmp_path)) == ["one", "two"]


def test_an_output_nowhere_is_an_output_error(two: list[str], tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        merge(two, str(tmp_path / "no" / "all"), "1.0.0")
