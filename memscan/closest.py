"""The closest sources of targets, gathered from pairs that come bit by bit."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from memscan.hamming import ByteDistances, Neighbours, Positions

_WAITING = 1 << 16
"""Pairs that are held before they are sorted: sorting often would cost more than searching."""


class Closest:
    """The ``count`` closest of all pairs added so far, for each of M targets.

    ``within``, of shape (M,), counts the pairs inside ``radius`` bits. Pairs may come in any order,
    each once. Of equal distances the lower position counts as closer.
    """

    def __init__(self, targets: int, count: int, radius: int) -> None:
        self.within = np.zeros(targets, np.int64)
        self._count, self._radius = count, radius
        nothing = np.empty(0, np.int64)
        self._parts = [(nothing, nothing, np.empty(0, np.uint8))]
        self._waiting = 0

    def add(self, rows: Positions, positions: Positions, distances: ByteDistances) -> None:
        """Take in pairs: the target's row, the source's position, and their distance."""
        self.within += np.bincount(rows[distances <= self._radius], minlength=len(self.within))
        self._hold(rows, positions, distances)

    def add_neighbours(
        self, found: Neighbours, rows: Positions, start: int, known: int, limit: int
    ) -> None:
        """Take in what a search of the sources from ``start`` on gave for the targets ``rows``.

        Only the pairs of more than ``known`` and at most ``limit`` bits: others have been added
        or will be. With ``known`` at -1 nothing has, and the numbers inside the radius count, too.
        """
        if known < 0:
            self.within[rows] += found.within
        new = found.distances <= limit  # so there is a neighbour
        new &= found.distances.astype(np.int64) > known
        lines, _ = np.nonzero(new)
        self._hold(rows[lines], found.positions[new] + start, found.distances[new].astype(np.uint8))

    def merge(self, other: Closest) -> None:
        """Take in what another one has gathered of other pairs for the same targets."""
        self.within += other.within
        self._hold(*other._sorted())

    def settled(self, radius: int) -> npt.NDArray[np.bool_]:
        """Which targets have ``count`` pairs within ``radius`` bits, of shape (M,)."""
        rows, _, distances = self._sorted()
        found = np.bincount(rows[distances <= radius], minlength=len(self.within))
        settled: npt.NDArray[np.bool_] = found >= self._count
        return settled

    def neighbours(self) -> Neighbours:
        """What has been gathered, as :func:`memscan.hamming.nearest` gives it."""
        rows, found, bits = self._sorted()
        shape = len(self.within), self._count
        positions, distances = np.full(shape, -1, np.int64), np.full(shape, 255, np.uint8)
        ranks = _ranks(rows)
        positions[rows, ranks] = found
        distances[rows, ranks] = bits
        return Neighbours(positions, distances, self.within)

    def _hold(self, rows: Positions, positions: Positions, distances: ByteDistances) -> None:
        self._parts.append((rows, positions, distances))
        self._waiting += len(rows)
        if self._waiting > _WAITING:
            self._sorted()

    def _sorted(self) -> tuple[Positions, Positions, ByteDistances]:
        """The pairs that count, by row, distance and position; all others are dropped."""
        if len(self._parts) > 1:
            rows = np.concatenate([part[0] for part in self._parts])
            positions = np.concatenate([part[1] for part in self._parts])
            distances = np.concatenate([part[2] for part in self._parts])
            order = np.lexsort((positions, distances, rows))
            order = order[_ranks(rows[order]) < self._count]
            self._parts = [(rows[order], positions[order], distances[order])]
            self._waiting = 0
        return self._parts[0]


def _ranks(rows: Positions) -> npt.NDArray[np.int64]:
    """The place of each entry among those of its row; ``rows`` rise."""
    begins = np.flatnonzero(np.diff(rows, prepend=-1))
    return np.arange(len(rows)) - np.repeat(begins, np.diff(begins, append=len(rows)))
