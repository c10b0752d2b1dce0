"""Exact nearest neighbours of packed 64-bit hashes under the Hamming distance. numpy only."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]
Distances = npt.NDArray[np.uint8]
Positions = npt.NDArray[np.int64]

BLOCK = 1 << 15
"""Hashes compared at a time: 256 KiB, which stays in a core's second-level cache."""

NO_DISTANCE = 255
"""Stands where there is no neighbour, together with position -1."""


def distances(hashes: Hashes, hash: np.uint64) -> Distances:
    """The number of bits (0 to 64) in which ``hash`` differs from each of ``hashes``."""
    differing = hashes ^ hash
    return _popcount(differing, out=np.empty(hashes.shape, np.uint8))


def nearest(
    targets: Hashes, sources: Hashes, count: int = 1, excluded: Positions | None = None
) -> tuple[Positions, Distances]:
    """The ``count`` closest sources of each target, the closest first.

    ``targets`` has shape (M,) and ``sources`` (N,); ``excluded``, of shape (M,), names for each
    target one position in ``sources`` to leave out, or -1. Returns the positions (int64) and the
    distances (uint8), both of shape (M, count). Of equal distances the lower position comes
    first. Where there are fewer sources than ``count``, the rest is -1 and NO_DISTANCE.
    """
    if count < 1:
        raise ValueError("count must be at least 1")
    words = np.empty(BLOCK, np.uint64)
    bits = np.empty(BLOCK, np.uint8)
    positions = np.full((len(targets), count), -1, np.int64)
    closest = np.full((len(targets), count), NO_DISTANCE, np.uint8)
    worsts = [NO_DISTANCE] * len(targets)  # the last column of closest, as quick to read as it gets
    for start in range(0, len(sources), BLOCK):
        block = sources[start : start + BLOCK]
        differing, found = words[: len(block)], bits[: len(block)]
        for row, target in enumerate(targets):
            np.bitwise_xor(block, target, out=differing)
            _popcount(differing, out=found)
            if excluded is not None and 0 <= excluded[row] - start < len(block):
                found[excluded[row] - start] = NO_DISTANCE
            worst = worsts[row]
            if np.minimum.reduce(found) >= worst:
                continue
            # Strictly closer only: a later source never displaces an earlier one at its distance.
            better = np.flatnonzero(found < worst)
            merged = np.concatenate([closest[row], found[better]])
            order = np.argsort(merged, kind="stable")[:count]
            closest[row] = merged[order]
            worsts[row] = int(closest[row, -1])
            positions[row] = np.concatenate([positions[row], better + start])[order]
    return positions, closest


def near_any(targets: Hashes, sources: Hashes, radius: int) -> npt.NDArray[np.bool_]:
    """Which of the sources (N,) lie within ``radius`` bits, inclusive, of any target (M,)."""
    near = np.zeros(len(sources), np.bool_)
    for start in range(0, len(sources), BLOCK):
        block = sources[start : start + BLOCK]
        for target in targets:
            near[start : start + BLOCK] |= distances(block, target) <= radius
    return near


_BITS_OF_16 = np.array([bin(value).count("1") for value in range(1 << 16)], np.uint8)


def _popcount_by_table(words: Hashes, out: Distances) -> Distances:
    """The number of set bits in each word, for numpy before 2.0, which has no bitwise_count."""
    quarters = np.ascontiguousarray(words).view(np.uint16).reshape((*words.shape, 4))
    return _BITS_OF_16[quarters].sum(axis=-1, dtype=np.uint8, out=out)


_popcount = getattr(np, "bitwise_count", _popcount_by_table)
