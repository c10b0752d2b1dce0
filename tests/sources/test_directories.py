from __future__ import annotations

import os
from pathlib import Path

import pytest

from memscan.errors import InputError
from memscan.records import Stage
from memscan.sources.directories import (
    Listing,
    Selection,
    count_deeper,
    count_once,
    find_images,
    same_files,
)
from tests.drawing import needs_posix, picture, save

RECURSIVE = Selection(recursive=True)


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Empty files are enough: only names without a suffix are looked into."""
    monkeypatch.chdir(tmp_path)
    for name in (
        "train/b.JPG",
        "train/a.png",
        "train/notes.txt",
        "train/.hidden.png",
        "train/.git/c.png",
        "train/deep/d.webp",
        "train/deep/deeper/e.heic",
        "train/deep.png/f.gif",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


def below(listing: Listing) -> list[str]:
    return [os.path.relpath(path, listing.root).replace(os.sep, "/") for path in listing.paths]


@pytest.mark.usefixtures("tree")
class TestFindImages:
    def test_one_level(self) -> None:
        assert find_images("train", Selection()).paths == (
            os.path.join("train", "a.png"),
            os.path.join("train", "b.JPG"),
        )

    def test_every_level_in_bytewise_order(self) -> None:
        assert below(find_images("train", RECURSIVE)) == [
            "a.png",
            "b.JPG",
            "deep.png/f.gif",
            "deep/d.webp",
            "deep/deeper/e.heic",
        ]

    @pytest.mark.parametrize("root", ["train", "train/", "./train", "./train/", "."])
    def test_paths_begin_with_the_root_as_given(self, root: str) -> None:
        for path in find_images(root, RECURSIVE).paths:
            assert path.startswith(root)
            assert "//" not in path
            assert os.path.exists(path)

    def test_a_named_hidden_directory_is_entered(self) -> None:
        assert below(find_images("train/.git", Selection())) == ["c.png"]

    def test_a_named_file_is_taken_whatever_its_name(self) -> None:
        assert find_images("train/notes.txt", Selection()).paths == ("train/notes.txt",)

    def test_missing_is_an_error(self) -> None:
        with pytest.raises(InputError, match="nowhere: there is no such file or directory"):
            find_images("nowhere", Selection())

    @pytest.mark.parametrize(
        ("pattern", "left"),
        [
            ("*.png", ["b.JPG", "deep/d.webp", "deep/deeper/e.heic"]),
            ("deep", ["a.png", "b.JPG", "deep.png/f.gif"]),
            ("deep/*", ["a.png", "b.JPG", "deep.png/f.gif"]),
            ("deep/*.webp", ["a.png", "b.JPG", "deep.png/f.gif", "deep/deeper/e.heic"]),
            ("[ab].*", ["deep.png/f.gif", "deep/d.webp", "deep/deeper/e.heic"]),
            ("train/*", ["a.png", "b.JPG", "deep.png/f.gif", "deep/d.webp", "deep/deeper/e.heic"]),
        ],
    )
    def test_exclusion_is_of_the_path_below(self, pattern: str, left: list[str]) -> None:
        assert below(find_images("train", Selection(True, (pattern,)))) == left

    def test_exclusions_add_up_and_spare_named_files(self) -> None:
        assert below(find_images("train", Selection(False, ("a*", "b*")))) == []
        assert find_images("train/a.png", Selection(False, ("*",))).paths == ("train/a.png",)

    def test_the_count_of_deeper_images_helps_with_an_empty_answer(self) -> None:
        assert count_deeper("train", Selection()) == 5
        assert count_deeper("train", Selection(False, ("deep*",))) == 2
        assert count_deeper("train", RECURSIVE) is None
        assert count_deeper("train/a.png", Selection()) is None


def test_files_without_a_suffix_are_sniffed(tmp_path: Path) -> None:
    picture(1).save(tmp_path / "image", "PNG")
    (tmp_path / "README").write_text("not an image")
    (tmp_path / "image.0001").write_bytes((tmp_path / "image").read_bytes())
    assert below(find_images(str(tmp_path), Selection())) == ["image"]


@pytest.mark.skipif(not os.path.exists("/proc/self/mem"), reason="needs a file that fails to read")
def test_a_file_that_fails_to_be_sniffed_hides_no_other(tmp_path: Path) -> None:
    for name in "abcdefgh":
        (tmp_path / f"{name}.png").touch()
    (tmp_path / "d").symlink_to("/proc/self/mem")
    listing = find_images(str(tmp_path), Selection())
    assert len(listing.paths) == 9
    assert listing.failures == ()


@needs_posix
def test_names_that_are_not_utf8_sort_by_their_bytes(tmp_path: Path) -> None:
    names = [b"\xff.png", b"z.png", b"\xc3\xa9.png", b"e.png", b"a\n.png"]
    for name in names:
        with open(os.path.join(os.fsencode(tmp_path), name), "wb"):
            pass
    found = find_images(str(tmp_path), Selection()).paths
    assert [os.fsencode(os.path.basename(path)) for path in found] == sorted(names)


@needs_posix
class TestLinks:
    @pytest.fixture(autouse=True)
    def links(self, tree: Path) -> None:
        (tree / "train/deep/loop").symlink_to("..")
        (tree / "train/to_other").symlink_to("../other")
        (tree / "other").mkdir()
        (tree / "other/g.png").touch()
        (tree / "other/back").symlink_to("../train")

    def test_links_to_directories_are_not_entered(self) -> None:
        assert "to_other/g.png" not in below(find_images("train", RECURSIVE))

    def test_links_to_directories_are_entered_once_when_asked(self) -> None:
        found = below(find_images("train", Selection(True, (), True)))
        assert found == [
            "a.png",
            "b.JPG",
            "deep.png/f.gif",
            "deep/d.webp",
            "deep/deeper/e.heic",
            "to_other/g.png",
        ]

    def test_links_are_not_entered_without_recursive(self) -> None:
        assert below(find_images("train", Selection(False, (), True))) == ["a.png", "b.JPG"]

    def test_links_to_files_are_files(self, tree: Path) -> None:
        (tree / "train/link.png").symlink_to("../other/g.png")
        (tree / "train/broken.png").symlink_to("nowhere.png")
        (tree / "train/itself.png").symlink_to("itself.png")
        listing = find_images("train", Selection())
        assert below(listing) == ["a.png", "b.JPG", "broken.png", "itself.png", "link.png"]
        assert len(listing.linked) == 3

    def test_a_link_and_its_file_count_once(self, tree: Path) -> None:
        (tree / "train/link.png").symlink_to("a.png")
        (once,) = count_once([find_images("train", Selection())])
        assert below(once) == ["a.png", "b.JPG"]

    def test_a_directory_reached_through_a_link_counts_once(self) -> None:
        first, second = count_once(
            [find_images("train/to_other", Selection()), find_images("other", Selection())]
        )
        assert (below(first), below(second)) == (["g.png"], [])


@pytest.mark.usefixtures("tree")
def test_overlapping_roots_count_each_file_where_it_comes_first() -> None:
    roots = ["train/deep", "./train", "train/a.png", os.path.abspath("train")]
    listings = count_once([find_images(root, RECURSIVE) for root in roots])
    assert [len(listing.paths) for listing in listings] == [2, 3, 0, 0]


@needs_posix
def test_hard_links_are_files_of_their_own(tree: Path) -> None:
    os.link(tree / "train/a.png", tree / "train/twin.png")
    (once,) = count_once([find_images("train", Selection())])
    assert below(once) == ["a.png", "b.JPG", "twin.png"]


@pytest.mark.usefixtures("tree")
def test_same_files_are_found_under_any_name() -> None:
    listings = [find_images("train", RECURSIVE)]
    absolute = os.path.abspath("train/deep/d.webp")
    assert same_files([absolute, "train/notes.txt", "./train/a.png"], listings) == {
        absolute: os.path.join("train", "deep", "d.webp"),
        "./train/a.png": os.path.join("train", "a.png"),
    }


@needs_posix
def test_same_files_are_found_behind_links(tree: Path) -> None:
    save(picture(1), tree / "target.png")
    (tree / "train/link.png").symlink_to(tree / "target.png")
    (tree / "alias.png").symlink_to("train/a.png")
    listings = [find_images("train", Selection())]
    assert same_files(["target.png", "alias.png"], listings) == {
        "target.png": "train/link.png",
        "alias.png": "train/a.png",
    }


@pytest.mark.usefixtures("tree")
def test_a_directory_that_cannot_be_listed_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    scandir = os.scandir

    def refuse(path: str) -> object:
        if path.endswith("deeper"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    listing = find_images("train", RECURSIVE)
    (failure,) = listing.failures
    assert failure.path == os.path.join("train", "deep", "deeper")
    assert failure.stage is Stage.READ
    assert failure.is_directory
    assert failure.message == "the directory cannot be listed: Permission denied"
    assert len(listing.paths) == 4
    with pytest.raises(InputError, match="deeper: the directory cannot be listed"):
        find_images("train/deep/deeper", RECURSIVE)
