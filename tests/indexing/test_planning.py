from __future__ import annotations

import itertools
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memscan.indexing import planning
from memscan.indexing.planning import Kind, Piece, cut, plan, stamp_of
from memscan.records import Failure, Stage
from memscan.sources.directories import Entry, Listing
from tests.indexing.collections import settle

NAMES = [f"folder/{number:05}.png" for number in range(3000)]


@pytest.fixture
def short_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "RUN", 16)
    monkeypatch.setattr(planning, "MOST", 64)


def test_runs_are_of_about_the_size_that_is_meant(short_runs: None) -> None:
    runs = list(cut(NAMES))
    assert list(itertools.chain(*runs)) == NAMES
    assert 100 < len(runs) < 300
    assert max(map(len, runs)) <= 64


@pytest.mark.usefixtures("short_runs")
@settings(
    deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.integers(0, 2999))
def test_a_file_that_goes_changes_one_or_two_runs(position: int) -> None:
    before = set(cut(NAMES))
    after = set(cut(NAMES[:position] + NAMES[position + 1 :]))
    assert len(before - after) <= 3
    assert len(after - before) <= 3


@pytest.mark.usefixtures("short_runs")
def test_a_file_at_the_end_leaves_the_runs_before_it() -> None:
    before, after = list(cut(NAMES)), list(cut([*NAMES, "folder/99999.png"]))
    assert after[: len(before) - 1] == before[:-1]


def test_no_files_have_no_runs() -> None:
    assert list(cut([])) == []


def test_every_image_is_in_one_piece() -> None:
    entries = (Entry("s3://b/1.png", 5, "0" * 32), Entry("s3://b/2.png", None, None))
    lost = Failure("locked", Stage.READ, "cannot be listed", is_directory=True)
    one = Listing("a", ("a/1.png",), (lost,), containers=("b.tar", "v.dcm", "w.nii"))
    two = Listing("b", ("a/0.png",), (lost,), containers=("b.tar", "a.zip"), remote=entries)
    three = Listing("s3", (), containers=("s3://b/x.dcm", "s3://b/y.tar"))
    pieces = plan([one, two, three])
    assert [(piece.kind, piece.name, piece.paths) for piece in pieces] == [
        (Kind.CONTAINERS, "a.zip", ("a.zip",)),
        (Kind.CONTAINERS, "b.tar", ("b.tar",)),
        (Kind.CONTAINERS, "s3://b/y.tar", ("s3://b/y.tar",)),
        (Kind.CONTAINERS, "volumes from s3://b/x.dcm", ("s3://b/x.dcm",)),
        (Kind.CONTAINERS, "volumes from v.dcm", ("v.dcm", "w.nii")),
        (Kind.FILES, "files from a/0.png", ("a/0.png", "a/1.png")),
        (Kind.OBJECTS, "objects from s3://b/1.png", ("s3://b/1.png", "s3://b/2.png")),
        (Kind.LOST, "what could not be listed", ("locked",)),
    ]
    here = os.getcwd()
    assert [piece.folder for piece in pieces] == [here, here, "", "", here, here, "", ""]
    assert [piece.images for piece in pieces] == [None] * 5 + [2, 2, 1]


def test_a_stamp_changes_with_the_files(tmp_path: Path) -> None:
    path, link = tmp_path / "a.png", tmp_path / "link.png"
    path.write_bytes(b"one")
    os.symlink("nowhere", link)
    piece = Piece(Kind.FILES, "files", (str(path), str(link)))
    settle()
    before = stamp_of(piece, 100)
    assert before is not None
    assert stamp_of(piece, 100) == before
    assert stamp_of(piece, 99) != before  # another limit can make failures of images
    path.write_bytes(b"two")
    assert stamp_of(piece, 100) is None  # another write would give the same time
    settle()
    assert stamp_of(piece, 100) not in (None, before)


def test_a_stamp_of_what_cannot_be_known_is_none(tmp_path: Path) -> None:
    known = Piece(Kind.OBJECTS, "o", ("s3://b/1",), ([5, "0" * 32],))
    assert stamp_of(known, 1) is not None
    assert stamp_of(Piece(Kind.OBJECTS, "o", ("s3://b/1",), (None,)), 1) is None
    gone = Piece(Kind.CONTAINERS, "c", (str(tmp_path / "gone.tar"),))
    assert stamp_of(gone, 1) is None
