from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memscan.detectors import classes
from memscan.detectors.cards import Cuts
from memscan.detectors.classes import PUBLISHED, classify, fit, quality

LABELLED = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 2)), min_size=3, max_size=24
).filter(lambda rows: {label for _, label in rows} == {0, 1, 2})


def _split(rows: list[tuple[int, int]]) -> tuple[classes.Scores, classes.Classes]:
    scores = np.array([score for score, _ in rows], np.float32) / 10
    return scores, np.array([label for _, label in rows], np.int8)


def test_a_score_at_a_cut_is_in_the_class_above() -> None:
    scores = np.array([[-1, 0.5999, 0.6], [0.8499, 0.85, 1]])
    assert classify(scores, PUBLISHED).tolist() == [[0, 0, 1], [1, 2, 2]]
    assert classify(scores, PUBLISHED).dtype == np.int8
    assert classify(np.array([np.nan]), PUBLISHED).tolist() == [0]


def test_a_cut_is_not_rounded_to_the_precision_of_the_scores() -> None:
    score = np.array([0.7], np.float32)
    above = float(np.nextafter(np.float64(score[0]), 1))
    assert classify(score, Cuts(0.9, float(score[0]))).tolist() == [1]
    assert classify(score, Cuts(0.9, above)).tolist() == [0]


def test_cuts_between_classes_that_lie_apart() -> None:
    scores = np.array([0.9, 0.1, 0.5, 0.3, 0.7, 1.0], np.float32)
    cuts = fit(scores, np.array([2, 0, 1, 0, 1, 2], np.int8))
    assert cuts.similar == pytest.approx(0.4)
    assert cuts.duplicate == pytest.approx(0.8)


@settings(deadline=None)
@given(LABELLED)
def test_no_two_cuts_have_a_greater_macro_f1(rows: list[tuple[int, int]]) -> None:
    scores, labels = _split(rows)
    cuts = fit(scores, labels)
    fitted = quality(classify(scores, cuts), labels).macro_f1
    places = np.arange(-1, 22) / 20 + 0.0125  # between any two scores, below and above all
    best = max(
        quality(classify(scores, Cuts(upper, lower)), labels).macro_f1
        for lower, upper in itertools.combinations_with_replacement(places.tolist(), 2)
    )
    assert fitted == pytest.approx(best)
    assert cuts.similar <= cuts.duplicate


def test_many_labels_are_fitted_on_some_places(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, 3000).astype(np.int8)
    scores = np.float32(0.3) * labels + random.normal(0, 0.1, 3000).astype(np.float32)
    exact = quality(classify(scores, fit(scores, labels)), labels).macro_f1
    monkeypatch.setattr(classes, "MOST_CANDIDATES", 100)
    thinned = quality(classify(scores, fit(scores, labels)), labels).macro_f1
    assert exact - 0.01 < thinned < exact


def test_a_class_without_labels_has_no_cut() -> None:
    with pytest.raises(ValueError, match="all three classes"):
        fit(np.array([0.1, 0.9]), np.array([0, 2], np.int8))


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=30))
def test_the_numbers_are_those_of_scikit_learn(rows: list[tuple[int, int]]) -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    found, labels = (np.array(column, np.int8) for column in zip(*rows))
    ours = quality(found, labels)
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(
        labels, found, labels=[0, 1, 2], zero_division=0
    )
    assert ours.confusion == tuple(
        map(tuple, metrics.confusion_matrix(labels, found, labels=[0, 1, 2]).tolist())
    )
    for one, other in ((ours.precision, precision), (ours.recall, recall), (ours.f1, f1)):
        assert [value or 0 for value in one] == pytest.approx(other.tolist())
    macro = metrics.f1_score(labels, found, average="macro", zero_division=0)
    assert ours.macro_f1 == pytest.approx(macro)


def test_what_is_not_defined_is_none() -> None:
    ours = quality(np.array([0, 1], np.int8), np.array([0, 0], np.int8))
    assert ours.precision == (1, 0, None)
    assert ours.recall == (0.5, None, None)
    assert ours.f1 == (2 / 3, 0, None)
    with pytest.raises(ValueError, match="no pair"):
        quality(np.empty(0, np.int8), np.empty(0, np.int8))


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=2, max_size=30))
def test_the_correlation_is_that_of_scipy(rows: list[tuple[int, int]]) -> None:
    stats = pytest.importorskip("scipy.stats", reason="scipy is not installed")
    one, other = (np.array(column, np.float32) for column in zip(*rows))
    ours = classes.rank_correlation(one, other)
    if len(set(one)) == 1 or len(set(other)) == 1:
        assert ours is None
    else:
        assert ours == pytest.approx(stats.spearmanr(one, other)[0])


def test_the_error_is_a_mean_of_absolute_differences() -> None:
    assert classes.absolute_error(np.array([0.5, 1.0]), np.array([0.75, 0.5])) == 0.375
