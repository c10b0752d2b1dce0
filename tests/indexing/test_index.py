from __future__ import annotations

import io
import os
import shutil
import sys
import tarfile
from pathlib import Path
from typing import Any

import imagehash
import numpy as np
import pytest
from PIL import Image

from memscan import indexing
from memscan.errors import InputError, OutputError
from memscan.indexing import Step, making, output, planning
from memscan.sources.given import Named
from memscan.tables import manifest
from memscan.tables.checking import verify
from memscan.tables.identity import Encoder
from memscan.tables.merging import merge
from memscan.tables.stored import StoredTable
from memscan.views import of_source
from tests.drawing import needs_posix, save
from tests.indexing import tasks
from tests.indexing.collections import ROOTS, counted, files, hashed, mixture, settle, tars
from tests.sources.archives import png, tar

pytest.importorskip("pyarrow", reason="pyarrow is not installed")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory; the work is done in this process, which is quicker to start."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    return tmp_path


def index(*sources: str, **options: Any) -> indexing.Indexed:
    return indexing.index(sources or "shards/*.tar", "table", **options)


@needs_posix
@pytest.mark.parametrize(
    ("hash", "views"), [("phash", "plain"), ("phash", "training"), ("pdq", "plain")]
)
def test_every_image_has_the_hash_that_it_has_by_itself(here: Path, hash: str, views: str) -> None:
    images, lost = mixture(here)
    done = index(*ROOTS, recursive=True, hash=hash, views=views)
    assert (done.manifest.rows, done.manifest.failures) == (len(images) + len(lost), len(lost))
    assert (done.hashed, done.already) == (6, 0)
    table = StoredTable.open("table")
    assert verify("table") == []
    assert table.encoder.views == of_source(views).names
    loaded = table.load(table.encoder.views)
    assert list(loaded.paths) == sorted(images, key=os.fsencode)
    for row, path in enumerate(loaded.paths):
        image = hashed(images[path], hash, views)
        here_words = [np.atleast_1d(loaded.hashes[row])]
        here_words += [np.atleast_1d(loaded.column(name)[row]) for name in table.encoder.views]
        assert np.concatenate(here_words).tolist() == list(image.words)
        assert loaded.low_information[row] == image.low_information
    failures = {failure.path: failure for failure in table.failures()}
    assert set(failures) == lost
    assert failures["loose/broken.png"].stage.value == "decode"
    assert failures["loose/link.png"].stage.value == "read"


def test_the_hash_is_imagehash_s(here: Path) -> None:
    tars(here / "shards", 1, images=2)
    index()
    loaded = StoredTable.open("table").load()
    for seed, hash in enumerate(loaded.hashes.tolist()):
        path = here / f"{seed}.png"
        path.write_bytes(png(seed))
        assert f"{hash:016x}" == str(imagehash.phash(Image.open(path)))


def test_size_and_quality_stand_in_the_table(here: Path) -> None:
    from pyarrow import parquet

    tars(here / "shards", 1, images=1)
    index(hash="pdq")
    (row,) = parquet.read_table("table").to_pylist()
    image = hashed(png(0), "pdq", "plain")
    assert (row["width"], row["height"], row["quality"]) == (*image.size, image.quality)


def test_nothing_is_done_again(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mixture(here)
    first = index(*ROOTS, recursive=True)
    before = files(here / "table")
    times = {path.name: path.stat().st_mtime_ns for path in (here / "table").glob("part-*")}
    seen = counted(monkeypatch)
    again = index(*ROOTS, recursive=True)
    assert seen == []
    assert (again.hashed, again.already) == (0, first.hashed)
    assert files(here / "table") == before
    assert times == {p.name: p.stat().st_mtime_ns for p in (here / "table").glob("part-*")}


def test_only_what_changed_is_done_again(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tars(here / "shards", 4)
    index()
    seen = counted(monkeypatch)
    (here / "shards/002.tar").write_bytes(tar({"00006.png": png(50)}))
    tars(here / "shards", 1, first=7)
    os.unlink("shards/000.tar")
    settle()
    done = index()
    assert sorted(seen) == ["shards/002.tar", "shards/007.tar"]
    assert len(done.removed) == 1
    assert done.left == ()
    changed = files(here / "table")
    shutil.rmtree("table")
    index()
    assert files(here / "table") == changed


def test_loose_files_are_done_again_by_the_run(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "RUN", 4)
    monkeypatch.setattr(planning, "MOST", 16)
    (here / "loose").mkdir()
    for seed in range(60):
        (here / f"loose/{seed:03}.png").write_bytes(png(seed % 3))
    settle()
    whole = index("loose")
    assert whole.hashed > 8
    seen = counted(monkeypatch)
    (here / "loose/031.png").write_bytes(png(7))
    settle()
    assert index("loose").hashed == 1
    assert len(seen) == 1
    (here / "loose/100.png").write_bytes(png(7))
    settle()
    assert index("loose").hashed == 1
    assert len(StoredTable.open("table")) == 61
    assert verify("table") == []


def test_what_was_written_just_now_is_never_taken_for_done(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tars(here / "shards", 1)
    monkeypatch.setattr("memscan.indexing.planning.items.stamp_of", lambda path: None)
    assert [index().already, index().already] == [0, 0]


def test_a_higher_limit_of_pixels_does_it_again(here: Path) -> None:
    tars(here / "shards", 1)
    assert index(max_pixels=10).manifest.failures == 3
    again = index()
    assert (again.hashed, again.manifest.failures) == (1, 0)


def test_a_damaged_part_is_made_again(here: Path) -> None:
    tars(here / "shards", 3)
    index()
    whole = files(here / "table")
    parts = sorted((here / "table").glob("part-*"))
    data = bytearray(parts[0].read_bytes())
    data[10] ^= 1  # a bit of a hash, of which the footer knows nothing
    parts[0].write_bytes(bytes(data))
    parts[1].write_bytes(parts[1].read_bytes()[:-9])
    assert verify("table")
    assert index().hashed == 2
    assert files(here / "table") == whole


def test_without_a_manifest_finished_parts_count(here: Path) -> None:
    tars(here / "shards", 3)
    index()
    whole = files(here / "table")
    os.unlink("table/_manifest.json")
    assert (index().already, files(here / "table")) == (3, whole)


def test_names_are_as_they_were_given(here: Path) -> None:
    tars(here / "shards", 1, images=1)
    save(Image.new("RGB", (8, 8)), here / "a.png")
    for source in ("shards/000.tar", "./shards/000.tar", str(here / "shards/000.tar")):
        shutil.rmtree("table", ignore_errors=True)
        index(source, "a.png")
        assert set(StoredTable.open("table").paths) == {f"tar://00000.png::{source}", "a.png"}


@needs_posix
def test_names_that_are_not_utf_8(here: Path) -> None:
    path = os.fsdecode(b"loose/\xff.png")
    os.mkdir("loose")
    Path(path).write_bytes(png(1))
    settle()
    assert index("loose").hashed == 1
    assert list(StoredTable.open("table").paths) == [path]
    assert index("loose").already == 1


def test_one_row_says_what_is_wrong_with_an_archive(here: Path) -> None:
    members = [("a.png", png(0)), ("a.png", png(1)), ("b.png", png(2))]
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    end = file.getvalue().rindex(b"b.png") + 600
    (here / "shards").mkdir()
    (here / "shards/000.tar").write_bytes(file.getvalue()[:end])
    settle()
    index()
    failures = [f for f in StoredTable.open("table").failures() if f.path == "shards/000.tar"]
    assert len(failures) == 1
    assert "a.png" in failures[0].message
    assert verify("table") == []


def test_what_a_list_names_and_is_not_there_is_a_row(here: Path) -> None:
    tars(here / "shards", 1)
    lists = [Named("list.txt", ["shards/000.tar", "gone.png"])]
    done = indexing.index((), "table", lists=lists)
    assert (done.manifest.rows, done.manifest.failures) == (4, 1)
    (failure,) = StoredTable.open("table").failures()
    assert (failure.path, failure.message) == ("gone.png", "there is no such file or directory")
    assert indexing.index((), "table", lists=lists).already == 2


def test_images_on_a_store(here: Path) -> None:
    fsspec = pytest.importorskip("fsspec", reason="fsspec is not installed")
    store = fsspec.filesystem("memory")
    store.pipe("/indexed/0.png", png(0))
    store.pipe("/indexed/1.png", b"broken")
    store.pipe("/indexed.tar", tar({"2.png": png(2)}))
    index("memory://indexed", "memory://indexed.tar")
    table = StoredTable.open("table")
    loaded = table.load()
    assert list(loaded.paths) == ["memory://indexed/0.png", "tar://2.png::memory://indexed.tar"]
    assert loaded.hashes.tolist() == [hashed(png(s), "phash", "plain").words[0] for s in (0, 2)]
    assert [failure.path for failure in table.failures()] == ["memory://indexed/1.png"]


def test_progress_counts_images_and_shards(here: Path) -> None:
    tars(here / "shards", 3, images=4)
    (here / "loose").mkdir()
    for seed in range(5):
        (here / f"loose/{seed}.png").write_bytes(png(seed))
    steps: list[Step] = []
    index("shards/*.tar", "loose", progress=steps.append)
    assert steps[0] == (0, None, 0, 4)
    assert steps[-1] == (17, 17, 4, 4)
    assert [step.images for step in steps] == sorted(step.images for step in steps)
    index("shards/*.tar", "loose", progress=steps.append)
    assert steps[-1] == (17, 17, 4, 4)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"hash": "dhash"}, "made with other hash"),
        ({"views": "training"}, "made with other views"),
    ],
)
def test_a_table_made_otherwise_is_refused(here: Path, change: dict[str, str], reason: str) -> None:
    tars(here / "shards", 1)
    index()
    before = files(here / "table")
    with pytest.raises(InputError, match=f"table: .*{reason}"):
        index(**change)
    os.unlink("table/_manifest.json")
    with pytest.raises(InputError, match=f"table: .*{reason}"):
        index(**change)
    del before["_manifest.json"]
    assert files(here / "table") == before


def test_an_output_that_is_something_else_is_refused(here: Path) -> None:
    tars(here / "shards", 1)
    (here / "table").write_text("")
    with pytest.raises(InputError, match="there is a file of this name"):
        index()
    os.unlink("table")
    (here / "table").mkdir()
    (here / "table/photo.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"photo\.png lies there, which is not part"):
        index()
    os.rename("table/photo.png", "table/data.parquet")
    with pytest.raises(InputError, match=r"data\.parquet lies there, which is not part"):
        index()
    assert os.listdir("table") == ["data.parquet"]


def test_a_source_that_is_left_out_is_not_thrown_away(here: Path) -> None:
    tars(here / "shards", 2)
    index("shards/000.tar")
    with pytest.raises(InputError, match=r"also holds shards/000\.tar"):
        index("shards/001.tar")
    grown = index("shards/000.tar", "shards/001.tar")
    assert (grown.hashed, grown.already, grown.removed) == (1, 1, ())


def test_a_merged_table_is_not_gone_on_with(here: Path) -> None:
    tars(here / "shards", 2)
    indexing.index("shards/000.tar", "one")
    indexing.index("shards/001.tar", "two")
    merge(["one", "two"], "table", "1")
    with pytest.raises(InputError, match="a table that was merged"):
        index()


def test_parts_that_nobody_knows_are_left_and_named(here: Path) -> None:
    tars(here / "shards", 2)
    indexing.index("shards/000.tar", "other")
    (stray,) = (here / "other").glob("part-*")
    (here / "table").mkdir()
    shutil.copy(stray, "table")
    done = index("shards/001.tar")
    assert (done.left, done.removed) == ((stray.name,), ())
    assert len(StoredTable.open("table")) == 3


def test_bad_input_makes_no_directory(here: Path) -> None:
    for sources, options in (
        (("nowhere",), {}),
        (("empty",), {}),
        (("shards",), {"hash": "nohash"}),
        (("shards",), {"views": "some"}),
        (("shards/*.tar",), {"engine": "spark"}),
        (("shards/*.tar",), {"jobs": 0}),
    ):
        os.makedirs("empty", exist_ok=True)
        tars(here / "shards", 1)
        with pytest.raises(InputError):
            index(*sources, **options)
        assert not os.path.exists("table")


def test_an_output_that_cannot_be_made(here: Path) -> None:
    tars(here / "shards", 1)
    (here / "file").write_text("")
    with pytest.raises(OutputError, match="file/table: cannot be written: Not a directory"):
        indexing.index("shards/000.tar", "file/table")


def test_a_missing_extra_is_told_at_once(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tars(here / "shards", 1)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InputError, match=r"memscan\[parquet\]"):
        index()
    assert not os.path.exists("table")


def test_a_worker_with_other_libraries_is_refused(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tars(here / "shards", 1)
    old = Encoder("phash-64", "exact", "phash-64 Pillow=9")
    monkeypatch.setattr("memscan.indexing.making.table_encoder", lambda *_: old)
    (failed,) = index().manifest.failed
    assert "make other hashes" in failed.reason


def test_a_shard_that_cannot_be_read_at_all_fails_alone(here: Path) -> None:
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    from pyarrow import parquet

    tars(here / "shards", 1)
    parquet.write_table(pa.table({"a": [1]}), here / "numbers.parquet")
    settle()
    done = index("shards/*.tar", "numbers.parquet")
    (failed,) = done.manifest.failed
    assert failed.shard.name == "numbers.parquet"
    assert str(here) not in failed.reason
    assert len(StoredTable.open("table")) == 3


def test_what_killed_runs_leave_goes_a_day_later(here: Path) -> None:
    tars(here / "shards", 1)
    names = [f".memscan-{digit * 16}.tmp" for digit in "ab"]
    for name in names:
        (here / "table" / name).mkdir(parents=True)
    os.utime(here / "table" / names[0], (0, 0))
    index()
    assert [name for name in os.listdir("table") if name.startswith(".")] == [names[1]]


def test_a_part_that_cannot_be_removed_is_told(here: Path) -> None:
    (here / "table/part.parquet").mkdir(parents=True)
    with pytest.raises(OutputError, match=r"part\.parquet: cannot be written"):
        output.remove("table", ["part.parquet"])
    assert output.remove("table", ["gone.parquet"]) == ("gone.parquet",)


def test_the_same_bytes_for_any_number_of_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    mixture(tmp_path)
    tables = []
    for jobs in (1, 3):
        indexing.index(ROOTS, f"table{jobs}", recursive=True, jobs=jobs)
        tables.append(files(tmp_path / f"table{jobs}"))
    assert tables[0] == tables[1]


def test_a_shard_that_crashes_its_worker_is_one_named_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    tars(tmp_path / "shards", 4)
    os.rename("shards/002.tar", "shards/poison.tar")
    settle()
    monkeypatch.setattr(making, "TASK", tasks.CRASHING)
    done = index(jobs=2)
    (failed,) = done.manifest.failed
    assert failed.shard.name == "shards/poison.tar"
    assert "given up after 3 attempts" in failed.reason
    assert (done.hashed, done.manifest.rows) == (3, 9)
    listed = manifest.read("table")
    assert listed is not None
    assert listed.failed == (failed,)
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    again = index(jobs=1)
    assert (again.hashed, again.already, again.manifest.failed) == (1, 3, ())
