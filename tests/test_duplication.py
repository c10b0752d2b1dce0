from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from memscan import (
    Cache,
    DuplicateReport,
    InputError,
    Stage,
    duplicates,
    duplication,
    hash_image,
    search,
)
from memscan.hamming import Hashes, Positions
from memscan.table import HashTable
from tests.drawing import needs_posix, picture, save


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    """Three pictures, the first of them three times and the second twice, and two flat images."""
    for seed in range(3):
        save(picture(seed), tmp_path / f"{seed}.png")
    shutil.copy(tmp_path / "0.png", tmp_path / "0_copy.png")
    picture(0).save(tmp_path / "0_recompressed.jpg", quality=40)
    picture(1).resize((48, 32)).save(tmp_path / "1_small.jpg", quality=5)
    for colour in ("red", "blue"):
        save(Image.new("RGB", (40, 40), colour), tmp_path / f"{colour}.png")
    return tmp_path


def names(report: DuplicateReport) -> list[list[str]]:
    return [[os.path.basename(m.path) for m in group.members] for group in report.groups]


def test_copies_are_grouped_and_others_are_not(collection: Path) -> None:
    report = duplicates(collection)
    assert names(report) == [
        ["0.png", "0_copy.png", "0_recompressed.jpg"],
        ["1.png", "1_small.jpg"],
    ]
    assert (report.found, report.hashed, report.grouped, report.removable) == (8, 8, 5, 3)
    assert report.removable_share == 3 / 8


def test_members_have_the_hash_of_the_image_and_the_distance_from_the_first(
    collection: Path,
) -> None:
    for group in duplicates(collection).groups:
        first = hash_image(group.members[0].path)
        for member in group.members:
            assert member.hash == hash_image(member.path)
            assert member.distance == bin(first ^ member.hash).count("1")
        assert group.largest_distance == max(member.distance for member in group.members)
        assert group.size == len(group.members)


def test_flat_images_are_counted_and_not_grouped(collection: Path) -> None:
    shutil.copy(collection / "red.png", collection / "red_copy.png")
    report = duplicates(collection)
    flat = [str(collection / name) for name in ("blue.png", "red.png", "red_copy.png")]
    assert list(report.low_information) == flat
    assert not {member.path for group in report.groups for member in group.members} & {*flat}


def test_the_threshold_decides(collection: Path) -> None:
    strict = duplicates(collection, near_threshold=0)
    assert names(strict) == [["0.png", "0_copy.png", "0_recompressed.jpg"]]
    everything = duplicates(collection, near_threshold=64)
    assert [group.size for group in everything.groups] == [6]


def test_what_cannot_be_read_is_a_failure(collection: Path) -> None:
    (collection / "broken.png").write_bytes(b"broken")
    report = duplicates(collection)
    assert [(os.path.basename(f.path), f.stage) for f in report.failures] == [
        ("broken.png", Stage.DECODE)
    ]
    assert report.found == report.hashed + 1


def test_several_directories_are_one_collection_and_a_file_counts_once(collection: Path) -> None:
    (collection / "other").mkdir()
    shutil.move(str(collection / "1_small.jpg"), str(collection / "other/a.jpg"))
    report = duplicates([collection / "other", collection, collection / "0.png"], recursive=True)
    assert names(report) == [["0.png", "0_copy.png", "0_recompressed.jpg"], ["1.png", "a.jpg"]]
    assert [source.found for source in report.sources] == [1, 7, 0]


def test_members_and_groups_are_in_bytewise_order(tmp_path: Path) -> None:
    for name in ("b", "B", "é", "z/1", "a/2"):
        save(picture(1), tmp_path / f"{name}.png")
        save(picture(2), tmp_path / f"{name}_2.png")
    report = duplicates([tmp_path / "z", tmp_path / "a", tmp_path], recursive=True)
    for group in report.groups:
        paths = [member.path for member in group.members]
        assert paths == sorted(paths, key=os.fsencode)
    firsts = [group.members[0].path for group in report.groups]
    assert firsts == sorted(firsts, key=os.fsencode)


def test_a_chain_is_one_group_that_says_how_far_it_reaches() -> None:
    hashes = np.array([0b0, 0b1111, 0b11111111], np.uint64)
    table = HashTable(["a", "b", "c"], hashes, np.zeros(3, np.bool_))
    (rows,) = duplication._rows(table, 5, 1)
    group = duplication._group(table, rows)
    assert [member.distance for member in group.members] == [0, 4, 8]
    assert group.largest_distance == 8


def plain_groups(hashes: list[int], firm: list[bool], radius: int) -> list[list[int]]:
    """The oracle: groups grow by the double loop until nothing changes."""
    groups = [[row] for row in range(len(hashes)) if firm[row]]
    near = True
    while near:
        near = False
        for a in range(len(groups)):
            for b in range(a + 1, len(groups)):
                if any(
                    bin(hashes[i] ^ hashes[j]).count("1") <= radius
                    for i in groups[a]
                    for j in groups[b]
                ):
                    groups[a] += groups.pop(b)
                    near = True
                    break
            if near:
                break
    several = [sorted(group) for group in groups if len(group) > 1]
    return sorted(several, key=lambda group: (-len(group), group[0]))


@settings(deadline=None, max_examples=100)
@given(
    images=st.lists(
        st.tuples(
            st.integers(0, 2**64 - 1) | st.integers(0, 63), st.sampled_from([True] * 4 + [False])
        ),
        max_size=16,
    ),
    radius=st.integers(0, 24),
)
def test_groups_are_those_of_the_double_loop(images: list[tuple[int, bool]], radius: int) -> None:
    hashes, firm = [hash for hash, _ in images], [firm for _, firm in images]
    table = HashTable(
        [str(row) for row in range(len(images))],
        np.array(hashes, np.uint64),
        ~np.array(firm, np.bool_),
    )
    found = [rows.tolist() for rows in duplication._rows(table, radius, 2)]
    assert found == plain_groups(hashes, firm, radius)


def test_many_copies_of_one_image_make_no_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    searched = []

    def components(hashes: Hashes, radius: int, jobs: int | None) -> Positions:
        searched.append(len(hashes))
        return np.arange(len(hashes))

    monkeypatch.setattr(search, "components", components)
    table = HashTable(["x"] * 10_000, np.full(10_000, 7, np.uint64), np.zeros(10_000, np.bool_))
    (rows,) = duplication._rows(table, 5, 1)
    assert (searched, len(rows)) == ([1], 10_000)


def test_jobs_and_the_cache_do_not_change_the_report(collection: Path, tmp_path: Path) -> None:
    expected = duplicates(collection, jobs=1)
    assert duplicates(collection, jobs=3) == expected
    with Cache(str(tmp_path / "cache")) as cache:
        assert duplicates(collection, cache=cache) == expected
        assert duplicates(collection, cache=cache) == expected


def test_options_reach_the_walk(collection: Path) -> None:
    assert names(duplicates(collection, exclude="0*")) == [["1.png", "1_small.jpg"]]
    assert names(duplicates(collection, exclude=["0*", "1_*"])) == []
    assert len(duplicates(collection, max_pixels=96 * 64 - 1).failures) == 5


@needs_posix
def test_directories_behind_links_are_entered_when_asked(collection: Path, tmp_path: Path) -> None:
    (tmp_path / "links").mkdir()
    os.symlink(collection, tmp_path / "links/there")
    with pytest.raises(InputError, match="no images here"):
        duplicates(tmp_path / "links", recursive=True)
    followed = duplicates(tmp_path / "links", recursive=True, follow_symlinks=True)
    assert len(followed.groups) == 2


def test_progress_is_reported(collection: Path) -> None:
    calls: list[tuple[str, int, int]] = []
    duplicates(collection, progress=lambda *call: calls.append(call))
    assert calls[-1] == ("images", 8, 8)


def test_unusable_input_raises(collection: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad/broken.png").write_bytes(b"broken")
    for paths, message in (
        ([], "no directory was given"),
        ("", "an empty path"),
        (tmp_path / "missing", "no such file or directory"),
        (tmp_path / "empty", "no images here"),
        ([collection, tmp_path / "bad"], "none of the 1 images here can be read"),
        ([collection, tmp_path / "bad/broken.png"], "broken.png: not an image"),
    ):
        with pytest.raises(InputError, match=message):
            duplicates(paths)
    for threshold in (-1, 65):
        with pytest.raises(InputError, match="between 0 and 64"):
            duplicates(collection, near_threshold=threshold)
    for jobs in (0, 1025):
        with pytest.raises(InputError, match="jobs must lie between 1 and 1024"):
            duplicates(collection, jobs=jobs)
