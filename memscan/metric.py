"""How far two images are from each other by what is kept of them: in bits, or by a cosine."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from memscan import hamming, search
from memscan.hamming import Distances, Hashes, Near, Neighbours, Positions

_LEAST_QUERIES = 16
"""Hashes of targets that an index of them could be worth while for, whatever the source."""


class Metric(Protocol):
    """A distance between hashes, in whole units of its own."""

    def nearest(
        self,
        targets: Hashes,
        sources: Hashes,
        count: int,
        excluded: Positions | None,
        radius: int,
        jobs: int | None,
    ) -> Neighbours:
        """As :func:`memscan.hamming.nearest`; there, the largest number of its dtype is none."""

    def near(self, hashes: Hashes, hash: np.uint64 | Hashes, radius: int) -> Near:
        """All of the hashes within ``radius`` units of another one."""

    def units(self, threshold: float) -> int:
        """A threshold in units."""

    def shown(self, distance: int) -> float:
        """Units as a report has them: bits, or 1 minus the cosine to six decimals."""

    def names(self, hashes: Hashes) -> Hashes:
        """What names images in reports and baselines, of shape (N,) or (N, W)."""


class Hamming:
    """The number of bits in which two hashes differ."""

    def nearest(
        self,
        targets: Hashes,
        sources: Hashes,
        count: int,
        excluded: Positions | None,
        radius: int,
        jobs: int | None,
    ) -> Neighbours:
        """As in :class:`Metric`, by the cheapest way to search."""
        if targets.ndim == 1 and len(targets) >= _LEAST_QUERIES:
            from memscan import neighbours  # code that the scan of one target need not load

            return neighbours.nearest(targets, sources, count, excluded, radius, jobs)
        return search.nearest(targets, sources, count, excluded, radius, jobs)

    def near(self, hashes: Hashes, hash: np.uint64 | Hashes, radius: int) -> Near:
        """As in :class:`Metric`."""
        distances = hamming.distances(hashes, hash)
        positions = np.flatnonzero(distances <= radius)
        return Near(positions, distances[positions].astype(np.int64))

    def units(self, threshold: float) -> int:
        """As in :class:`Metric`: whole bits."""
        return int(threshold)

    def shown(self, distance: int) -> float:
        """As in :class:`Metric`: whole bits."""
        return distance

    def names(self, hashes: Hashes) -> Hashes:
        """As in :class:`Metric`: the hashes themselves."""
        return hashes


HAMMING = Hamming()


def none_of(distances: Distances) -> int:
    """What stands among such distances where there is no neighbour."""
    return int(np.iinfo(distances.dtype).max)
