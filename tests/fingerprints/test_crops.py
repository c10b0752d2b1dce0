from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from memscan.errors import HashError
from memscan.fingerprints import crops
from tests.drawing import picture


@given(width=st.integers(16, 90), height=st.integers(16, 90))
def test_a_crop_lies_on_the_grid_and_near_the_middle(width: int, height: int) -> None:
    rows, columns = np.mgrid[:height, :width]
    image = Image.fromarray(np.stack([columns, rows, rows * 0], -1).astype(np.uint8))
    found = crops.middle_bytes(image, 16)
    assert found.shape == (16, 16, 3)
    left, upper = found[0, 0, 0], found[0, 0, 1]
    assert (left % 8, upper % 8) == (0, 0)
    assert 0 <= (width - 16) / 2 - left < 8
    assert 0 <= (height - 16) / 2 - upper < 8
    assert np.array_equal(found[..., 0] - left, np.tile(np.arange(16), (16, 1)))


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P", "I;16", "1"])
def test_every_mode_gives_three_channels_from_0_to_1(mode: str) -> None:
    image = picture(1, (40, 24)).convert("L" if mode == "I;16" else mode)
    if mode == "I;16":
        image = image.convert("I").point(lambda value: value * 256).convert("I;16")
    found = crops.middle(image, 24)
    assert found.shape == (24, 24, 3)
    assert found.dtype == np.float32
    assert 0 <= found.min() < 0.5 < found.max() <= 1


def test_too_small_an_image_is_told() -> None:
    with pytest.raises(HashError, match="40 x 24 pixels are less than the crop of 25 x 25"):
        crops.middle(picture(1, (40, 24)), 25)
