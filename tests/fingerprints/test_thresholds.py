from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memscan.fingerprints import thresholds
from memscan.fingerprints.scoring import Scores
from memscan.fingerprints.thresholds import Calibration


def margins(found: Calibration, scores: Scores) -> Scores:
    """Deviations above the median of real images."""
    return (scores - found.centres) / found.deviations


@pytest.mark.parametrize(
    ("rate", "images"), [(0.5, 3), (0.1, 9), (0.05, 19), (0.03, 33), (0.01, 99), (0.001, 999)]
)
def test_how_many_real_images_a_rate_needs(rate: float, images: int) -> None:
    assert thresholds.needed(rate) == images
    scores = np.random.default_rng(0).normal(size=(images, 2))
    assert (
        thresholds.calibrate(scores, rate).margin == thresholds.calibrate(scores, rate).margins[-1]
        or rate == 0.5
    )
    with pytest.raises(ValueError, match="too few"):
        thresholds.calibrate(scores[1:], rate)


@pytest.mark.parametrize("count", [8, 12, 13, 14, 15])
def test_each_real_image_is_standardised_by_the_others(count: int) -> None:
    scores = np.random.default_rng(count).normal(size=(count, 3))
    scores[3] = scores[7]  # ties
    expected = []
    for row in range(count):
        low, middle, high = np.quantile(np.delete(scores, row, axis=0), (0.25, 0.5, 0.75), axis=0)
        expected.append(((scores[row] - middle) / ((high - low) / 1.349)).max())
    assert thresholds.calibrate(scores, 0.3).margins == pytest.approx(sorted(expected))


def test_one_odd_image_among_the_real_ones_does_no_harm_to_the_others() -> None:
    """A copy among them, say: with means and deviations, no score at all would be above."""
    scores = np.random.default_rng(5).normal(0, 0.01, (24, 1))
    scores[7] = 0.5
    assert thresholds.calibrate(scores, 0.05).thresholds[0] == pytest.approx(0.5, rel=0.2)
    assert thresholds.calibrate(scores, 0.1).thresholds[0] < 0.04


@pytest.mark.parametrize("generators", [1, 3, 8])
@pytest.mark.parametrize("kind", ["normal", "heavy"])
def test_the_rate_is_that_of_the_whole_decision(generators: int, kind: str) -> None:
    """However many fingerprints, at most this share of real images is accused by any of them."""
    random = np.random.default_rng(generators)
    scales = random.uniform(0.1, 9, generators)
    accused = []
    for _ in range(400):
        shape = (60, generators)
        drawn = random.normal(size=shape) if kind == "normal" else random.standard_t(3, size=shape)
        found = thresholds.calibrate(scales * drawn[:39], 0.1)
        accused.append((margins(found, scales * drawn[39:]).max(axis=1) > found.margin).mean())
    assert 0.07 < np.mean(accused) < 0.11


def test_thresholds_are_margins_in_scores() -> None:
    scores = np.random.default_rng(2).normal(size=(50, 4)) * [1, 2, 3, 4] + [0, 5, 0, -5]
    found = thresholds.calibrate(scores, 0.1)
    above = scores > found.thresholds
    assert np.array_equal(above, margins(found, scores) > found.margin)


@given(st.integers(3, 60), st.integers(1, 4), st.integers(0, 99), st.sampled_from([0.3, 0.1, 0.05]))
def test_an_accused_image_has_a_p_value_up_to_the_rate(
    count: int, generators: int, seed: int, rate: float
) -> None:
    random = np.random.default_rng(seed)
    scores = random.normal(size=(max(count, thresholds.needed(rate)), generators))
    found = thresholds.calibrate(scores, rate)
    greatest = margins(found, random.normal(size=(50, generators))).max(axis=1)
    p_values = found.p_values(greatest)
    counted = [(1 + (found.margins >= one).sum()) / (len(scores) + 1) for one in greatest]
    assert p_values == pytest.approx(counted)
    assert np.array_equal(greatest > found.margin, p_values <= rate + 1e-12)


@pytest.mark.parametrize("same", [22, 23, 40])
def test_real_images_of_which_half_are_alike_calibrate_nothing(same: int) -> None:
    """22 of 40 leave the quartiles apart, but not once one of the others is left out."""
    scores = np.random.default_rng(0).normal(size=(40, 1))
    scores[:same] = 0
    with pytest.raises(ValueError, match="too few real images differ"):
        thresholds.calibrate(scores, 0.05)
    scores[:20] = np.linspace(-1, 1, 20)[:, None]
    assert np.isfinite(thresholds.calibrate(scores, 0.05).margin)
