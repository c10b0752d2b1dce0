"""How many unrelated images would come as close by chance.

Half the distance of two hashes with 32 bits set each is hypergeometric if bits are independent.
Those of images are not: close pairs are more frequent. For each target the hypergeometric is
tilted by an exponential, linear and quadratic in the distance, fitted to the bulk of the target's
own distances, where copies do not reach; below :data:`TAIL` it falls neither faster than
:data:`MOST_FALL` nor slower than :data:`LEAST_FALL`, as measured on unrelated photographs (see
DESIGN.md). The number for a target is an E-value in the sense of BLAST: the expected number of
hits if nothing were copied.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

BULK = 20
"""Bits: distances from here on are taken to be those of unrelated images."""

TAIL = 18
"""Bits: the largest distance at which the fall of the tilted distribution is limited."""

LEAST_FALL, MOST_FALL = 3.5, 4.25
"""By how much the number of pairs falls from one even distance to the next one below."""

OBSERVED = 10
"""Bits: the smallest distance at which the model was compared with unrelated photographs."""

LEAST_SOURCES = 100
"""Sources in the bulk of a target's distances below which nothing is said."""

# What is known before a target is looked at: the tilts of 500 photographs, -0.26 +- 0.13 and
# 0.10 +- 0.21, held so weakly that 100 sources outweigh them.
_USUAL_TILT = np.array([-0.25, 0.1])
_WEIGHT = 4.0

_EVEN = np.arange(0, 65, 2)
_STEPS = 60
_LOG_INDEPENDENT = np.array([2 * math.log(math.comb(32, half)) for half in range(33)])
_SCALED = (_EVEN - 32) / 8.0
_POWERS = np.stack([_SCALED, _SCALED**2], axis=1)

Floats = npt.NDArray[np.float64]


def expected(counts: npt.NDArray[np.int64]) -> Floats:
    """The expected number of unrelated sources at each even distance, of shape (M, 33).

    ``counts``, of shape (M, 65), are the numbers of sources at each distance from M targets. Odd
    distances, which only hashes with ties have, count as the even ones below them. A row is NaN
    where fewer than LEAST_SOURCES lie in the bulk.
    """
    folded = counts[:, ::2].astype(np.float64)
    folded[:, :32] += counts[:, 1::2]
    bulk = _EVEN >= BULK
    total = folded[:, bulk].sum(axis=1)
    known = total >= LEAST_SOURCES
    shape = np.full(folded.shape, np.nan)
    if known.any():
        logs = _log_shape(_tilts(folded[known][:, bulk]), np.full(len(_EVEN), True))
        shape[known] = np.exp(logs - logs.max(axis=1, keepdims=True))
    shape *= (total / shape[:, bulk].sum(axis=1))[:, None]
    for half in range(TAIL // 2 - 1, -1, -1):
        above = shape[:, half + 1]
        shape[:, half] = np.clip(shape[:, half], above / MOST_FALL, above / LEAST_FALL)
    return shape


def _tilts(bulk_counts: Floats) -> Floats:
    """The two coefficients of each target's tilt, of shape (M, 2): the most probable ones.

    Newton's method on a concave function, with steps no longer than 1.
    """
    bulk = _EVEN >= BULK
    powers = _POWERS[bulk]
    totals = bulk_counts.sum(axis=1, keepdims=True)
    sums = bulk_counts @ powers
    tilts = np.tile(_USUAL_TILT, (len(bulk_counts), 1))
    for _ in range(_STEPS):
        logs = _log_shape(tilts, bulk)
        shares = np.exp(logs - logs.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        means = shares @ powers
        squares = np.einsum("md,da,db->mab", shares, powers, powers)
        spread = squares - means[:, :, None] * means[:, None, :]
        gradient = sums - totals * means - _WEIGHT * (tilts - _USUAL_TILT)
        curvature = totals[:, :, None] * spread + _WEIGHT * np.eye(2)
        step = np.linalg.solve(curvature, gradient[:, :, None])[:, :, 0]
        longest = np.abs(step).max(axis=1, keepdims=True)
        tilts += step / np.maximum(longest, 1.0)
        if longest.max() < 1e-9:
            break
    return tilts


def _log_shape(tilts: Floats, chosen: npt.NDArray[np.bool_]) -> Floats:
    shape: Floats = _LOG_INDEPENDENT[chosen] + tilts @ _POWERS[chosen].T
    return shape
