"""Exact neighbours of packed 64-bit hashes under the Hamming distance. numpy only."""

from __future__ import annotations

from typing import Iterator, NamedTuple

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]
Distances = npt.NDArray[np.uint8]
Positions = npt.NDArray[np.int64]

BITS = 64

# Hashes compared at a time. Fewer, and threads wait for the interpreter lock between the calls;
# more, and a tile (up to 1 MiB) no longer stays in a core's second-level cache.
TILE_TARGETS, TILE_SOURCES, TILE_SOURCES_OF_FEW = 8, 1 << 14, 1 << 15

NO_DISTANCE = 255
"""Stands where there is no neighbour, together with position -1."""


class Neighbours(NamedTuple):
    """The closest sources of M targets.

    ``positions`` (int64) and ``distances`` (uint8) have shape (M, count), the closest first, -1
    and NO_DISTANCE where there are no more. ``within`` (int64), of shape (M,), counts the sources
    inside the radius.
    """

    positions: Positions
    distances: Distances
    within: npt.NDArray[np.int64]


def distances(hashes: Hashes, hash: np.uint64) -> Distances:
    """The number of bits (0 to 64) in which ``hash`` differs from each of ``hashes``."""
    return count_bits(hashes ^ hash, out=np.empty(hashes.shape, np.uint8))


def count_bits(words: Hashes, out: Distances) -> Distances:
    """The number of set bits (0 to 64) in each word, written to ``out`` of the same shape."""
    return _popcount(words, out=out)


def nearest(
    targets: Hashes,
    sources: Hashes,
    count: int = 1,
    excluded: Positions | None = None,
    radius: int = 0,
) -> Neighbours:
    """The ``count`` closest sources of each target, and how many lie within ``radius`` bits.

    ``targets`` has shape (M,) and ``sources`` (N,); ``excluded``, of shape (M,), names for each
    target one position in ``sources`` to leave out, or -1. Of equal distances the lower position
    comes first.
    """
    if count < 1:
        raise ValueError("count must be at least 1")
    positions = np.full((len(targets), count), -1, np.int64)
    closest = np.full((len(targets), count), NO_DISTANCE, np.uint8)
    within = np.zeros(len(targets), np.int64)
    worst = np.full(len(targets), NO_DISTANCE, np.uint8)  # the last column of closest
    for row, start, found in _tiles(targets, sources):
        rows = slice(row, row + len(found))
        if excluded is not None:
            own = excluded[rows] - start
            (inside,) = np.nonzero((own >= 0) & (own < found.shape[1]))
            found[inside, own[inside]] = NO_DISTANCE
        least = np.minimum.reduce(found, axis=1)
        for line in np.flatnonzero(least <= radius).tolist():
            within[row + line] += np.count_nonzero(found[line] <= radius)
        # Strictly closer only: a later source never displaces an earlier one at its distance.
        if count == 1:
            lines = np.flatnonzero(least < worst[rows])
            if len(lines):
                positions[row + lines, 0] = found[lines].argmin(axis=1) + start
                closest[row + lines, 0] = worst[row + lines] = least[lines]
            continue
        for line in np.flatnonzero(least < worst[rows]).tolist():
            better = np.flatnonzero(found[line] < worst[row + line])
            merged = np.concatenate([closest[row + line], found[line, better]])
            order = np.argsort(merged, kind="stable")[:count]
            closest[row + line] = merged[order]
            worst[row + line] = closest[row + line, -1]
            positions[row + line] = np.concatenate([positions[row + line], better + start])[order]
    return Neighbours(positions, closest, within)


def near_any(targets: Hashes, sources: Hashes, radius: int) -> npt.NDArray[np.bool_]:
    """Which of the sources (N,) lie within ``radius`` bits, inclusive, of any target (M,)."""
    near = np.zeros(len(sources), np.bool_)
    for _, start, found in _tiles(targets, sources):
        near[start : start + found.shape[1]] |= np.minimum.reduce(found, axis=0) <= radius
    return near


def pairs_within(hashes: Hashes, first: int, last: int, radius: int) -> tuple[Positions, Positions]:
    """The pairs (i, j) with first <= i < last and i < j that differ in ``radius`` bits or less."""
    left, right = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for row, start, found in _tiles(hashes[first:last], hashes[first:]):
        if start + found.shape[1] <= row:  # below the diagonal
            continue
        if np.minimum.reduce(found, axis=None) <= radius:
            lines, columns = np.nonzero(found <= radius)
            above = columns + start > lines + row
            left.append(lines[above] + row + first)
            right.append(columns[above] + start + first)
    return np.concatenate(left), np.concatenate(right)


def histograms(targets: Hashes, sources: Hashes) -> npt.NDArray[np.int64]:
    """How many sources lie at each distance (0 to 64) of each target, of shape (M, 65)."""
    counts = np.zeros((len(targets), BITS + 1), np.int64)
    for row, _, found in _tiles(targets, sources):
        for line, values in enumerate(found):
            counts[row + line] += np.bincount(values, minlength=BITS + 1)
    return counts


def _tiles(targets: Hashes, sources: Hashes) -> Iterator[tuple[int, int, Distances]]:
    """The distances of all pairs, a tile at a time: its first target, its first source, and both.

    Each tile is overwritten by the next.
    """
    width = TILE_SOURCES if len(targets) >= TILE_TARGETS else TILE_SOURCES_OF_FEW
    words = np.empty((TILE_TARGETS, width), np.uint64)
    bits = np.empty((TILE_TARGETS, width), np.uint8)
    for start in range(0, len(sources), width):
        block = sources[start : start + width]
        for row in range(0, len(targets), TILE_TARGETS):
            some = targets[row : row + TILE_TARGETS, None]
            differing = words[: len(some), : len(block)]
            np.bitwise_xor(block, some, out=differing)
            yield row, start, _popcount(differing, out=bits[: len(some), : len(block)])


_BITS_OF_16 = np.array([bin(value).count("1") for value in range(1 << 16)], np.uint8)


def _popcount_by_table(words: Hashes, out: Distances) -> Distances:
    """The number of set bits in each word, for numpy before 2.0, which has no bitwise_count."""
    quarters = np.ascontiguousarray(words).view(np.uint16).reshape((*words.shape, 4))
    return _BITS_OF_16[quarters].sum(axis=-1, dtype=np.uint8, out=out)


_popcount = getattr(np, "bitwise_count", _popcount_by_table)
