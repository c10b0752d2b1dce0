"""How well scores tell generated images from real ones, with intervals."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from memscan.attributions import NEAREST, RATE, SHIPPED, Judged
from memscan.evidence import areas, rates
from memscan.fingerprints import thresholds
from memscan.fingerprints.scoring import Scores
from memscan.scorecard import Estimate

Flags = npt.NDArray[np.bool_]


def auc(real: Scores, fake: Scores) -> Estimate:
    """The share of pairs in which the generated image scores higher, with Newcombe's interval.

    Ties count half.
    """
    found = areas.area(fake, real)
    return Estimate(found.value, found.low, found.high)


def shipped(real: Scores, fake: Scores, midpoint: float) -> Judged:
    """By a threshold that these images had no part in."""
    return _judged(SHIPPED, midpoint, real <= midpoint, fake > midpoint)


def nearest_mean(real: Scores, fake: Scores) -> Judged:
    """By the mean of the others of each class, each image left out of its own class."""
    midpoint = float(real.mean() + fake.mean()) / 2
    return _judged(NEAREST, midpoint, *crossed(real, fake, real, fake))


def crossed(
    real: Scores, fake: Scores, altered_real: Scores, altered_fake: Scores
) -> tuple[Flags, Flags]:
    """Which images nearest mean gets right, fitted on all but the image itself.

    The classes in altered form are judged by the means of the first two; images stand in the same
    order. Of a class of one image, nothing is left to fit: it is never right.
    """
    is_right = []
    for own, other, altered in ((real, fake, altered_real), (fake, real, altered_fake)):
        if len(own) == 1:
            is_right.append(np.zeros(1, np.bool_))
        else:
            others = (own.sum() - own) / (len(own) - 1)
            is_right.append(np.abs(altered - others) < np.abs(altered - other.mean()))
    return is_right[0], is_right[1]


def at_rate(
    real: Scores, fake: Scores, pool: Scores, own: npt.NDArray[np.int64], rate: float
) -> Judged:
    """By the threshold at a false-positive rate, each real image left out of its own.

    ``pool`` are the scores of real images that thresholds come from; ``own`` says at which place
    each of ``real`` is among them, -1 for nowhere. Raises ValueError for too few.
    """

    def threshold(scores: Scores) -> float:
        return float(thresholds.calibrate(scores[:, None], rate).thresholds[0])

    whole = threshold(pool)
    each = [whole if place < 0 else threshold(np.delete(pool, place)) for place in own.tolist()]
    return _judged(RATE, whole, real <= np.array(each), fake > whole)


def _judged(rule: str, threshold: float, real: Flags, fake: Flags) -> Judged:
    return Judged(rule, threshold, share(real), share(fake), mean_share(real, fake))


def share(right: Flags) -> Estimate:
    """A share with its Clopper-Pearson interval."""
    found = rates.rate(int(right.sum()), len(right))
    return Estimate(found.share, found.low, found.high)


def mean_share(first: Flags, second: Flags) -> Estimate:
    """The mean of two shares, with the interval that theirs give by MOVER.

    Distances of the limits are added as squares (Zou and Donner, Statistics in Medicine 27, 2008).
    """
    one, other = (rates.rate(int(right.sum()), len(right)) for right in (first, second))
    value = (one.share + other.share) / 2
    below = math.hypot(one.share - one.low, other.share - other.low) / 2
    above = math.hypot(one.high - one.share, other.high - other.share) / 2
    return Estimate(value, value - below, value + above)
