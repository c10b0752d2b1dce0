from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from memscan.evaluation.protocols import statistics
from memscan.evaluation.protocols.statistics import Pairs

GROUPS = 12


def drawn(seed: int, coarse: bool = True) -> Pairs:
    random = np.random.default_rng(seed)
    right = np.arange(80) % 2 == 0
    distances = random.normal(np.where(right, 4, 6), 2)
    distances = np.rint(distances) if coarse else distances
    return Pairs(distances.astype(np.float32), right, random.integers(0, GROUPS, 80))


def weights(count: int = 5) -> statistics.Floats:
    random = np.random.default_rng(9)
    samples = random.multinomial(GROUPS, np.full(GROUPS, 1 / GROUPS), count)
    return np.concatenate([np.ones((1, GROUPS)), samples])


def repeated(pairs: Pairs, times: statistics.Floats) -> Pairs:
    """Each pair written down as often as it counts."""
    rows = np.repeat(np.arange(len(pairs.right)), times[pairs.groups].astype(int))
    return Pairs(pairs.distances[rows], pairs.right[rows], pairs.groups[rows])


@pytest.mark.parametrize("coarse", [True, False])
def test_auc_is_that_of_scikit_learn_on_the_pairs_that_were_drawn(coarse: bool) -> None:
    metrics: Any = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    pairs, times = drawn(1, coarse), weights(70)
    wanted = [
        metrics.roc_auc_score(one.right, -one.distances)
        for one in (repeated(pairs, row) for row in times)
    ]
    assert statistics.auc(pairs, times) == pytest.approx(wanted)


def test_rates_are_counts_of_the_pairs_that_were_drawn() -> None:
    pairs, times = drawn(2), weights()
    found = statistics.rates(pairs, 5.0, times)
    for place, row in enumerate(times):
        one = repeated(pairs, row)
        within = one.distances <= 5
        hits, misses = (within & one.right).sum(), (~within & one.right).sum()
        false_hits = (within & ~one.right).sum()
        assert found.recall[place] == pytest.approx(hits / (hits + misses))
        assert found.precision[place] == pytest.approx(hits / (hits + false_hits))
        assert found.false_positives[place] == pytest.approx(false_hits / (~one.right).sum())
        assert found.f1[place] == pytest.approx(2 * hits / (2 * hits + false_hits + misses))


def test_nothing_is_within_no_threshold() -> None:
    found = statistics.rates(drawn(2), None, weights())
    assert (found.recall == 0).all()
    assert np.isnan(found.precision).all()


@pytest.mark.parametrize("seed", range(6))
def test_no_threshold_has_a_greater_f1(seed: int) -> None:
    pairs = drawn(seed)
    threshold = statistics.fit_best_f1(pairs)
    once = np.ones((1, GROUPS))
    assert threshold is not None
    best = max(
        statistics.rates(pairs, float(value), once).f1[0] for value in np.unique(pairs.distances)
    )
    assert statistics.rates(pairs, threshold, once).f1[0] == pytest.approx(best)


@pytest.mark.parametrize("level", [0.5, 0.9, 0.99, 1.0])
def test_the_least_distance_with_a_recall(level: float) -> None:
    pairs = drawn(3)
    threshold = statistics.fit_recall(pairs, level)
    own = np.sort(pairs.distances[pairs.right])
    assert threshold is not None
    assert (own <= threshold).mean() >= level
    assert (own < threshold).mean() < level


def test_without_a_right_pair_nothing_is_fitted() -> None:
    none = drawn(1).of(~drawn(1).right)
    empty = none.of(none.right)
    for pairs in (none, empty):
        assert statistics.fit_best_f1(pairs) is None
        assert statistics.fit_recall(pairs, 0.99) is None
    assert np.isnan(statistics.auc(none, weights())).all()


def test_spearman_is_that_of_scipy_on_the_pairs_that_were_drawn() -> None:
    stats: Any = pytest.importorskip("scipy.stats", reason="scipy is not installed")
    pairs, times = drawn(4), weights(70)
    truths = np.rint(pairs.distances / 2 + np.random.default_rng(1).normal(0, 1, 80))
    wanted = []
    for row in times:
        rows = np.repeat(np.arange(80), row[pairs.groups].astype(int))
        wanted.append(stats.spearmanr(pairs.distances[rows], truths[rows])[0])
    found = statistics.rank_correlation(pairs.distances, truths, pairs.groups, times)
    assert found == pytest.approx(wanted)
    assert np.isnan(statistics.rank_correlation(truths * 0, truths, pairs.groups, times)).all()
