"""What distances say about pairs, right or unrelated, with all bootstrap samples at once.

Arrays of weights have shape (B, G): how often each of G groups of pairs (one image, one identity)
counts, first once and then in bootstrap samples. Results have shape (B,), NaN where not defined.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_SAMPLES_AT_ONCE = 64


@dataclass(frozen=True)
class Pairs:
    """The distances of P pairs, whether each is right, and the group that it is drawn with.

    ``distances`` is float32, ``right`` bool, ``groups`` int64 from 0, all of shape (P,).
    """

    distances: npt.NDArray[np.float32]
    right: npt.NDArray[np.bool_]
    groups: npt.NDArray[np.int64]

    def of(self, chosen: npt.NDArray[np.bool_]) -> Pairs:
        """Some of the pairs, with the numbers of their groups."""
        return Pairs(self.distances[chosen], self.right[chosen], self.groups[chosen])


def fit_best_f1(pairs: Pairs) -> float | None:
    """The distance within which F1 is greatest, the least such; None without a right pair."""
    values, right, others = _cumulated(pairs)
    if not len(right) or not right[-1]:
        return None
    f1 = 2 * right / (right + others + right[-1])
    return float(values[np.argmax(f1)])


def fit_recall(pairs: Pairs, level: float) -> float | None:
    """The least distance within which this share of right pairs lies; None without one."""
    values, right, _ = _cumulated(pairs)
    if not len(right) or not right[-1]:
        return None
    return float(values[np.searchsorted(right, level * right[-1])])


@dataclass(frozen=True)
class Rates:
    """What a threshold lets pass, each of shape (B,)."""

    recall: Floats
    precision: Floats
    false_positives: Floats
    f1: Floats


def rates(pairs: Pairs, threshold: float | None, weights: Floats) -> Rates:
    """Those of the pairs within a threshold; nothing is within None."""
    within = pairs.distances <= (-np.inf if threshold is None else threshold)
    groups = weights.shape[1]

    def counted(chosen: npt.NDArray[np.bool_]) -> Floats:
        count: Floats = weights @ np.bincount(pairs.groups[chosen], minlength=groups)
        return count

    hits, false_hits = counted(within & pairs.right), counted(within & ~pairs.right)
    right, others = counted(pairs.right), counted(~pairs.right)
    return Rates(
        recall=ratio(hits, right),
        precision=ratio(hits, hits + false_hits),
        false_positives=ratio(false_hits, others),
        f1=ratio(2 * hits, hits + false_hits + right),
    )


def auc(pairs: Pairs, weights: Floats) -> Floats:
    """The area below the ROC curve: pairs at one distance count half."""
    order = np.argsort(pairs.distances, kind="stable")
    distances, right = pairs.distances[order], pairs.right[order]
    groups = pairs.groups[order]
    starts = np.flatnonzero(np.concatenate([[True], distances[1:] > distances[:-1]]))
    areas = []
    for start in range(0, len(weights), _SAMPLES_AT_ONCE):
        each = weights[start : start + _SAMPLES_AT_ONCE, groups]
        own = np.add.reduceat(np.where(right, each, 0), starts, axis=1)
        others = np.add.reduceat(np.where(right, 0, each), starts, axis=1)
        beyond = others.sum(axis=1, keepdims=True) - np.cumsum(others, axis=1) + others / 2
        areas.append(ratio((own * beyond).sum(axis=1), own.sum(axis=1) * others.sum(axis=1)))
    return np.concatenate(areas)


def rank_correlation(
    values: npt.NDArray[np.floating],
    truths: npt.NDArray[np.floating],
    groups: npt.NDArray[np.int64],
    weights: Floats,
) -> Floats:
    """Spearman's coefficient of P values and truths, each counted as often as its group."""
    found = []
    for start in range(0, len(weights), _SAMPLES_AT_ONCE):
        each = weights[start : start + _SAMPLES_AT_ONCE, groups]
        one, other = _ranks(values, each), _ranks(truths, each)
        total = each.sum(axis=1, keepdims=True)
        one -= (each * one).sum(axis=1, keepdims=True) / total
        other -= (each * other).sum(axis=1, keepdims=True) / total
        scale = np.sqrt((each * one**2).sum(axis=1) * (each * other**2).sum(axis=1))
        found.append(ratio((each * one * other).sum(axis=1), scale))
    return np.concatenate(found)


def ratio(parts: Floats, wholes: Floats) -> Floats:
    """Parts of wholes, NaN where there is no whole."""
    filled = np.full(np.shape(wholes), np.nan)
    np.divide(parts, wholes, out=filled, where=wholes > 0)
    return filled


def _cumulated(
    pairs: Pairs,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The distances, rising, with the numbers of right and of other pairs up to each."""
    values, places = np.unique(pairs.distances, return_inverse=True)
    right, others = (
        np.bincount(places[chosen], minlength=len(values)).cumsum()
        for chosen in (pairs.right, ~pairs.right)
    )
    return values, right, others


def _ranks(values: npt.NDArray[np.floating], each: Floats) -> Floats:
    """The mean rank of equal values, where each counts as often as it is drawn; (B, P)."""
    found, places = np.unique(values, return_inverse=True)
    order = np.argsort(places, kind="stable")
    starts = np.searchsorted(places[order], np.arange(len(found)))
    counts = np.add.reduceat(each[:, order], starts, axis=1)
    ranks: Floats = (np.cumsum(counts, axis=1) - (counts - 1) / 2)[:, places]
    return ranks
