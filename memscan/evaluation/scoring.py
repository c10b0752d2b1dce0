"""From the distances of both halves to the scores of one detector."""

from __future__ import annotations

import functools
import operator
from dataclasses import dataclass
from typing import Sequence

import numpy as np
import numpy.typing as npt

from memscan.evaluation import calibration, metrics
from memscan.evaluation.calibration import Pool
from memscan.evaluation.edits import Edit
from memscan.evaluation.metrics import Trials
from memscan.scorecard import CurvePoint, EditScores, FalsePositiveFit, PrecisionFit, Scores

_CURVE_POINTS = 129
"""Points of a curve for distances that are no small whole numbers."""


@dataclass(frozen=True)
class Outcome:
    """What a :class:`~memscan.scorecard.DetectorScores` says of distances."""

    false_positive_fits: tuple[FalsePositiveFit, ...]
    precision_fit: PrecisionFit
    overall: Scores
    edits: tuple[EditScores, ...]
    curve: tuple[CurvePoint, ...]


def score(
    fitted_on: Sequence[Trials],
    reported: Sequence[Trials],
    edits: Sequence[Edit],
    default: float,
    seed: int,
    retrieval: bool,
) -> Outcome:
    """Fit thresholds on one half and judge the other one by them.

    Each sequence has one item per edit, or is empty for a half without a pair; ``reported`` is not.
    """
    pool, own = Pool.of(fitted_on), Pool.of(reported)
    fitted = bool(pool.unrelated and own.unrelated and pool.right[-1])
    precision = calibration.fit_precision(pool, own)
    levels = calibration.FALSE_POSITIVE_LEVELS if fitted else ()
    fits = tuple(calibration.fit_false_positives(pool, own, level) for level in levels)
    limits = [*(fit.threshold for fit in fits), precision.threshold]
    thresholds = [-np.inf if limit is None else limit for limit in limits]
    at = metrics.levels([trials.distances[trials.right] for trials in reported])
    drawn = metrics.weights(len(reported[0].starts), seed)
    totals = [metrics.count(trials, default, thresholds, at, retrieval) for trials in reported]
    judged = [metrics.scores(counted, drawn, fitted, retrieval) for counted in totals]
    pooled = functools.reduce(operator.add, totals)
    return Outcome(
        fits,
        precision,
        metrics.scores(pooled, drawn, fitted, retrieval),
        tuple(
            EditScores(edit.name, edit.group, edit.description, scores)
            for edit, scores in zip(edits, judged)
        ),
        _curve(own, reported),
    )


def _curve(pool: Pool, reported: Sequence[Trials]) -> tuple[CurvePoint, ...]:
    """What each threshold lets pass; empty if a kind of pair is missing."""
    if not pool.unrelated or not pool.right[-1]:
        return ()
    nearest = np.sort(np.concatenate([trials.closest(False) for trials in reported]))
    points = []
    for distance in _grid(pool.values).tolist():
        right, others = pool.within(distance)
        points.append(
            CurvePoint(
                distance=distance,
                recall=right / int(pool.right[-1]),
                pairs=others / pool.unrelated,
                targets=int(np.searchsorted(nearest, distance, side="right")) / len(nearest),
            )
        )
    return tuple(points)


def _grid(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """The whole numbers up to the largest distance, or else evenly spaced ones."""
    largest = float(values[-1])
    if largest <= 256 and (values == np.rint(values)).all():
        return np.arange(min(0, int(values[0])), int(largest) + 1, dtype=np.float64)
    return np.linspace(float(values[0]), largest, _CURVE_POINTS)
