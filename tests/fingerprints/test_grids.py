from __future__ import annotations

import numpy as np
import pytest

from memscan.fingerprints import grids
from memscan.fingerprints.residuals import Pixels


def noise(seed: int, side: int = 64) -> Pixels:
    drawn: Pixels = np.random.default_rng(seed).normal(0, 1, (side, side, 3)).astype(np.float32)
    return drawn


def with_grid(period: int, strength: float, side: int = 64) -> Pixels:
    """Noise, and one brighter pixel in each square of ``period`` pixels a side."""
    made = noise(period, side)
    made[::period, ::period] += strength
    return made


def test_magnitudes_are_those_of_the_transform_without_the_mean() -> None:
    made = noise(1, 16) + np.float32(7)
    found = grids.magnitudes(made)
    wanted = np.mean([np.abs(np.fft.fft2(made[..., c].astype(float))) for c in range(3)], axis=0)
    wanted[0, 0] = 0
    np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_a_ratio_is_of_the_frequencies_of_one_period_alone() -> None:
    """The definition, place by place."""
    found = grids.magnitudes(noise(2, 32))
    for peak in grids.peaks(noise(2, 32)):
        step = 32 // peak.period
        places = {
            (down, across)
            for down in range(0, 32, step)
            for across in range(0, 32, step)
            if down % (2 * step) or across % (2 * step)
        }
        rises = []
        for down, across in places:
            window = [
                found[(down + y) % 32, (across + x) % 32]
                for y in range(-3, 4)
                for x in range(-3, 4)
            ]
            rises.append(found[down, across] / sorted(window)[24])
        assert peak.ratio == pytest.approx(np.mean(rises))


def test_noise_has_no_grid() -> None:
    ratios = np.array([[peak.ratio for peak in grids.peaks(noise(seed))] for seed in range(60)])
    assert ratios.shape == (60, 4)
    assert ratios.mean(axis=0) == pytest.approx(np.ones(4), abs=0.12)
    assert ratios.std(axis=0).max() < 0.25
    assert ratios.max() < 2


@pytest.mark.parametrize("period", grids.PERIODS)
def test_a_grid_is_seen_at_its_period_and_at_no_longer_one(period: int) -> None:
    for peak in grids.peaks(with_grid(period, 3 * period)):
        if peak.period <= period:
            assert peak.ratio > 5
        else:
            assert peak.ratio < 1.6


def test_a_picture_without_a_grid_has_none_however_uneven() -> None:
    """Slow changes are strong, but so is what is around them."""
    ramp = np.linspace(-1, 1, 64, dtype=np.float32)
    drawn = 20 * np.sin(3 * ramp)[:, None, None] * np.cos(2 * ramp)[None, :, None]
    for peak in grids.peaks(noise(3) + drawn.astype(np.float32)):
        assert peak.ratio < 2


def test_only_periods_that_divide_the_side_are_looked_at() -> None:
    assert [peak.period for peak in grids.peaks(noise(1, 24))] == [2, 4, 8]
    assert [peak.period for peak in grids.peaks(noise(1, 20))] == [2, 4]


def test_an_even_pattern_has_no_peak() -> None:
    assert {peak.ratio for peak in grids.peaks(np.ones((16, 16, 3), np.float32))} == {0.0}


@pytest.mark.parametrize("period", grids.PERIODS)
def test_a_grid_with_nothing_around_it_has_a_finite_ratio(period: int) -> None:
    """And the periods that it does not have are none, whatever rounding leaves there."""
    made = np.zeros((64, 64, 3), np.float32)
    made[::period, ::period] = 0.3
    for peak in grids.peaks(made - made.mean()):
        if peak.period <= period:
            assert peak.ratio == pytest.approx(1e6)
        else:
            assert peak.ratio < 1e-3
