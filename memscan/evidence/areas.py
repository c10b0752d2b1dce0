"""The area under the ROC curve of a few scores, with an interval that is honest at its ends."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Scores = npt.NDArray[np.float64]

_STEPS = 60  # halvings: more than a float64 between 0 and 1 can tell apart


@dataclass(frozen=True)
class Area:
    """How often one of ``positives`` scores higher than one of ``negatives``, with an interval.

    All three figures are from 0 to 1; 0.5 is chance.
    """

    value: float
    low: float
    high: float
    positives: int
    negatives: int


def area(positives: Scores, negatives: Scores, confidence: float = 0.95) -> Area:
    """The area under the ROC curve; ties count half. Both must hold a score.

    The interval holds the areas that are less than z standard errors away, each by the standard
    error that it would have itself (Newcombe, Statistics in Medicine 25, 2006, method 5), as
    Wilson's does for a share. So it has a width where all scores are apart, too: 10 against 10
    reach from 0.80 to 1.
    """
    if not len(positives) or not len(negatives):
        raise ValueError("an area needs scores of both kinds")
    ordered = np.sort(negatives)
    below, up_to = (np.searchsorted(ordered, positives, side) for side in ("left", "right"))
    value = float((below + up_to).sum() / (2 * len(positives) * len(negatives)))
    low, high = interval(value, len(positives), len(negatives), confidence)
    return Area(value, low, high, len(positives), len(negatives))


def interval(
    value: float, positives: int, negatives: int, confidence: float = 0.95
) -> tuple[float, float]:
    """The two-sided interval of an area that so many scores gave."""
    z = NormalDist().inv_cdf((1 + confidence) / 2)

    def furthest(end: float) -> float:
        inside, outside = value, end
        for _ in range(_STEPS):
            middle = (inside + outside) / 2
            if abs(value - middle) <= z * _standard_error(middle, positives, negatives):
                inside = middle
            else:
                outside = middle
        return outside

    return furthest(0.0), furthest(1.0)


def _standard_error(value: float, positives: int, negatives: int) -> float:
    """Hanley and McNeil's (Radiology 143, 1982), both sides with the mean of their numbers."""
    rest = (positives + negatives) / 2 - 1
    both = 1 + rest * (1 - value) / (2 - value) + rest * value / (1 + value)
    return math.sqrt(value * (1 - value) * both / (positives * negatives))
