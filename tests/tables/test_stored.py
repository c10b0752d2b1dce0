from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memscan import hamming
from memscan.errors import InputError
from memscan.tables import part
from memscan.tables.identity import Encoder, Shard
from memscan.tables.manifest import FailedShard
from memscan.tables.runs import StoredPaths
from memscan.tables.stored import StoredTable
from tests.cli.running import ROOT, environment
from tests.tables.making import LIBRARIES, finish, rows, table, write

pytest.importorskip("pyarrow", reason="tables on disk need the extra parquet")


@settings(deadline=None, max_examples=30)
@given(
    st.lists(
        st.text(st.characters(codec="utf-8"), min_size=1, max_size=4),
        unique=True,
        min_size=1,
        max_size=40,
    ),
    st.data(),
)
def test_rows_are_in_bytewise_order_however_the_parts_interleave(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], data: st.DataObject
) -> None:
    directory = tmp_path_factory.mktemp("tables") / "hashes.parquet"
    of_shard = [data.draw(st.integers(0, 3)) for _ in names]
    shards = [[n for n, s in zip(names, of_shard) if s == shard] for shard in range(4)]
    group_rows = data.draw(st.integers(1, 8))
    lost = data.draw(st.sets(st.sampled_from(names)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(part, "GROUP_ROWS", group_rows)
        stored = StoredTable.open(str(table(directory, shards, lost=lost)))
        loaded = stored.load()
    expected = {
        name: int(rows(some, seed=number).hashes[row, 0])
        for number, some in enumerate(shards)
        for row, name in enumerate(some)
        if name not in lost
    }
    in_order = sorted(expected, key=os.fsencode)
    assert len(stored) == len(loaded) == len(expected)
    assert {failure.path for failure in stored.failures()} == lost
    assert list(loaded.paths) == in_order
    assert loaded.paths[:] == in_order
    wanted = {*data.draw(st.sets(st.sampled_from(names))), "not there", "\udcff"}
    for paths in (loaded.paths, stored.paths):
        assert isinstance(paths, StoredPaths)
        expected_rows = {path: row for row, path in enumerate(paths) if path in wanted}
        assert paths.find(wanted) == expected_rows
    assert loaded.hashes.tolist() == [expected[name] for name in in_order]
    in_blocks = {
        stored.paths[block.start + row]: int(hash)
        for block in stored.blocks()
        for row, hash in enumerate(block.hashes)
    }
    assert in_blocks == expected


def test_ties_in_blocks_can_be_broken_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(part, "GROUP_ROWS", 5)
    names = [f"{n:03d}" for n in range(60)]
    for shard in range(3):
        some = rows(names[shard::3], seed=shard)
        some.hashes[:] &= np.uint64(7)  # few distances, so many ties
        write(tmp_path, f"{shard}", [some])
    stored = StoredTable.open(str(tmp_path))
    loaded = stored.load()
    target = np.array([3], np.uint64)
    for count in (1, 4, 20):
        closest = hamming.nearest(target, loaded.hashes, count)
        expected = [
            (d, loaded.paths[p]) for d, p in zip(closest.distances[0], closest.positions[0])
        ]
        found = []
        for block in stored.blocks():
            best = hamming.nearest(target, block.hashes, min(count, len(block.hashes)))
            found += [
                (d, stored.paths[block.start + p])
                for d, p in zip(best.distances[0], best.positions[0].tolist())
            ]
        assert sorted(found, key=lambda item: (item[0], os.fsencode(item[1])))[:count] == expected


def test_only_the_views_that_are_asked_for_are_loaded(tmp_path: Path) -> None:
    encoder = Encoder("a", "exact", "f", ("one", "two", "three"))
    some = rows(["a", "b", "c"], ["b"], 3)
    write(tmp_path, "s", [some], encoder=encoder)
    loaded = StoredTable.open(str(tmp_path)).load(["three", "one"])
    assert some.views is not None
    assert loaded.view_names == ("three", "one")
    assert loaded.views.shape == (2, 2)
    assert loaded.column("one").tolist() == some.views[[0, 2], 0, 0].tolist()
    assert loaded.column("three").tolist() == some.views[[0, 2], 2, 0].tolist()
    assert loaded.column("full").tolist() == some.hashes[[0, 2], 0].tolist()
    assert np.shares_memory(loaded.column("one"), loaded.views)
    (block,) = StoredTable.open(str(tmp_path)).blocks("two")
    assert block.hashes.tolist() == some.views[[0, 2], 1, 0].tolist()
    chosen = loaded.chosen(np.array([False, True]))
    assert list(chosen.paths) == ["c"]


def test_hashes_of_several_words_keep_their_words(tmp_path: Path) -> None:
    some = rows(["a", "b"], words=4)
    write(tmp_path, "s", [some], encoder=Encoder("a", "exact", "f", (), 4))
    stored = StoredTable.open(str(tmp_path))
    assert np.array_equal(stored.load().hashes, some.hashes)
    assert np.array_equal(next(stored.blocks()).hashes, some.hashes)


def test_a_table_of_failures_only_is_empty(tmp_path: Path) -> None:
    stored = StoredTable.open(str(table(tmp_path / "t", [["a", "b"]], lost=["a", "b"])))
    assert len(stored) == len(stored.load()) == 0
    assert list(stored.load().paths) == []
    assert [failure.path for failure in stored.failures()] == ["a", "b"]


def test_a_table_without_parts_is_empty(tmp_path: Path) -> None:
    stored = StoredTable.open(str(table(tmp_path / "t", [[]])))
    assert len(stored.load()) == 0
    finish(tmp_path)
    assert len(StoredTable.open(str(tmp_path)).load()) == 0


def test_names_that_are_not_there_raise_index_error(tmp_path: Path) -> None:
    paths = StoredTable.open(str(table(tmp_path / "t", [["a", "b"]]))).load().paths
    assert paths[-1] == "b"
    with pytest.raises(IndexError):
        paths[2]


def test_names_too_long_for_statistics_are_sorted_all_the_same(tmp_path: Path) -> None:
    names = ["b" * 10_000, "a", "c"]
    loaded = StoredTable.open(str(table(tmp_path / "t", [names[:1], names[1:]]))).load()
    assert list(loaded.paths) == sorted(names)


def test_a_sound_table_brings_no_warning(tmp_path: Path) -> None:
    stored = StoredTable.open(str(table(tmp_path / "t", [["a"]])))
    assert stored.check("phash-64", "exact", (), LIBRARIES) == []


def test_what_differs_is_said_in_one_sentence(tmp_path: Path) -> None:
    stored = StoredTable.open(str(table(tmp_path / "t", [["a"]])))
    with pytest.raises(InputError, match=r"its algorithm is phash-64, but this scan's is pdq"):
        stored.check("pdq", "exact")
    with pytest.raises(InputError, match=r"its decode mode is exact, but this scan's is fast"):
        stored.check("phash-64", "fast")
    with pytest.raises(InputError, match=r"no hashes of 2 views .* \(first square\)"):
        stored.check("phash-64", "exact", ["square", "upright"])


def test_other_library_versions_bring_a_warning(tmp_path: Path) -> None:
    stored = StoredTable.open(str(table(tmp_path / "t", [["a"]])))
    (warning,) = stored.check("phash-64", "exact", (), {**LIBRARIES, "Pillow": "13.0.0"})
    assert "made with Pillow 12.0.0, this is Pillow 13.0.0" in warning


def test_parts_without_a_manifest_bring_a_warning(tmp_path: Path) -> None:
    directory = table(tmp_path / "t", [["b"], ["a"]])
    (directory / "_manifest.json").unlink()
    stored = StoredTable.open(str(directory))
    assert list(stored.load().paths) == ["a", "b"]
    assert "no _manifest.json" in stored.warnings[0]


def test_what_is_missing_or_too_much_is_said(tmp_path: Path) -> None:
    directory = table(tmp_path / "t", [["a"], ["b"]])
    write(directory, "more", [rows(["c"])])
    stored = StoredTable.open(str(directory))
    assert list(stored.load().paths) == ["a", "b"]
    assert "1 parts are not in _manifest.json" in stored.warnings[0]
    (directory / Shard("00000.tar").part_name).unlink()
    with pytest.raises(InputError, match="1 of 2 parts are missing"):
        StoredTable.open(str(directory))


def test_failed_shards_are_known(tmp_path: Path) -> None:
    write(tmp_path, "a", [rows(["a"])])
    finish(tmp_path, failed=[FailedShard(Shard("b"), "it is gone")])
    stored = StoredTable.open(str(tmp_path))
    assert [failed.reason for failed in stored.failed] == ["it is gone"]
    assert "incomplete, 1 shards failed (first b: it is gone)" in stored.warnings[0]


def test_parts_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "a", [rows(["a"])])
    write(tmp_path, "b", [rows(["b"])], encoder=Encoder("phash-64", "fast", "f"))
    with pytest.raises(InputError, match="do not belong"):
        StoredTable.open(str(tmp_path))


@pytest.mark.parametrize(("names", "stamp"), [(["a", "b"], None), (["a"], 1), (["long"], None)])
def test_a_part_that_was_made_again_is_refused(
    tmp_path: Path, names: list[str], stamp: int | None
) -> None:
    directory = table(tmp_path / "t", [["a"]])
    write(directory, "00000.tar", [rows(names)], stamp=stamp)
    with pytest.raises(InputError, match=r"not the part that _manifest\.json lists"):
        StoredTable.open(str(directory))


@pytest.mark.parametrize("name", ["nothing", "empty"])
def test_what_is_no_table_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=name):
        StoredTable.open(str(tmp_path / name))


def test_nothing_loads_pyarrow_before_it_is_needed() -> None:
    code = (
        "import sys, memscan.tables.stored, memscan.tables.foreign, memscan.tables.merging, "
        "memscan.tables.checking; sys.exit('pyarrow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment(), check=False)
    assert done.returncode == 0
