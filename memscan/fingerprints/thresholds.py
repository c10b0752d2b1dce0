"""Thresholds at a stated false-positive rate, from the scores of real images.

With several fingerprints the rate is that of the whole decision: the share of real images that
*any* of them accuses. Scores are standardised by each fingerprint's real images, and an image's
greatest margin is compared with those of the real images, as in conformal prediction (Vovk et al.,
2005). For the comparison to be fair, each real image is standardised by the others alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from memscan.fingerprints.scoring import Scores

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

    ``centres`` and ``deviations`` are of shape (K,); ``margins`` the greatest margins of the real
    images, rising. An image is accused whose margin is above ``margin``.
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

    def standardise(self, scores: Scores) -> Scores:
        """Margins of scores (..., K): deviations above what real images have on average."""
        return (scores - self.centres) / self.deviations

    def p_values(self, greatest: Scores) -> Scores:
        """The share (k + 1) / (n + 1) for each greatest margin that k of n real images reach."""
        reached = len(self.margins) - np.searchsorted(self.margins, greatest, "left")
        return np.asarray((reached + 1) / (len(self.margins) + 1), np.float64)


def calibrate(scores: Scores, rate: float) -> Calibration:
    """Thresholds from the scores of n real images, of shape (n, K).

    Raises ValueError for fewer than :func:`needed`, and where all have the same score.
    """
    count = len(scores)
    if not 0 < rate < 1 or count < needed(rate):
        raise ValueError("too few real images for this rate")
    deviations = scores.std(axis=0, ddof=1)
    if not (deviations > 0).all():
        raise ValueError("the real images do not differ")
    margins = np.sort(_left_out(scores).max(axis=1))
    allowed = math.floor(_exact(rate) * (count + 1))
    return Calibration(rate, scores.mean(axis=0), deviations, margins, float(margins[-allowed]))


def _exact(rate: float) -> Fraction:
    """The rate as it was written: 0.05 is one in twenty."""
    return Fraction(str(rate))


def _left_out(scores: Scores) -> Scores:
    """Each image's margins by the mean and the deviation of the others."""
    count = len(scores)
    centred = scores - scores.mean(axis=0)
    squares = (centred**2).sum(axis=0) - centred**2 * count / (count - 1)
    deviations = np.sqrt(np.maximum(squares, 0) / (count - 2))
    return np.asarray(
        centred * count / (count - 1) / np.maximum(deviations, np.finfo(np.float64).tiny)
    )
