from __future__ import annotations

from pathlib import Path

import pytest

from tests.detectors.diffusion.models import needs_transformers

needs_transformers()

from memscan.detectors.diffusion import captions  # noqa: E402
from memscan.detectors.diffusion.captions import Captioned  # noqa: E402
from memscan.errors import InputError  # noqa: E402


def write(path: Path, *lines: str) -> str:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def test_a_list_says_what_images_show_and_how_often_they_come(tmp_path: Path) -> None:
    file = write(tmp_path / "list.csv", "path,caption,copies", 'a.png,"a cat, grey",3', "b.png,,1")
    assert captions.read_list(file) == [
        Captioned(str(tmp_path / "a.png"), "a cat, grey", 3),
        Captioned(str(tmp_path / "b.png"), "", 1),
    ]
    assert captions.read_list(file, "/base")[0].path == "/base/a.png"
    classes = write(tmp_path / "classes.csv", "path,class", "a.png, cat ")
    assert captions.read_list(classes) == [Captioned(str(tmp_path / "a.png"), "cat")]


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (("name", "a.png"), "must name the columns path"),
        (("path,caption,class", "a,b,c"), "both a column caption and a column class"),
        (("path,copies", "a.png,0"), "line 2: copies must be a whole number from 1"),
        (("path,copies", "a.png,1.5"), "line 2: copies must be a whole number"),
        (("path,copies", "a.png,9999999"), "line 2: copies must be a whole number"),
        (("path", "a.png", "./a.png"), "line 3: ./a.png was listed before; the column copies"),
        (("path,copies", " ,1"), "line 2: the path is empty"),
    ],
)
def test_a_list_without_meaning_is_one_sentence(
    tmp_path: Path, lines: tuple[str, ...], sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        captions.read_list(write(tmp_path / "list.csv", *lines))


def test_captions_come_from_names_and_files(tmp_path: Path) -> None:
    (tmp_path / "cats").mkdir()
    path = str(tmp_path / "cats/grey-cat_2.png")
    write(tmp_path / "cats/grey-cat_2.txt", "a grey", " cat")
    found = {source: captions.captioned([path], source)[0] for source in captions.SOURCES}
    assert {source: one.caption for source, one in found.items()} == {
        "none": "",
        "folder": "cats",
        "name": "grey cat 2",
        "text": "a grey cat",
    }
    with pytest.raises(InputError, match=r"other\.txt: cannot be read"):
        captions.captioned([str(tmp_path / "other.png")], "text")


def test_copies_are_drawn_or_said(tmp_path: Path) -> None:
    images = [Captioned(str(tmp_path / f"{row}.png")) for row in range(200)]
    drawn = [one.copies for one in captions.with_copies(images, "1-14", 0)]
    assert set(drawn) == set(range(1, 15))
    assert drawn == [one.copies for one in captions.with_copies(images, "1-14", 0)]
    assert drawn != [one.copies for one in captions.with_copies(images, "1-14", 1)]
    file = write(tmp_path / "copies.csv", "path,copies", "3.png,7")
    counts = [one.copies for one in captions.with_copies(images, file, 0)]
    assert counts == [7 if row == 3 else 1 for row in range(200)]


def test_copies_without_meaning_are_one_sentence(tmp_path: Path) -> None:
    images = [Captioned(str(tmp_path / "a.png"))]
    for said in ("0-3", "5-2"):
        with pytest.raises(InputError, match="copies must be from 1 up"):
            captions.with_copies(images, said, 0)
    file = write(tmp_path / "copies.csv", "path,copies", "b.png,7")
    with pytest.raises(InputError, match=r"line 2: b\.png is none of the images"):
        captions.with_copies(images, file, 0)
    with pytest.raises(InputError, match="cannot be read"):
        captions.with_copies(images, "12", 0)
