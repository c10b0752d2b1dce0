from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from memscan.detectors.dif import examples
from memscan.detectors.dif.recipe import Recipe
from memscan.errors import InputError
from memscan.fingerprints.residuals import laplacian
from memscan.records import Stage
from tests.drawing import picture, save

RECIPE = Recipe(crop=32, depth=2)


def images(folder: Path, count: int, suffix: str = ".png") -> list[str]:
    return [save(picture(n, (48, 40)), folder / f"{n:02d}{suffix}") for n in range(count)]


def test_a_share_of_the_images_is_held_out(tmp_path: Path) -> None:
    paths = images(tmp_path, 20)
    found = examples.read(paths, "real", RECIPE)
    assert (len(found.learned), len(found.held_out)) == (16, 4)
    together = [one.tobytes() for one in (*found.held_out, *found.learned)]
    every = [np.asarray(Image.open(path))[:32, 8:40].tobytes() for path in paths]
    assert sorted(together) == sorted(every)
    assert together != every  # drawn, not the first
    again = examples.read(paths, "real", RECIPE, jobs=1)
    assert again.learned.tobytes() == found.learned.tobytes()


def test_no_more_are_drawn_than_asked_for(tmp_path: Path) -> None:
    found = examples.read(images(tmp_path, 9), "real", Recipe(crop=32, depth=2, images=5))
    assert (len(found.learned), len(found.held_out)) == (4, 1)


def test_every_format_is_read_and_counted(tmp_path: Path) -> None:
    """The published code looks at the first suffix that it finds any of."""
    paths = [*images(tmp_path, 3), *images(tmp_path, 2, ".jpg"), *images(tmp_path, 2, ".jpeg")]
    paths += images(tmp_path, 2, ".webp")
    found = examples.read(paths, "real", RECIPE)
    assert found.formats == {"JPEG": 4, "PNG": 3, "WEBP": 2}
    assert len(found.learned) + len(found.held_out) == 9


def test_what_cannot_be_used_is_a_failure(tmp_path: Path) -> None:
    paths = images(tmp_path, 4)
    (tmp_path / "broken.png").write_bytes(b"broken")
    paths += [str(tmp_path / "broken.png"), save(picture(1, (31, 99)), tmp_path / "small.png")]
    found = examples.read(paths, "real", RECIPE)
    failures = {os.path.basename(one.path): (one.stage, one.message) for one in found.failures}
    assert failures == {
        "broken.png": (Stage.DECODE, "not an image in a format that memscan opens"),
        "small.png": (Stage.HASH, "31 x 99 pixels are less than the crop of 32 x 32"),
    }


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "I;16", "1"])
def test_images_of_every_mode_give_colours(tmp_path: Path, mode: str) -> None:
    grey = mode == "I;16"
    for n in range(4):
        image = picture(n, (48, 40)).convert("L" if grey else mode)
        if grey:
            image = image.convert("I").point(lambda value: value * 257).convert("I;16")
        save(image, tmp_path / f"{n}.png")
    paths = sorted(map(str, tmp_path.iterdir()))
    found = examples.read(paths, "real", RECIPE)
    wanted = [
        np.asarray(picture(n, (48, 40)).convert("L" if grey else mode).convert("RGB"))[:32, 8:40]
        for n in range(4)
    ]
    together = [one.tobytes() for one in (*found.held_out, *found.learned)]
    assert sorted(together) == sorted(one.tobytes() for one in wanted)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_too_few_are_told(tmp_path: Path, count: int) -> None:
    paths = [*images(tmp_path, count), save(picture(1, (9, 9)), tmp_path / "small.png")]
    told = (
        rf"of the generated images {count} can be used, and at least 4 .* \(first .*small\.png: 9"
    )
    with pytest.raises(InputError, match=told):
        examples.read(paths, "generated", RECIPE)


def test_residuals_are_standardised_rows(tmp_path: Path) -> None:
    crops = examples.read(images(tmp_path, 4), "real", RECIPE).learned
    rows = examples.residuals(crops, laplacian)
    for row, crop in zip(rows, crops):
        wanted = laplacian(crop.astype(np.float32) / 255)
        assert np.allclose(row, ((wanted - wanted.mean()) / wanted.std()).ravel(), atol=1e-4)


@pytest.mark.parametrize(
    ("real", "fake", "told"),
    [
        ({"PNG": 5}, {"PNG": 9}, None),
        ({"JPEG": 5}, {"PNG": 9}, "real images are JPEG (5) and the generated ones PNG (9)"),
        ({"JPEG": 5, "PNG": 1}, {"PNG": 9}, "real images are JPEG (5), PNG (1) and"),
        ({"JPEG": 5}, {"JPEG": 9}, "JPEG takes away"),
    ],
)
def test_formats_that_could_be_learned_are_told(
    real: dict[str, int], fake: dict[str, int], told: str | None
) -> None:
    found = examples.format_warnings(real, fake)
    assert [told in one for one in found if told] == ([] if told is None else [True])
    assert len(found) == (told is not None)
