"""Metrics against the slow obvious version of each, and against scikit-learn."""

from __future__ import annotations

from typing import Sequence

import numpy as np
import pytest

from memscan.evaluation import metrics
from memscan.evaluation.metrics import Trials
from memscan.scorecard import Estimate, Scores


def trials(seed: int, targets: int = 12, values: int = 9, noise: float = 2.0) -> Trials:
    """Each target against as many sources; small whole distances, so ties are many."""
    random = np.random.default_rng(seed)
    distances = random.integers(1, values, (targets, targets)).astype(np.float32)
    near = np.rint(np.abs(random.normal(0, noise, targets)))
    distances[np.arange(targets), np.arange(targets)] = near
    right = np.eye(targets, dtype=np.bool_)
    order = np.repeat(np.arange(targets), targets)
    return Trials(distances.ravel(), right.ravel(), order)


def scores(
    several: Sequence[Trials], default: float = 2, retrieval: bool = True, seed: int = 0
) -> Scores:
    at = metrics.levels([one.distances[one.right] for one in several])
    counted = [metrics.count(one, default, [2.0, 1.0], at, retrieval) for one in several]
    total = counted[0]
    for one in counted[1:]:
        total = total + one
    drawn = metrics.weights(len(several[0].starts), seed)
    return metrics.scores(total, drawn, True, retrieval)


def value(estimate: Estimate | None) -> float:
    assert estimate is not None
    return estimate.value


def ranked(several: Sequence[Trials]) -> list[bool]:
    """All pairs, the closest first; of equal ones the unrelated first."""
    pairs = [
        (distance, right)
        for one in several
        for distance, right in zip(one.distances.tolist(), one.right.tolist())
    ]
    return [right for _, right in sorted(pairs)]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("edits", [1, 3])
def test_the_ranking_metrics_are_those_of_a_sorted_list(seed: int, edits: int) -> None:
    several = [trials(seed * 10 + number) for number in range(edits)]
    order = ranked(several)
    precisions = [
        sum(order[: place + 1]) / (place + 1) for place, right in enumerate(order) if right
    ]
    found = scores(several)
    assert value(found.average_precision) == pytest.approx(sum(precisions) / len(precisions))
    right = [d for one in several for d in one.distances[one.right]]
    others = [d for one in several for d in one.distances[~one.right]]
    closer = sum(one < other for one in right for other in others)
    assert value(found.auc) == pytest.approx(closer / len(right) / len(others))


@pytest.mark.parametrize("seed", range(4))
def test_they_are_scikit_learns_where_ties_are_broken_against_the_detector(seed: int) -> None:
    oracle = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    one = trials(seed)
    order = np.linspace(1e-3, 2e-3, len(one.right))  # right pairs one after the other
    closeness = -(one.distances.astype(np.float64) + order * one.right)
    found = scores([one])
    assert value(found.average_precision) == pytest.approx(
        oracle.average_precision_score(one.right, closeness)
    )
    assert value(found.auc) == pytest.approx(oracle.roc_auc_score(one.right, closeness))
    exact = Trials(np.random.default_rng(seed).random(144, np.float32), one.right, one.targets)
    assert value(scores([exact]).average_precision) == pytest.approx(
        oracle.average_precision_score(exact.right, -exact.distances)
    )


@pytest.mark.parametrize("seed", range(8))
def test_the_shares_are_those_of_a_loop(seed: int) -> None:
    several = [trials(seed * 10 + number, noise=3) for number in range(2)]
    first = found = within_2 = within_1 = 0
    for one in several:
        matrix = one.distances.reshape(12, 12)
        for row in range(12):
            own, others = matrix[row, row], np.delete(matrix[row], row)
            first += own < others.min()
            found += own < others.min() and own <= 2
            within_2 += own <= 2
            within_1 += own <= 1
    judged = scores(several)
    assert (judged.found, judged.wanted) == (found, 24)
    assert value(judged.recall) == pytest.approx(found / 24)
    assert value(judged.first) == pytest.approx(first / 24)
    (fixed,) = judged.true_positives
    assert value(fixed) == pytest.approx(within_2 / 24)
    assert value(judged.at_precision) == pytest.approx(within_1 / 24)


def test_a_detector_that_knows_nothing_gains_nothing_by_ties() -> None:
    one = trials(0)
    same = Trials(np.zeros_like(one.distances), one.right, one.targets)
    judged = scores([same])
    assert (judged.found, value(judged.first), value(judged.auc)) == (0, 0, 0)
    last = np.arange(1, 13) / (132 + np.arange(1, 13))
    assert value(judged.average_precision) == pytest.approx(last.mean())


def test_a_perfect_detector_is_perfect() -> None:
    one = trials(0)
    perfect = scores([Trials(np.where(one.right, 0, 9).astype(np.float32), one.right, one.targets)])
    for estimate in (perfect.recall, perfect.first, perfect.average_precision, perfect.auc):
        assert estimate == Estimate(1.0, 1.0, 1.0)


def test_labelled_pairs_count_each_for_itself() -> None:
    right = np.array([True, True, False, False])
    one = Trials(np.array([1, 3, 0, 5], np.float32), right, np.array([0, 0, 0, 1]))
    judged = scores([one], retrieval=False)
    assert (judged.found, judged.wanted, judged.first) == (1, 2, None)
    assert value(judged.recall) == 0.5


def test_targets_without_a_right_source_are_not_wanted() -> None:
    right = np.array([True, False, False, False])
    one = Trials(np.array([1, 3, 0, 5], np.float32), right, np.array([0, 0, 1, 1]))
    assert (scores([one]).found, scores([one]).wanted) == (1, 1)


def test_intervals_hold_their_value_repeat_and_depend_on_the_seed() -> None:
    one = trials(3, targets=60)
    first, again, other = (scores([one], seed=seed).average_precision for seed in (0, 0, 1))
    assert first == again != other
    assert first is not None
    assert first.low is not None
    assert first.high is not None
    assert first.low < first.value < first.high


def test_the_interval_of_a_share_is_about_the_binomial_one() -> None:
    one = trials(3, targets=200)
    recall = scores([one]).recall
    assert recall is not None
    assert recall.low is not None
    assert recall.high is not None
    width = 2 * 1.96 * (recall.value * (1 - recall.value) / 200) ** 0.5
    assert recall.high - recall.low == pytest.approx(width, rel=0.15)


def test_a_sample_draws_whole_images() -> None:
    """All that was made of an image is drawn together, so equal edits do not narrow an interval."""
    one = trials(5, targets=40)
    assert scores([one] * 5).recall == scores([one]).recall


def test_many_distances_are_rounded_against_the_detector(monkeypatch: pytest.MonkeyPatch) -> None:
    one = trials(1, targets=40)
    drawn = np.random.default_rng(0).random(1600, np.float32)
    fine = Trials(np.where(one.right, drawn / 2, drawn), one.right, one.targets)
    exact = value(scores([fine]).average_precision)
    monkeypatch.setattr(metrics, "MAX_LEVELS", 8)
    assert len(metrics.levels([fine.distances[fine.right]])) == 8
    coarse = value(scores([fine]).average_precision)
    assert exact - 0.2 < coarse <= exact
