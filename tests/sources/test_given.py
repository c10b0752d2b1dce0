from __future__ import annotations

import os
from pathlib import Path

import pytest

from memscan.errors import InputError
from memscan.records import Failure, Stage
from memscan.sources.directories import Entry, Listing, Selection
from memscan.sources.given import (
    Count,
    Named,
    as_paths,
    as_patterns,
    in_bytewise_order,
    list_images,
    require_files,
    require_found,
    require_images,
    require_readable,
    unlisted,
)
from tests.drawing import picture, save


def test_one_path_or_several() -> None:
    assert as_paths("a") == as_paths(Path("a")) == as_paths(["a"]) == ["a"]
    assert as_paths(iter([Path("a"), Path("b")])) == ["a", "b"]
    assert as_patterns("*.png") == as_patterns(["*.png"]) == ("*.png",)


def test_each_path_must_give_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save(picture(0), Path("a/b/0.png"))
    (listing,) = list_images(["a/b"], Selection(), "target")
    assert listing.paths == (os.path.join("a/b", "0.png"),)
    for paths, message in (
        ([], "no target was given"),
        (["a/b", ""], "an empty path was given as a target"),
        (["a/b", "a"], "a: no images here, but 1 in its subdirectories"),
        (["a/b", "c"], "c: there is no such file"),
    ):
        with pytest.raises(InputError, match=message):
            list_images(paths, Selection(), "target")


def test_the_files_of_all_listings_are_in_bytewise_order() -> None:
    listings = [Listing("z", ("z/1", "z/\udcff")), Listing("a", ("a/é", "a/z"))]
    assert in_bytewise_order(listings[:1]) == ["z/1", "z/\udcff"]
    assert in_bytewise_order(listings) == ["a/z", "a/é", "z/1", "z/\udcff"]


def test_a_path_with_one_readable_image_will_do() -> None:
    broken = Failure("a/1", Stage.DECODE, "broken")
    locked = Failure("a/locked", Stage.READ, "locked", is_directory=True)
    listing = Listing("a", ("a/1", "a/2"), (locked,))
    assert unlisted([listing, listing]) == (locked, locked)
    require_readable([listing], [broken])
    require_readable([Listing("empty by counting once", ())], [broken])
    with pytest.raises(InputError, match=r"^a: none of the 2 images here can be read \(first a/1"):
        require_readable([listing], [broken, Failure("a/2", Stage.READ, "gone")])
    with pytest.raises(InputError, match=r"^a/1: broken$"):
        require_readable([listing, Listing("a/1", ("a/1",))], [broken])


def test_containers_and_tables_count_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.tar").write_bytes(b"")
    Path("a.csv").write_bytes(b"")
    one, two, three = list_images(["a.tar", "./a.tar", "a.csv"], Selection(), "source")
    assert (one.containers, two.containers, two.is_empty) == (("a.tar",), (), True)
    assert three.tables == ("a.csv",)
    (joined,) = list_images([], Selection(), "source", [Named("list", ["a.csv", "./a.csv"])])
    assert joined.tables == ("./a.csv",) or joined.tables == ("a.csv",)


def test_what_a_listing_must_hold() -> None:
    counts = {"a.tar": Count(0, 0), "b.tar": Count(2, 0)}
    first, second = (
        Listing("a.tar", (), containers=("a.tar",)),
        Listing("b", (), containers=("b.tar",)),
    )
    require_found([second, Listing("empty by counting once", ())], counts)
    with pytest.raises(InputError, match=r"^a\.tar: no images in it$"):
        require_found([second, first], counts)
    require_files([Listing("a", ("a/1.png",))], "evaluate")
    for place in ({"containers": ("x",)}, {"tables": ("x",)}, {"remote": (Entry("x", 0, None),)}):
        with pytest.raises(InputError, match=r"^x: evaluate reads image files"):
            require_files([Listing("x", (), **place)], "evaluate")
    with pytest.raises(InputError, match=r"^x: a target needs images"):
        require_images([Listing("x", (), tables=("x",))], "a target")


def test_secrets_of_urls_are_not_told() -> None:
    url = "https://user:secret@host/a.png?sig=secret"
    failure = Failure(url, Stage.READ, "gone")
    listing = Listing(url, (), remote=(Entry(url, None, None),))
    with pytest.raises(InputError, match=r"^https://host/a.png: gone$"):
        require_readable([listing], [failure], {url: Count(1, 0, (failure,))})
