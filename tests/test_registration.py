from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageEnhance, ImageOps

from memscan.registration import SIDE, similarity
from tests.drawing import picture


def grey(image: Image.Image) -> npt.NDArray[np.float64]:
    small = image.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
    return np.asarray(small, np.float64)


IMAGE = picture(1, (400, 300))


def test_an_image_is_like_itself() -> None:
    assert similarity(grey(IMAGE), grey(IMAGE)) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(
    "edited",
    [
        IMAGE.rotate(3),
        IMAGE.crop((16, 12, 400, 300)),
        ImageOps.expand(IMAGE, 8),
        ImageEnhance.Contrast(IMAGE).enhance(0.4),
        ImageEnhance.Brightness(IMAGE).enhance(1.5),
    ],
)
def test_what_an_affine_map_and_a_gain_explain_is_a_copy(edited: Image.Image) -> None:
    assert similarity(grey(edited), grey(IMAGE)) > 0.9
    assert similarity(grey(IMAGE), grey(edited)) > 0.9


@pytest.mark.parametrize("seed", range(2, 12))
def test_other_images_are_unlike(seed: int) -> None:
    assert similarity(grey(picture(seed, (400, 300))), grey(IMAGE)) < 0.5


def test_a_mirrored_image_is_another_one_until_it_is_mirrored_back() -> None:
    mirrored = ImageOps.mirror(IMAGE)
    assert similarity(grey(mirrored), grey(IMAGE)) < 0.5
    assert similarity(grey(ImageOps.mirror(mirrored)), grey(IMAGE)) > 0.99


def test_a_negative_is_no_copy() -> None:
    assert similarity(grey(ImageOps.invert(IMAGE)), grey(IMAGE)) < 0.45


@pytest.mark.parametrize("level", [0.0, 128.0, 255.0])
def test_of_flat_images_nothing_is_said(level: float) -> None:
    flat = np.full((SIDE, SIDE), level)
    assert similarity(flat, flat) == 0
    assert abs(similarity(flat, grey(IMAGE))) < 0.5
    assert similarity(grey(IMAGE), flat) == 0
