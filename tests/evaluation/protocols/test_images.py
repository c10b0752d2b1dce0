from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from memscan.errors import InputError
from memscan.evaluation.protocols.images import Images
from memscan.evaluation.request import Request
from tests.drawing import picture, save

REQUEST = Request()


def gather(images: Images, seed: int = 0) -> tuple[list[str], list[list[int]]]:
    request = Request(seed=seed)
    found = images.gather(request, request.chosen())
    names = [Path(path).name for path in found.described.paths]
    return names, [rows.tolist() for rows in found.halves]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for seed in range(6):
        save(picture(seed), tmp_path / f"{seed}.png")
    return tmp_path


def listed(folder: Path, *lines: str) -> Images:
    (folder / "list.csv").write_text("\n".join(lines))
    return Images.listed(folder / "list.csv")


def test_each_file_of_a_folder_is_an_identity(folder: Path) -> None:
    images = Images.found(folder)
    names, halves = gather(images)
    assert names == [f"{n}.png" for n in range(6)]
    assert sorted(halves[0] + halves[1]) == list(range(6))
    assert [len(half) for half in halves] == [3, 3]
    assert not images.are_several
    assert gather(images, seed=3)[1] != halves
    assert Images.found(folder, limit=4).ignored == 2


def test_a_list_says_halves_and_identities(folder: Path) -> None:
    splits = ("val", "test", "train", "test", "val", "test")
    lines = [f"{n}.png,{n // 2 if n > 3 else n},{split}" for n, split in enumerate(splits)]
    lines[4] = "4.png,4,val"
    images = listed(folder, "path,id,split", *lines)
    names, halves = gather(images)
    assert names == ["0.png", "1.png", "3.png", "4.png", "5.png"]
    assert halves == [[0, 3], [1, 2, 4]]
    assert (images.ignored, images.sources[0].found) == (1, 6)


def test_without_splits_whole_identities_are_drawn(folder: Path) -> None:
    for seed in (6, 7):
        save(picture(seed), folder / f"{seed}.png")
    images = listed(folder, "path,id", *(f"{n}.png,{'abcd'[n // 2]}" for n in range(8)))
    assert images.are_several
    _, halves = gather(images)
    for half in halves:
        assert half == [row for row in range(8) if row // 2 in {r // 2 for r in half}]


def test_images_of_one_identity_are_drawn_together(folder: Path) -> None:
    images = listed(folder, "path,id", *(f"{n}.png,{'bbaccd'[n]}" for n in range(6)))
    gathered = images.gather(REQUEST, REQUEST.chosen())
    assert gathered.groups(np.array([0, 1, 2, 0, 5])).tolist() == [1, 1, 0, 1, 2]


def test_no_identity_is_in_both_halves(folder: Path) -> None:
    lines = ["0.png,a,val", "1.png,a,test", "2.png,b,test", "3.png,c,val"]
    with pytest.raises(InputError, match=r"list\.csv: the identity a is in both halves"):
        listed(folder, "path,id,split", *lines)


def test_what_cannot_be_read_is_left_out_of_its_half(folder: Path) -> None:
    (folder / "0.png").write_bytes(b"broken")
    lines = [f"{n}.png,{n},{'val' if n < 3 else 'test'}" for n in range(6)]
    images = listed(folder, "path,id,split", *lines)
    names, halves = gather(images)
    assert names[0] == "1.png"
    assert halves == [[0, 1], [2, 3, 4]]
    (folder / "1.png").write_bytes(b"broken")
    with pytest.raises(InputError, match="the calibration half needs two images"):
        gather(images)


def test_two_images_of_one_identity_are_not_enough(folder: Path) -> None:
    images = listed(folder, "path,id,split", "0.png,a,val", "1.png,a,val", "2.png,b,test")
    with pytest.raises(InputError, match="that can be read, of two identities"):
        images.gather(REQUEST, REQUEST.chosen())


def test_a_folder_of_one_image_is_refused(tmp_path: Path) -> None:
    save(picture(1), tmp_path / "1.png")
    with pytest.raises(InputError, match="the calibration half needs two images"):
        gather(Images.found(tmp_path))
    np.testing.assert_array_equal(Images.found(tmp_path).identities, [0])
