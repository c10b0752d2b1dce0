from __future__ import annotations

import numpy as np
import pytest

from memscan.evaluation import calibration, scoring
from memscan.evaluation.calibration import Pool
from memscan.evaluation.edits import AS_IS
from memscan.evaluation.metrics import Trials
from tests.evaluation.test_metrics import trials


def unrelated(distances: list[int], right: list[int]) -> Trials:
    """One target, with right and with unrelated sources at these distances."""
    both = np.array(right + distances, np.float32)
    return Trials(both, np.arange(len(both)) < len(right), np.zeros(len(both), np.int64))


def test_a_pool_counts_what_lies_within() -> None:
    several = [trials(seed) for seed in range(3)]
    pool = Pool.of(several)
    for threshold in (-1, 0, 2, 2.5, 8, 99):
        near = [
            (
                one.right[one.distances <= threshold].sum(),
                (~one.right)[one.distances <= threshold].sum(),
            )
            for one in several
        ]
        assert pool.within(threshold) == tuple(np.sum(near, axis=0))
    assert pool.unrelated == 3 * 132
    assert Pool.of([]).unrelated == 0


def test_the_false_positive_threshold_is_the_largest_that_is_allowed() -> None:
    fitted_on = Pool.of([unrelated([4, 6, 6, 8, 9, 9, 9, 9, 9, 9], [0, 5])])
    reported = Pool.of([unrelated([2, 9, 9, 9], [0])])
    for level, threshold, calibrated, observed in (
        (0.05, 0.0, 0.0, 0.0),
        (0.1, 5.0, 0.1, 0.25),
        (0.29, 5.0, 0.1, 0.25),
        (0.3, 6.0, 0.3, 0.25),
        (1.0, 9.0, 1.0, 1.0),
    ):
        fit = calibration.fit_false_positives(fitted_on, reported, level)
        assert (fit.threshold, fit.calibrated, fit.observed) == (threshold, calibrated, observed)
        assert fit.resolution == 0.1


def test_no_threshold_is_found_where_the_smallest_distance_lets_too_much_pass() -> None:
    pool = Pool.of([unrelated([0, 0, 5], [0])])
    fit = calibration.fit_false_positives(pool, pool, 0.1)
    assert (fit.threshold, fit.calibrated, fit.observed) == (None, 0.0, 0.0)


def test_the_precision_threshold_is_the_largest_that_is_precise() -> None:
    pool = Pool.of([unrelated([3, 8, 8], [0, 1, 2, 2, 2, 2, 2, 2, 4, 5])])
    fit = calibration.fit_precision(pool, Pool.of([unrelated([1], [1])]))
    assert (fit.threshold, fit.calibrated, fit.observed) == (5.0, 10 / 11, 0.5)
    none = calibration.fit_precision(Pool.of([unrelated([0, 0], [1])]), pool)
    assert (none.threshold, none.calibrated, none.observed) == (None, None, None)


def test_a_threshold_that_is_not_attainable_finds_nothing() -> None:
    several = [unrelated([0, 0, 5], [0])]
    outcome = scoring.score(several, several, [AS_IS], 5, 0, True)
    assert [fixed.value for fixed in outcome.overall.true_positives if fixed] == [0, 0, 0]


class TestLeaks:
    """The thresholds are those of the calibration half, whatever the reported half is like."""

    FITTED_ON = (trials(1, targets=40), trials(2, targets=40))

    @pytest.mark.parametrize("shift", [0, 1, 3, 100])
    def test_thresholds_come_from_the_calibration_half_alone(self, shift: int) -> None:
        own = [trials(seed, targets=30) for seed in (7, 8)]
        moved = [Trials(one.distances + shift, one.right, one.targets) for one in own]
        outcome = scoring.score(self.FITTED_ON, moved, [AS_IS, AS_IS], 5, 0, True)
        fitted_on = Pool.of(self.FITTED_ON)
        alone = [
            calibration.fit_false_positives(fitted_on, fitted_on, level)
            for level in calibration.FALSE_POSITIVE_LEVELS
        ]
        assert [fit.threshold for fit in outcome.false_positive_fits] == [
            fit.threshold for fit in alone
        ]
        assert [fit.calibrated for fit in outcome.false_positive_fits] == [
            fit.calibrated for fit in alone
        ]
        precise = calibration.fit_precision(fitted_on, fitted_on)
        assert outcome.precision_fit.threshold == precise.threshold
        assert outcome.precision_fit.calibrated == precise.calibrated

    def test_numbers_come_from_the_reported_half_alone(self) -> None:
        reported = [trials(9, targets=30)]
        one, other = (
            scoring.score([fitted_on], reported, [AS_IS], 5, 0, True)
            for fitted_on in self.FITTED_ON
        )
        assert one.overall.average_precision == other.overall.average_precision
        assert one.overall.recall == other.overall.recall
        assert one.curve == other.curve

    def test_nothing_is_fitted_without_a_calibration_half(self) -> None:
        outcome = scoring.score([], [trials(9)], [AS_IS], 5, 0, True)
        assert outcome.false_positive_fits == ()
        assert outcome.overall.true_positives == ()
        assert outcome.precision_fit.threshold is None
        assert outcome.overall.at_precision is None
        assert outcome.overall.average_precision is not None


def test_the_curve_is_that_of_a_loop() -> None:
    several = [trials(3), trials(4)]
    outcome = scoring.score(several, several, [AS_IS, AS_IS], 5, 0, True)
    assert [point.distance for point in outcome.curve] == list(range(9))
    for point in outcome.curve:
        right = [d <= point.distance for one in several for d in one.distances[one.right]]
        others = [d <= point.distance for one in several for d in one.distances[~one.right]]
        hit = [
            bool((row[~own] <= point.distance).any())
            for one in several
            for row, own in zip(one.distances.reshape(12, 12), one.right.reshape(12, 12))
        ]
        assert point.recall == pytest.approx(np.mean(right))
        assert point.pairs == pytest.approx(np.mean(others))
        assert point.targets == pytest.approx(np.mean(hit))


def test_a_curve_of_fine_distances_is_short() -> None:
    one = trials(3)
    fine = Trials(one.distances / np.float32(7), one.right, one.targets)
    curve = scoring.score([], [fine], [AS_IS], 5, 0, True).curve
    assert len(curve) == 129
    assert (curve[-1].recall, curve[-1].pairs, curve[-1].targets) == (1, 1, 1)
