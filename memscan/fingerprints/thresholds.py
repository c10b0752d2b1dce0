"""Thresholds at a stated false-positive rate, from the scores of real images.

With several fingerprints the rate is that of the whole decision: the share of real images that
*any* of them accuses. Scores are standardised by the median and the quartiles that real images have
by each fingerprint, and an image's greatest margin is compared with those of the real images, as in
conformal prediction (Vovk et al., 2005). For the comparison to be fair, each real image is
standardised by the others alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Sequence

import numpy as np

from memscan.fingerprints.scoring import Scores

_QUARTILES = (0.25, 0.5, 0.75)
_QUARTILES_APART = 1.349  # deviations, of a normal distribution

LEAST_IMAGES = 3
"""Real images without which nothing can be standardised when one of them is left out."""


def needed(rate: float) -> int:
    """How many real images a rate needs: with n of them, the least rate is 1 / (n + 1)."""
    return max(LEAST_IMAGES, math.ceil(1 / _exact(rate)) - 1)


def supported(images: int) -> float:
    """The least rate that so many real images can vouch for."""
    return 1 / (images + 1)


@dataclass(frozen=True)
class Calibration:
    """What the scores of real images say about those of others.

    ``centres`` (medians) and ``deviations`` (from the quartiles) are of shape (K,), K being the
    fingerprints, or the fingerprints and what else is looked at; ``margins`` the greatest margins
    of the real images, rising. An image is accused whose margin is above ``margin``.
    """

    rate: float
    centres: Scores
    deviations: Scores
    margins: Scores
    margin: float

    @property
    def thresholds(self) -> Scores:
        """The margin as scores, one for each fingerprint."""
        return self.centres + self.margin * self.deviations

    def p_values(self, greatest: Scores) -> Scores:
        """The share (k + 1) / (n + 1) for each greatest margin that k of n real images reach."""
        reached = len(self.margins) - np.searchsorted(self.margins, greatest, "left")
        return np.asarray((reached + 1) / (len(self.margins) + 1), np.float64)


def calibrate(scores: Scores, rate: float) -> Calibration:
    """Thresholds from the scores of n real images, of shape (n, K).

    Raises ValueError for fewer than :func:`needed`, and where about half or more have the
    same score.
    """
    count = len(scores)
    if not 0 < rate < 1 or count < needed(rate):
        raise ValueError("too few real images for this rate")
    centres, deviations = _spread(np.quantile(scores, _QUARTILES, axis=0))
    if not (deviations > 0).all():
        raise ValueError("too few real images differ")
    margins = np.sort(_left_out(scores).max(axis=1))
    allowed = math.floor(_exact(rate) * (count + 1))
    return Calibration(rate, centres, deviations, margins, float(margins[-allowed]))


def _exact(rate: float) -> Fraction:
    """The rate as it was written: 0.05 is one in twenty."""
    return Fraction(str(rate))


def _left_out(scores: Scores) -> Scores:
    """Each image's margins by the median and the quartiles of the others. Raises ValueError."""
    count = len(scores)
    order = np.argsort(scores, axis=0, kind="stable")
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.arange(count)[:, None], axis=0)
    rising = np.take_along_axis(scores, order, axis=0)

    def of_others(place: int) -> Scores:
        """What is at a place among the others, for each image that is left out."""
        there = np.minimum(place + (ranks <= place), count - 1)
        return np.asarray(np.take_along_axis(rising, there, axis=0))

    quartiles = []
    for share in _QUARTILES:
        place = share * (count - 2)
        low, part = int(place), place - int(place)
        quartiles.append((1 - part) * of_others(low) + part * of_others(low + 1))
    centres, deviations = _spread(quartiles)
    if not (deviations > 0).all():
        raise ValueError("too few real images differ")
    return np.asarray((scores - centres) / deviations)


def _spread(quartiles: Sequence[Scores] | Scores) -> tuple[Scores, Scores]:
    """The centre and the deviation of scores that have these quartiles."""
    low, middle, high = quartiles
    return middle, (high - low) / _QUARTILES_APART
