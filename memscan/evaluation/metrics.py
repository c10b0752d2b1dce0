"""How well distances tell right pairs from unrelated ones.

Ties count against the detector: of pairs at one distance, the unrelated ones come first. Each
number has an interval from bootstrap samples, in which whole images are drawn with replacement,
with all that was made of them; the sources stay.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

import numpy as np
import numpy.typing as npt

from memscan.scorecard import Estimate, Scores

RESAMPLES = 1000

MAX_LEVELS = 4096
"""Distances told apart in rankings. Where right pairs have more, each is rounded up to one of so
many, which costs the detector a part in so many at the most."""

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Trials:
    """Pairs of targets and sources that were compared, those of one target together.

    ``distances`` (float32), ``right`` (whether the source is what the target was made from) and
    ``targets`` (rising from 0, each number there) have shape (P,).
    """

    distances: npt.NDArray[np.float32]
    right: Bools
    targets: Integers

    @property
    def starts(self) -> Integers:
        """Where the pairs of each target begin."""
        return np.flatnonzero(np.diff(self.targets, prepend=-1))

    def closest(self, right: bool) -> npt.NDArray[np.float32]:
        """The smallest distance of each target to a right, or else to an unrelated source."""
        masked = np.where(self.right == right, self.distances, np.float32(np.inf))
        return np.minimum.reduceat(masked, self.starts)


@dataclass(frozen=True)
class Totals:
    """What was counted of each of Q targets, all integers; sums of totals are totals.

    ``wanted``: 1 if there is a right source to find; ``first``: it is closer than any other;
    ``found``: and within the default threshold. ``right_within`` and ``others_within`` (Q, T) count
    pairs within each of T thresholds. ``right`` (Q, L) counts right pairs at each of L levels,
    ``others`` (Q, L + 1) unrelated pairs up to each level and above the last.
    """

    wanted: Integers
    first: Integers
    found: Integers
    right_within: Integers
    others_within: Integers
    right: Integers
    others: Integers

    def __add__(self, other: Totals) -> Totals:
        return Totals(*(one + two for one, two in zip(vars(self).values(), vars(other).values())))


def levels(distances: Sequence[npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
    """The distances of right pairs, rising, at most MAX_LEVELS of them."""
    values = np.unique(np.concatenate(distances))
    if len(values) > MAX_LEVELS:
        places = np.linspace(0, len(values) - 1, MAX_LEVELS)
        values = values[np.ceil(places).astype(np.int64)]
    return values


def count(
    trials: Trials,
    default: float,
    thresholds: Sequence[float],
    at: npt.NDArray[np.float32],
    retrieval: bool,
) -> Totals:
    """Count the outcomes of trials, with levels ``at`` that reach the last right pair.

    In ``retrieval`` a target is found by its closest source; otherwise each right pair counts for
    itself and is found within the default threshold.
    """
    targets = len(trials.starts)

    def per_target(chosen: Bools) -> Integers:
        return np.bincount(trials.targets[chosen], minlength=targets)

    within = [trials.distances <= threshold for threshold in thresholds]
    if retrieval:
        closest = trials.closest(True)
        is_first = closest < trials.closest(False)
        wanted = np.isfinite(closest).astype(np.int64)
        first = is_first.astype(np.int64)
        found = (is_first & (closest <= default)).astype(np.int64)
    else:
        wanted = per_target(trials.right)
        first = np.zeros(targets, np.int64)
        found = per_target(trials.right & (trials.distances <= default))
    places = trials.targets * (len(at) + 1) + np.searchsorted(at, trials.distances)
    shape = (targets, len(at) + 1)
    right, others = (
        np.bincount(places[chosen], minlength=shape[0] * shape[1]).reshape(shape)
        for chosen in (trials.right, ~trials.right)
    )
    return Totals(
        wanted,
        first,
        found,
        np.stack([per_target(trials.right & near) for near in within], axis=1),
        np.stack([per_target(~trials.right & near) for near in within], axis=1),
        right[:, :-1],
        others,
    )


def weights(targets: int, seed: int) -> Floats:
    """How often each target counts, of shape (1 + RESAMPLES, targets): once, then in samples."""
    random = np.random.default_rng([seed, 0xB007])
    drawn = random.multinomial(targets, np.full(targets, 1 / targets), RESAMPLES)
    return np.concatenate([np.ones((1, targets)), drawn])


def scores(totals: Totals, drawn: Floats, fitted: bool, retrieval: bool) -> Scores:
    """All numbers of some totals, by weights.

    The thresholds were those for false positives and then that for precision, ``fitted`` or not.
    """
    wanted = drawn @ totals.wanted
    right, others = drawn @ totals.right, drawn @ totals.others
    pairs = right.sum(axis=1)
    within = drawn @ totals.right_within
    shares = [estimate(_ratio(column, pairs)) if fitted else None for column in within.T]
    return Scores(
        found=int(totals.found.sum()),
        wanted=int(totals.wanted.sum()),
        recall=estimate(_ratio(drawn @ totals.found, wanted)),
        first=estimate(_ratio(drawn @ totals.first, wanted)) if retrieval else None,
        true_positives=tuple(shares[:-1]),
        average_precision=estimate(average_precision(right, others)),
        at_precision=shares[-1],
        auc=estimate(auc(right, others)),
    )


def estimate(values: Floats) -> Estimate | None:
    """The first value, with the middle 95 % of the others; None if it is not defined."""
    value, samples = float(values[0]), values[1:][np.isfinite(values[1:])]
    if not np.isfinite(value):
        return None
    if len(samples) == 0:
        return Estimate(value, None, None)
    low, high = np.percentile(samples, [2.5, 97.5])
    return Estimate(value, float(low), float(high))


def average_precision(right: Floats, others: Floats) -> Floats:
    """The area below precision over recall, by steps, of each of B rankings; micro if pooled.

    ``right`` (B, L) and ``others`` (B, L + 1) are the numbers of pairs at rising levels. Right
    pairs that tie are ranked one after the other behind all unrelated ones of their level, so the
    sum of their precisions (a + j) / (a + j + c) over j = 1 .. p is p - c times a difference of
    harmonic numbers. NaN without a right pair.
    """
    from scipy.special import digamma  # 0.15 s that other commands need not pay

    after = np.cumsum(right, axis=1)
    ahead = np.cumsum(others, axis=1)[:, :-1]
    harmonic = digamma(after + ahead + 1) - digamma(after - right + ahead + 1)
    sums: Floats = (right - ahead * harmonic).sum(axis=1)
    return _ratio(sums, after[:, -1])


def auc(right: Floats, others: Floats) -> Floats:
    """The chance that a right pair is closer than an unrelated one; equally close counts as not.

    Shapes as in average_precision. NaN without a pair of either kind.
    """
    beyond = others.sum(axis=1, keepdims=True) - np.cumsum(others, axis=1)[:, :-1]
    closer: Floats = (right * beyond).sum(axis=1)
    return _ratio(closer, right.sum(axis=1) * others.sum(axis=1))


def _ratio(parts: Floats, wholes: Floats) -> Floats:
    """Parts of wholes, NaN where there is no whole."""
    filled = np.full(len(wholes), np.nan)
    np.divide(parts, wholes, out=filled, where=wholes > 0)
    return filled
