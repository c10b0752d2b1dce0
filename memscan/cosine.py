"""Exact neighbours of embeddings under the cosine. numpy only.

Embeddings are float32 rows of length 1. A distance is 1 minus the cosine in whole millionths, from
0 to two million, in ``int32``: distances that differ by less count as equal, so that the order of
sums in a matrix product, which depends on the machine and on the block, decides nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from memscan import vectors
from memscan.hamming import Hashes, Near, Neighbours, Positions

Embeddings = npt.NDArray[np.float32]
Scores = npt.NDArray[np.float32]
Distances = npt.NDArray[np.int32]

UNITS = 10**6
"""Units of distance to a cosine of 1."""

NOTHING = int(np.iinfo(np.int32).max)
"""The distance that stands where there is no neighbour, together with position -1."""

# Scores that are held at a time, 8 MiB: they are looked through while they are in the caches.
_BLOCK_TARGETS, _BLOCK_SOURCES = 256, 1 << 13

_EXACT_NUMBERS = 1 << 20  # of embeddings that are multiplied again in float64 at a time


def nearest(
    targets: Embeddings,
    sources: Embeddings,
    count: int = 1,
    excluded: Positions | None = None,
    radius: int = 0,
) -> Neighbours:
    """The ``count`` closest sources of each target, and how many lie within ``radius``.

    ``targets`` and ``sources`` have shapes (M, D) and (N, D); ``excluded``, of shape (M,), names
    for each target one position in ``sources`` to leave out, or -1. Of equal distances the lower
    position comes first.

    A product in float32 finds all sources that could be among the closest, given how far it may be
    off; their distances are then taken in float64, where products of float32 are exact.
    """
    if count < 1:
        raise ValueError("count must be at least 1")
    best = np.full((len(targets), count), NOTHING, np.int32)
    positions = np.full((len(targets), count), -1, np.int64)
    within = np.zeros(len(targets), np.int64)
    slack = _slack(targets, sources)
    for start in range(0, len(sources), _BLOCK_SOURCES):
        block = sources[start : start + _BLOCK_SOURCES]
        for row in range(0, len(targets), _BLOCK_TARGETS):
            some = targets[row : row + _BLOCK_TARGETS]
            scores: Scores = some @ block.T
            if excluded is not None:
                own = excluded[row : row + len(some)] - start
                (inside,) = np.nonzero((own >= 0) & (own < len(block)))
                scores[inside, own[inside]] = -np.inf
            within[row : row + len(some)] += _count_within(some, block, scores, radius, slack)
            known = best[row : row + len(some), -1]
            lines, columns = np.nonzero(scores >= _floor(scores, count, known, slack)[:, None])
            left = scores[lines, columns] > -np.inf
            lines, columns = lines[left], columns[left]
            found = _distances(some, block, lines, columns)
            _merge(best, positions, lines + row, columns + start, found)
    return Neighbours(positions, best, within)


def near(
    targets: Embeddings, sources: Embeddings, radius: int
) -> tuple[Positions, Positions, Distances]:
    """All pairs within ``radius``: rows of targets, positions of sources, and their distances."""
    slack, limit = _slack(targets, sources), 1 - radius / UNITS
    parts = [(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.int32))]
    for start in range(0, len(sources), _BLOCK_SOURCES):
        block = sources[start : start + _BLOCK_SOURCES]
        for row in range(0, len(targets), _BLOCK_TARGETS):
            some = targets[row : row + _BLOCK_TARGETS]
            lines, columns = np.nonzero(some @ block.T >= limit - slack)
            found = _distances(some, block, lines, columns)
            inside = found <= radius
            parts.append((lines[inside] + row, columns[inside] + start, found[inside]))
    rows, positions, distances = (np.concatenate(part) for part in zip(*parts))
    order = np.lexsort((positions, rows))
    return rows[order], positions[order], distances[order]


@dataclass(frozen=True)
class Cosine:
    """1 minus the cosine of embeddings of so many numbers, packed by :mod:`memscan.vectors`."""

    dimensions: int

    def nearest(
        self,
        targets: Hashes,
        sources: Hashes,
        count: int,
        excluded: Positions | None,
        radius: int,
        jobs: int | None,
    ) -> Neighbours:
        """As in :class:`memscan.metric.Metric`. The matrix products use all cores by themselves."""
        return nearest(
            self._embeddings(targets), self._embeddings(sources), count, excluded, radius
        )

    def near(self, hashes: Hashes, hash: np.uint64 | Hashes, radius: int) -> Near:
        """As in :class:`memscan.metric.Metric`."""
        target = self._embeddings(np.atleast_2d(np.asarray(hash)))
        _, positions, distances = near(target, self._embeddings(hashes), radius)
        return Near(positions, distances.astype(np.int64))

    def units(self, threshold: float) -> int:
        """As in :class:`memscan.metric.Metric`: millionths."""
        return round(threshold * UNITS)

    def shown(self, distance: int) -> float:
        """As in :class:`memscan.metric.Metric`."""
        return round(distance / UNITS, 6)

    def names(self, hashes: Hashes) -> Hashes:
        """As in :class:`memscan.metric.Metric`: the pHash, which is the first word."""
        return np.ascontiguousarray(hashes[:, 0])

    def _embeddings(self, words: Hashes) -> Embeddings:
        return vectors.unpack(words, self.dimensions)


def _slack(targets: Embeddings, sources: Embeddings) -> float:
    """How far a score may be from the one that a distance stands for.

    That is by rounding D sums of float32 in any order (Higham, Accuracy and Stability of Numerical
    Algorithms, section 3.1), and by rounding the distance to a unit.
    """
    longest = _longest(targets) * _longest(sources)
    summed: int = targets.shape[1] + 1
    return 1.01 * summed * 2.0**-24 * longest + 1 / UNITS


def _longest(rows: Embeddings) -> float:
    if not len(rows):
        return 0.0
    squares: npt.NDArray[np.float32] = np.einsum("ij,ij->i", rows, rows)
    longest: float = math.sqrt(squares.max())
    return longest


def _count_within(
    targets: Embeddings, sources: Embeddings, scores: Scores, radius: int, slack: float
) -> npt.NDArray[np.int64]:
    """How many sources lie within the radius of each target; doubtful scores are taken again."""
    limit = 1 - radius / UNITS
    above = scores >= limit - slack
    counts: npt.NDArray[np.int64] = np.count_nonzero(above, axis=1).astype(np.int64)
    if counts.any():
        lines, columns = np.nonzero(above & (scores <= limit + slack))
        beyond = _distances(targets, sources, lines, columns) > radius
        counts -= np.bincount(lines[beyond], minlength=len(counts))
    return counts


def _floor(scores: Scores, count: int, known: Distances, slack: float) -> npt.NDArray[np.float64]:
    """For each target the least score in a block that may be one of its ``count`` best.

    ``known`` are the distances of the last of the best so far.
    """
    if count == 1:
        last = scores.max(axis=1)
    elif count < scores.shape[1]:
        last = np.partition(scores, -count, axis=1)[:, -count]
    else:
        last = np.full(len(scores), -np.inf, np.float32)
    # A score above 1 is rounding, and its distance is that of 1.
    floor = np.minimum(last, 1) - 2 * slack
    reached = np.where(known < NOTHING, 1 - known / UNITS, -np.inf) - slack
    least: npt.NDArray[np.float64] = np.maximum(floor, reached)
    return least


def _distances(
    targets: Embeddings, sources: Embeddings, rows: Positions, positions: Positions
) -> Distances:
    """The distances of some pairs, the same whatever other pairs are asked for."""
    found = np.empty(len(rows), np.int32)
    step = max(1, _EXACT_NUMBERS // max(1, targets.shape[1]))
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        left = targets[rows[part]].astype(np.float64)
        left *= sources[positions[part]]
        cosines = np.add.reduce(left, axis=1)
        found[part] = np.rint((1 - np.clip(cosines, -1, 1)) * UNITS)
    return found


def _merge(
    best: Distances, positions: Positions, rows: Positions, found: Positions, distances: Distances
) -> None:
    """Take candidates into the closest ones so far; ``rows`` rise."""
    begins = np.flatnonzero(np.diff(rows, prepend=-1))
    for first, last in zip(begins.tolist(), [*begins[1:].tolist(), len(rows)]):
        row = int(rows[first])
        together = np.concatenate([best[row], distances[first:last]])
        places = np.concatenate([positions[row], found[first:last]])
        # Positions rise from block to block, so that of equal distances the known one stays.
        order = np.argsort(together, kind="stable")[: best.shape[1]]
        best[row], positions[row] = together[order], places[order]
