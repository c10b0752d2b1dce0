from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from memscan.fingerprints import pictures


def levels(image: Image.Image) -> npt.NDArray[np.uint8]:
    return np.asarray(image)


def test_small_patterns_are_enlarged_pixel_by_pixel() -> None:
    pattern = np.random.default_rng(1).normal(0, 1, (100, 100, 3)).astype(np.float32)
    drawn = pictures.of_pattern(pattern)
    assert (drawn.size, drawn.mode) == ((600, 600), "RGB")
    shown = levels(drawn)
    assert (shown[:6, :6] == shown[0, 0]).all()
    assert (shown[::6, ::6] != shown[3::6, 3::6]).sum() == 0
    assert pictures.of_pattern(np.zeros((700, 700, 3), np.float32)).size == (700, 700)


def test_a_pattern_is_stretched_around_the_mean_of_each_channel() -> None:
    pattern = np.random.default_rng(2).normal(0, 1e-4, (512, 512, 3)).astype(np.float32)
    pattern += np.array([0.3, -0.2, 0], np.float32)
    shown = levels(pictures.of_pattern(pattern)).astype(float)
    for channel in range(3):
        assert abs(shown[..., channel].mean() - 127.5) < 1
        assert abs(shown[..., channel].std() - 255 / 6) < 1  # three deviations to either end
    assert (levels(pictures.of_pattern(np.ones((512, 512, 3), np.float32))) == 128).all()


def test_a_spectrum_has_its_peaks_where_the_grid_is() -> None:
    pattern = np.random.default_rng(3).normal(0, 1, (512, 512, 3)).astype(np.float32)
    pattern[::4, ::4] += 30
    drawn = pictures.of_spectrum(pattern)
    assert (drawn.size, drawn.mode) == ((512, 512), "L")
    shown = levels(drawn)
    grid = shown[::128, ::128].copy()
    grid[2, 2] = 255  # the mean, which is taken away
    assert grid.min() > np.quantile(shown, 0.9999) + 20
    assert shown[256, 256] == 0


def test_a_pattern_without_a_spectrum_is_drawn_too() -> None:
    for value in (0, 1):
        shown = levels(pictures.of_spectrum(np.full((16, 16, 3), value, np.float32)))
        assert (shown == 0).all()


def test_pixels_are_drawn_as_they_are() -> None:
    pixels = np.stack([np.full((512, 512), value, np.float32) for value in (-1, 0.5, 3)], axis=2)
    assert levels(pictures.as_is(pixels))[0, 0].tolist() == [0, 191, 255]
