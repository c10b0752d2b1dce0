from __future__ import annotations

import numpy as np
import pytest

from memscan.fingerprints import correlation
from memscan.fingerprints.correlation import PERIOD
from tests.fingerprints import making


def noise(seed: int, height: int, width: int) -> correlation.Arrays:
    return np.random.default_rng(seed).normal(size=(height, width, 3)).astype(np.float32)


@pytest.mark.parametrize(("height", "width"), [(64, 64), (37, 41), (16, 9), (8, 8)])
def test_all_phases_are_those_of_patterns_rolled_one_by_one(height: int, width: int) -> None:
    residual, pattern = noise(1, height, width), noise(2, height, width)
    image, wanted = correlation.standardised(residual), correlation.standardised(pattern)
    found = making.correlations(residual, pattern)
    assert found.shape == (PERIOD, PERIOD)
    for y in range(PERIOD):
        for x in range(PERIOD):
            rolled = np.roll(wanted, (y, x), (0, 1))
            assert found[y, x] == pytest.approx(np.mean(image * rolled, dtype=np.float64), abs=1e-6)


def test_the_plain_phase_is_pearsons_correlation() -> None:
    residual, pattern = noise(3, 32, 32), noise(4, 32, 32)
    expected = np.corrcoef((residual + pattern).ravel(), pattern.ravel())[0, 1]
    found = making.correlations(residual + pattern, pattern)
    assert found[0, 0] == pytest.approx(expected, abs=1e-6)


def test_an_image_that_was_moved_is_found_at_its_phase() -> None:
    pattern = noise(5, 24, 24)
    found = making.correlations(np.roll(pattern, (3, 6), (0, 1)), pattern)
    assert divmod(int(found.argmax()), PERIOD) == (3, 6)
    assert found.max() == pytest.approx(1)
    assert found[0, 0] < 0.2


def test_nothing_correlates_with_a_plain_area() -> None:
    assert not making.correlations(np.full((16, 16, 3), 0.5, np.float32), noise(6, 16, 16)).any()
