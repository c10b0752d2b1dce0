from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memscan.attribution import measures
from memscan.fingerprints import thresholds

FEW = st.lists(st.integers(-4, 4), min_size=2, max_size=12).map(
    lambda some: np.array(some, np.float64)
)


@given(FEW, FEW)
def test_the_area_counts_pairs(
    real: npt.NDArray[np.float64], fake: npt.NDArray[np.float64]
) -> None:
    pairs = [(f > r) + (f == r) / 2 for f in fake for r in real]
    found = measures.auc(real, fake)
    assert found.value == pytest.approx(np.mean(pairs))
    assert found.low is not None
    assert found.high is not None
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.low < found.high  # few images prove nothing, be they all told apart


@given(FEW, FEW)
def test_nearest_mean_leaves_each_image_out_of_its_own_class(
    real: npt.NDArray[np.float64], fake: npt.NDArray[np.float64]
) -> None:
    right = []
    for own, other in ((real, fake), (fake, real)):
        rest = [np.delete(own, row).mean() for row in range(len(own))]
        right.append([abs(x - mean) < abs(x - other.mean()) - 1e-9 for x, mean in zip(own, rest)])
        ties = [abs(abs(x - mean) - abs(x - other.mean())) for x, mean in zip(own, rest)]
        if min(ties) < 1e-6:  # rounding decides
            return
    found = measures.nearest_mean(real, fake)
    assert found.real.value == pytest.approx(np.mean(right[0]))
    assert found.fake.value == pytest.approx(np.mean(right[1]))
    assert found.mean.value == pytest.approx((np.mean(right[0]) + np.mean(right[1])) / 2)


def test_a_class_of_one_image_is_never_right() -> None:
    right = measures.crossed(
        np.array([0.0]), np.array([2.0, 3.0]), np.array([0.0]), np.array([2.0, 3.0])
    )
    assert [one.tolist() for one in right] == [[False], [True, True]]


def test_the_shipped_threshold_counts() -> None:
    found = measures.shipped(np.array([0.0, 0.1, 0.3]), np.array([0.2, 0.21]), 0.2)
    assert [found.real.value, found.fake.value] == pytest.approx([2 / 3, 0.5])
    assert (found.real.low, found.real.high) == pytest.approx((0.0943, 0.9916), abs=1e-4)


def test_the_interval_of_a_mean_lies_around_it_and_is_narrower_than_each() -> None:
    one, other = np.arange(10) < 9, np.arange(10) < 7
    found = measures.mean_share(one, other)
    assert found.value == pytest.approx(0.8)
    assert found.low is not None
    assert found.high is not None
    assert (found.low, found.high) == pytest.approx((0.553, 0.926), abs=1e-3)
    full = measures.mean_share(np.ones(10, np.bool_), np.ones(10, np.bool_))
    assert (full.high, full.value) == (1, 1)
    assert full.low == pytest.approx(1 - (1 - 0.6915) / 2**0.5, abs=1e-4)


def test_at_a_rate_each_real_image_is_judged_by_the_others() -> None:
    random = np.random.default_rng(3)
    pool, fake = random.normal(size=25), random.normal(3, 1, 12)
    own = np.array([4, -1, 7])
    real = np.array([pool[4], 2.5, pool[7]])
    found = measures.at_rate(real, fake, pool, own, 0.05)
    whole = thresholds.calibrate(pool[:, None], 0.05).thresholds[0]
    assert found.threshold == whole
    assert found.fake.value == np.mean(fake > whole)
    each = [
        thresholds.calibrate(np.delete(pool, row)[:, None], 0.05).thresholds[0] for row in (4, 7)
    ]
    expected = [pool[4] <= each[0], whole >= 2.5, pool[7] <= each[1]]
    assert found.real.value == np.mean(expected)
    with pytest.raises(ValueError, match="too few"):
        measures.at_rate(real, fake, pool[:19], own, 0.05)
