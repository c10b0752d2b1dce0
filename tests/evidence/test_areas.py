from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memscan.evidence import areas

some_scores = st.lists(st.integers(-4, 4), min_size=1, max_size=12)


@given(some_scores, some_scores)
def test_it_is_the_share_of_pairs_in_order(positives: list[int], negatives: list[int]) -> None:
    points = [(one > other) + (one == other) / 2 for one in positives for other in negatives]
    found = areas.area(np.array(positives, float), np.array(negatives, float))
    assert found.value == pytest.approx(sum(points) / len(points))
    assert (found.positives, found.negatives) == (len(positives), len(negatives))
    assert 0 <= found.low <= found.value <= found.high <= 1


def test_the_areas_at_the_ends_are_z_of_their_own_standard_errors_away() -> None:
    value, m, n = 0.8, 7, 23
    for confidence in (0.5, 0.95, 0.999):
        z = NormalDist().inv_cdf(0.5 + confidence / 2)
        for end in areas.interval(value, m, n, confidence):
            first, second = end / (2 - end), 2 * end**2 / (1 + end)
            rest = (m + n) / 2 - 1
            variance = end * (1 - end) + rest * (first - end**2) + rest * (second - end**2)
            assert abs(value - end) == pytest.approx(z * math.sqrt(variance / (m * n)), rel=1e-9)


def test_ten_apart_from_ten_are_no_certainty() -> None:
    found = areas.area(np.arange(10.0) + 10, np.arange(10.0))
    assert (found.value, found.high) == (1, 1)
    assert found.low == pytest.approx(0.800, abs=5e-4)
    turned = areas.area(np.arange(10.0), np.arange(10.0) + 10)
    assert (turned.value, turned.low) == (0, 0)
    assert turned.high == pytest.approx(1 - found.low)


def test_more_images_and_less_confidence_make_it_narrower() -> None:
    lows = [areas.interval(0.9, count, count)[0] for count in (1, 2, 10, 100, 10_000)]
    assert lows == sorted(lows)
    assert lows[0] < 0.5 < lows[2]
    assert lows[-1] == pytest.approx(0.9, abs=0.01)
    lows = [areas.interval(0.9, 10, 10, confidence)[0] for confidence in (0.999, 0.95, 0.5)]
    assert lows == sorted(lows)


@pytest.mark.parametrize(("apart", "count"), [(0.0, 10), (1.2, 10), (2.5, 10), (1.2, 40)])
def test_it_holds_the_true_area_as_often_as_it_says(apart: float, count: int) -> None:
    generator = np.random.default_rng(3)
    truth = NormalDist().cdf(apart / math.sqrt(2))
    found = [
        areas.area(generator.normal(apart, 1, count), generator.normal(0, 1, 2 * count))
        for _ in range(400)
    ]
    covered = np.mean([one.low <= truth <= one.high for one in found])
    assert 0.92 <= covered <= 1


@pytest.mark.parametrize(("positives", "negatives"), [(0, 1), (1, 0)])
def test_scores_of_one_kind_have_no_area(positives: int, negatives: int) -> None:
    with pytest.raises(ValueError, match="both kinds"):
        areas.area(np.zeros(positives), np.zeros(negatives))
