from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from PIL import Image

from memscan.errors import InputError
from memscan.likeness import Nearest
from memscan.similarity import drawing
from tests.detectors.pooled import Pooled
from tests.drawing import picture, save

NASTY = '<script>alert(1)</script>"\x1b[31m.png'


@pytest.fixture
def pairs(tmp_path: Path) -> list[Nearest]:
    target = save(picture(0), tmp_path / "target.png")
    source = save(picture(1), tmp_path / "source.png")
    return [Nearest(target, source, 0.5, 1), Nearest(target, str(tmp_path / NASTY), 0.25, 0)]


def test_pictures_are_numbered_and_listed(tmp_path: Path, pairs: list[Nearest]) -> None:
    folder = tmp_path / "new/heat"
    told: list[tuple[str, int, int]] = []
    drawn = drawing.draw(
        pairs, Pooled(), str(folder), "occlusion", progress=lambda *args: told.append(args)
    )
    assert sorted(os.listdir(folder)) == ["0001.png", "index.html", "index.json"]
    with Image.open(folder / "0001.png") as image:
        assert image.size == (664, 450)
    assert [one.picture for one in drawn] == ["0001.png", None]
    assert told == [("heat maps", 1, 2), ("heat maps", 2, 2)]
    first, second = json.loads((folder / "index.json").read_text())["pairs"]
    assert first == {
        "picture": "0001.png",
        "target": pairs[0].target,
        "source": pairs[0].source,
        "score": 0.5,
        "class": "similar",
        "failure": None,
    }
    assert second["picture"] is None
    assert "no such file" in second["failure"].lower()


def test_names_of_strangers_do_nothing_on_the_page(tmp_path: Path, pairs: list[Nearest]) -> None:
    drawing.draw(pairs, Pooled(), str(tmp_path / "heat"), "occlusion")
    page = (tmp_path / "heat/index.html").read_text()
    assert "<script" not in page
    assert "\x1b" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&quot;\\x1b[31m.png" in page


def test_what_classes_are_worth_is_said(tmp_path: Path, pairs: list[Nearest]) -> None:
    plain, told = str(tmp_path / "plain"), str(tmp_path / "told")
    drawing.draw(pairs, Pooled(), plain, "occlusion")
    drawing.draw(pairs, Pooled(), told, "occlusion", about_classes="No <verdict>.")
    page = (tmp_path / "told/index.html").read_text()
    assert "<p>No &lt;verdict&gt;.</p>\n" in page
    assert (
        page.replace("<p>No &lt;verdict&gt;.</p>\n", "")
        == (tmp_path / "plain/index.html").read_text()
    )
    assert json.loads((tmp_path / "told/index.json").read_text())["about_classes"] == (
        "No <verdict>."
    )


def test_the_same_pairs_give_the_same_bytes(tmp_path: Path, pairs: list[Nearest]) -> None:
    for name in "ab":
        drawing.draw(pairs, Pooled(), str(tmp_path / name), "occlusion")
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_a_target_without_a_source_is_passed_over(tmp_path: Path) -> None:
    assert (
        drawing.draw([Nearest("a", None, None, 0)], Pooled(), str(tmp_path / "heat"), "occlusion")
        == []
    )
    assert "<figure>" not in (tmp_path / "heat/index.html").read_text()


def test_heat_maps_do_not_mix_with_other_files(tmp_path: Path) -> None:
    (tmp_path / "some").mkdir()
    drawing.require_empty(str(tmp_path / "some"))
    drawing.require_empty(str(tmp_path / "none"))
    (tmp_path / "some/file").write_text("")
    with pytest.raises(InputError, match="not empty"):
        drawing.require_empty(str(tmp_path / "some"))
    with pytest.raises(InputError, match="not a directory"):
        drawing.require_empty(str(tmp_path / "some/file"))
