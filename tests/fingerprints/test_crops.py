from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from memscan.fingerprints import crops


@given(width=st.integers(1, 90), height=st.integers(1, 90))
def test_a_crop_lies_on_the_grid_and_near_the_middle(width: int, height: int) -> None:
    rows, columns = np.mgrid[:height, :width]
    found = crops.middle(np.stack([columns, rows, rows * 0], -1).astype(np.uint8), 16)
    across, down = min(width, 16), min(height, 16)
    assert found.shape == (down, across, 3)
    left, upper = found[0, 0, 0], found[0, 0, 1]
    assert (left % 8, upper % 8) == (0, 0)
    assert 0 <= (width - across) / 2 - left < 8
    assert 0 <= (height - down) / 2 - upper < 8
    assert np.array_equal(found[..., 0] - left, np.tile(np.arange(across), (down, 1)))


def test_values_are_scaled_to_1() -> None:
    found = crops.scaled(np.array([[[0, 51, 255]]], np.uint8))
    assert found.dtype == np.float32
    assert found.tolist() == [[[0.0, np.float32(0.2), 1.0]]]
