"""Pairs in three classes by two cuts of their score, after DeepSSIM (WACV 2026), and how well.

A class is its place in :data:`CLASSES`, as int8. The published cuts were set by hand, and each
network wants its own; :func:`fit` finds them on labelled pairs, which must not be those that are
reported on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from memscan.detectors.cards import Cuts

Scores = npt.NDArray[np.floating]
Classes = npt.NDArray[np.int8]
Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

CLASSES = ("different", "similar", "duplicate")

PUBLISHED = Cuts(duplicate=0.85, similar=0.60)
"""Those of DeepSSIM, set by hand, which the SSIM of aligned pairs is labelled by, too.

Here a score that is equal to a cut is in the class above it; there it is in the one below.
"""

MOST_CANDIDATES = 1 << 14
"""Places of a cut that are tried. The search is exact for any so many pairs; where labels change
more often than this along the scores, evenly spaced ones of these places are tried."""


def classify(scores: Scores, cuts: Cuts) -> Classes:
    """The classes of scores of any shape; a score that is not a number is ``different``."""
    exact = np.asarray(scores, np.float64)  # or a cut would be rounded to float32
    return (exact >= cuts.similar).astype(np.int8) + (exact >= cuts.duplicate).astype(np.int8)


def fit(scores: Scores, labels: Classes) -> Cuts:
    """The cuts with the greatest macro F1 on labelled scores, both of shape (n,).

    They lie midway between two scores; of equally good ones, the lowest. Raises ValueError unless
    each class has a label.
    """
    if set(np.unique(labels).tolist()) != set(range(len(CLASSES))):
        raise ValueError("cuts are fitted on labels of all three classes")
    values, places = np.unique(np.asarray(scores, np.float64), return_inverse=True)
    counts = np.stack(
        [np.bincount(places[labels == one], minlength=len(values)) for one in range(3)]
    )
    tried = _candidates(counts)
    lower, upper = _best(counts, tried)
    return Cuts(duplicate=_between(values, upper), similar=_between(values, lower))


def _candidates(counts: Integers) -> Integers:
    """The places at which a cut can be best, from 0 (below all values) to their number.

    Within a run of values that all have one label, macro F1 is monotone or convex in the place of
    either cut, and so greatest at an end of the run.
    """
    kinds = np.where((counts > 0).sum(axis=0) == 1, counts.argmax(axis=0), -1)
    ends = np.flatnonzero((kinds[1:] != kinds[:-1]) | (kinds[1:] == -1)) + 1
    tried = np.concatenate([[0], ends, [counts.shape[1]]]).astype(np.int64)
    if len(tried) > MOST_CANDIDATES:
        tried = tried[np.linspace(0, len(tried) - 1, MOST_CANDIDATES).astype(np.int64)]
    return tried


def _best(counts: Integers, tried: Integers) -> tuple[int, int]:
    """The places of the two cuts, of all pairs of the ones that are tried."""
    below = np.concatenate([np.zeros((3, 1), np.int64), counts.cumsum(axis=1)], axis=1)[:, tried]
    total, size = counts.sum(axis=1), below.sum(axis=0)
    different = 2 * below[0] / (size + total[0])
    duplicate = 2 * (total[2] - below[2]) / (size[-1] - size + total[2])
    best, lower, upper = -1.0, 0, 0
    for row in range(len(tried)):
        similar = 2 * (below[1, row:] - below[1, row]) / (size[row:] - size[row] + total[1])
        sums = different[row] + similar + duplicate[row:]
        column = int(sums.argmax())
        if sums[column] > best:
            best, lower, upper = float(sums[column]), row, row + column
    return int(tried[lower]), int(tried[upper])


def _between(values: Floats, place: int) -> float:
    """The least score of what lies at this place and above."""
    if place == 0:
        return float(values[0])
    if place == len(values):
        return float(np.nextafter(values[-1], np.inf))
    return float((values[place - 1] + values[place]) / 2)


@dataclass(frozen=True)
class Quality:
    """How well classes match labels.

    ``confusion[label][class]`` counts pairs. The other tuples have one number for each class, None
    where it is not defined: precision without a pair in the class, recall without one that is
    labelled so, F1 without either. ``macro_f1`` is the mean of F1 where it is defined.
    """

    confusion: tuple[tuple[int, ...], ...]
    precision: tuple[float | None, ...]
    recall: tuple[float | None, ...]
    f1: tuple[float | None, ...]
    macro_f1: float


def quality(classes: Classes, labels: Classes) -> Quality:
    """How well classes match labels, both of shape (n,) with n at least 1."""
    if not len(labels):
        raise ValueError("there is no pair to count")
    number = len(CLASSES)
    places = labels.astype(np.int64) * number + classes
    confusion = np.bincount(places, minlength=number**2).reshape(number, number)
    right, labelled, found = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    f1 = _ratios(2 * right, labelled + found)
    defined = [one for one in f1 if one is not None]
    return Quality(
        confusion=tuple(map(tuple, confusion.tolist())),
        precision=_ratios(right, found),
        recall=_ratios(right, labelled),
        f1=f1,
        macro_f1=sum(defined) / len(defined),
    )


def _ratios(parts: Integers, wholes: Integers) -> tuple[float | None, ...]:
    return tuple(
        part / whole if whole else None for part, whole in zip(parts.tolist(), wholes.tolist())
    )


def absolute_error(scores: Scores, truths: Scores) -> float:
    """The mean absolute difference of n scores and what they should be, n at least 1."""
    return float(np.abs(np.asarray(scores, np.float64) - np.asarray(truths, np.float64)).mean())


def rank_correlation(scores: Scores, truths: Scores) -> float | None:
    """Spearman's coefficient, from -1 to 1; None where all of either are equal.

    Equal values share the mean of their ranks.
    """
    one, other = (ranks - ranks.mean() for ranks in map(_ranks, (scores, truths)))
    scale = float(np.sqrt((one @ one) * (other @ other)))
    return float(one @ other) / scale if scale > 0 else None


def _ranks(values: Scores) -> Floats:
    _, places, counts = np.unique(
        np.asarray(values, np.float64), return_inverse=True, return_counts=True
    )
    ranks: Floats = (counts.cumsum() - (counts - 1) / 2)[places]
    return ranks
