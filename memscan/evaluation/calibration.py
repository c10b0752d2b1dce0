"""Thresholds fitted on one half of the images, to be reported on the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable

import numpy as np
import numpy.typing as npt

from memscan.evaluation import metrics
from memscan.evaluation.metrics import Trials
from memscan.scorecard import FalsePositiveFit, PrecisionFit

FALSE_POSITIVE_LEVELS = (1e-3, 1e-4, 1e-5)
PRECISION_LEVEL = 0.9


@dataclass(frozen=True)
class Pool:
    """The pairs of several trials by distance.

    ``values`` (float32) rise; ``right`` and ``others`` count the pairs at each of them or closer.
    """

    values: npt.NDArray[np.float32]
    right: npt.NDArray[np.int64]
    others: npt.NDArray[np.int64]

    @classmethod
    def of(cls, several: Iterable[Trials]) -> Pool:
        """All pairs of all trials."""
        values = np.empty(0, np.float32)
        right: metrics.Floats = np.empty(0)  # whole numbers all the same
        others: metrics.Floats = np.empty(0)
        for trials in several:
            own, places = np.unique(trials.distances, return_inverse=True)
            own_right, own_others = (
                np.bincount(places[chosen], minlength=len(own))
                for chosen in (trials.right, ~trials.right)
            )
            values, places = np.unique(np.concatenate([values, own]), return_inverse=True)
            right = np.bincount(places, np.concatenate([right, own_right])).astype(np.float64)
            others = np.bincount(places, np.concatenate([others, own_others])).astype(np.float64)
        return cls(values, right.cumsum().astype(np.int64), others.cumsum().astype(np.int64))

    def within(self, threshold: float) -> tuple[int, int]:
        """The numbers of right and of unrelated pairs at this distance or closer."""
        place = int(np.searchsorted(self.values, threshold, side="right"))
        return (int(self.right[place - 1]), int(self.others[place - 1])) if place else (0, 0)

    @property
    def unrelated(self) -> int:
        """The number of unrelated pairs."""
        return int(self.others[-1]) if len(self.others) else 0


def fit_false_positives(fitted_on: Pool, reported: Pool, level: float) -> FalsePositiveFit:
    """The largest distance at which at most ``level`` of the unrelated pairs would be found.

    Both pools hold unrelated pairs.
    """
    rates = fitted_on.others / fitted_on.unrelated
    allowed = int(np.searchsorted(rates, level, side="right"))
    threshold = float(fitted_on.values[allowed - 1]) if allowed else None
    observed = 0 if threshold is None else reported.within(threshold)[1]
    return FalsePositiveFit(
        level=level,
        threshold=threshold,
        calibrated=float(rates[allowed - 1]) if allowed else 0.0,
        observed=observed / reported.unrelated,
        resolution=1 / fitted_on.unrelated,
    )


def fit_precision(fitted_on: Pool, reported: Pool, level: float = PRECISION_LEVEL) -> PrecisionFit:
    """The largest distance within which at least ``level`` of all pairs are right."""
    pairs = fitted_on.right + fitted_on.others
    precise = np.flatnonzero((fitted_on.right >= level * pairs) & (fitted_on.right > 0))
    if not len(precise):
        return PrecisionFit(level, None, None, None)
    threshold = float(fitted_on.values[precise[-1]])
    return PrecisionFit(
        level,
        threshold,
        _precision(*fitted_on.within(threshold)),
        _precision(*reported.within(threshold)),
    )


def _precision(right: int, others: int) -> float | None:
    return right / (right + others) if right + others else None
