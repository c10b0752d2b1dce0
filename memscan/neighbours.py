"""Exact search by whatever is cheaper: comparing all pairs, or multi-index hashing.

Everything here gives what :mod:`memscan.hamming` gives, of one table or of one that comes in
blocks, and needs no memory that grows with the sources.
"""

from __future__ import annotations

import math
from typing import Callable, Iterable, Iterator, TypeVar

import numpy as np

from memscan import engines, hamming, search
from memscan.closest import Closest
from memscan.hamming import Hashes, Neighbours, Positions
from memscan.multi_index import NO_PAIRS, WORD_BITS, MultiIndex, Pairs, foreseen

Result = TypeVar("Result")

MOST_TARGETS = 1 << 11
"""Targets in one index: 100 MiB with the wider radius. More of them save little."""

COMPARING = 0.5e-9
"""Seconds to compare two hashes, measured where the costs in ``multi_index`` were."""

SPAN = 1 << 20
"""Sources that a thread takes at a time."""

WORTH = 0.5
"""Share of the time of comparing all pairs that looking up may cost: it may settle no target."""

_SAMPLE = 1 << 17
_ENOUGH = 4  # neighbours expected of even hashes: 2 in 100 targets have none


def nearest(
    targets: Hashes,
    sources: Hashes,
    count: int = 1,
    excluded: Positions | None = None,
    radius: int = 0,
    jobs: int | None = None,
) -> Neighbours:
    """What :func:`memscan.hamming.nearest` gives, by several threads."""
    return nearest_of_blocks(targets, [(0, sources)], count, excluded, radius, jobs)


def nearest_of_blocks(
    targets: Hashes,
    blocks: Iterable[tuple[int, Hashes]],
    count: int = 1,
    excluded: Positions | None = None,
    radius: int = 0,
    jobs: int | None = None,
) -> Neighbours:
    """The ``count`` closest sources of each target, of a table that comes in blocks.

    ``blocks`` gives for each block the position of its first hash in the table, and its hashes,
    which may be overwritten once the next block is asked for. ``excluded`` are positions in the
    table. Everything else is as in :func:`memscan.hamming.nearest`.
    """
    if count < 1:
        raise ValueError("count must be at least 1")
    left_out = np.full(len(targets), -1, np.int64) if excluded is None else excluded
    groups = [
        _Group(targets[rows], count, left_out[rows], radius, jobs) for rows in _groups(len(targets))
    ]
    for start, sources in blocks:
        for group in groups:
            group.search(start, sources)
    found = [group.closest.neighbours() for group in groups]
    return Neighbours(*map(np.concatenate, zip(*found)))


def within(targets: Hashes, sources: Hashes, radius: int, jobs: int | None = None) -> Pairs:
    """All pairs within ``radius`` bits, each once, by target, then distance, then position.

    Memory holds all of them: 17 bytes for a pair, and three times that while they are sorted.
    """
    parts = [NO_PAIRS]
    for rows in _groups(len(targets)):
        some = targets[rows]
        index = _worthwhile(some, sources, radius)

        def part(
            first: int, span: Hashes, some: Hashes = some, index: MultiIndex | None = index
        ) -> Pairs:
            found = _pairs(some, span, radius, index)
            return found._replace(positions=found.positions + first)

        for found in _of_spans(part, sources, jobs):
            parts.append(found._replace(rows=rows[found.rows]))
    together = Pairs(*map(np.concatenate, zip(*parts)))
    order = np.lexsort((together.positions, together.distances, together.rows))
    return together.chosen(order)


class _Group:
    """Some of the targets and the closest sources of them so far."""

    def __init__(
        self, targets: Hashes, count: int, excluded: Positions, radius: int, jobs: int | None
    ) -> None:
        self.closest = Closest(len(targets), count, radius)
        self._targets, self._count, self._excluded = targets, count, excluded
        self._radius, self._jobs = radius, jobs

    def search(self, start: int, sources: Hashes) -> None:
        """Take in a block of sources: those in the radius, then in a wider one, then all.

        A target that has enough neighbours inside one radius looks no further, and what one pass
        took in the next one leaves out.
        """
        rows, known = np.arange(len(self._targets)), -1
        for limit in (self._radius, _wider(len(sources), self._count)):
            index = _worthwhile(self._targets[rows], sources, limit) if limit > known else None
            if index is None:
                break
            for part in self._looked_up(index, rows, start, sources, known):
                self.closest.merge(part)
            rows, known = rows[~self.closest.settled(limit)[rows]], limit
        own = self._excluded[rows] - start
        targets = self._targets[rows]
        found = search.nearest(targets, sources, self._count, own, self._radius, self._jobs)
        self.closest.add_neighbours(found, rows, start, known, hamming.BITS)

    def _looked_up(
        self, index: MultiIndex, rows: Positions, start: int, sources: Hashes, known: int
    ) -> Iterator[Closest]:
        """What the index finds for the targets ``rows`` over ``known`` bits, in several parts."""
        excluded = self._excluded[rows] - start

        def part(offset: int, span: Hashes) -> Closest:
            closest = Closest(len(self._targets), self._count, self._radius)
            for first, tile, pairs in index.tiles(span):
                first += offset
                if pairs is None:
                    own = excluded - first
                    found = hamming.nearest(index.targets, tile, self._count, own, self._radius)
                    closest.add_neighbours(found, rows, start + first, known, index.radius)
                else:
                    new = pairs.positions + first != excluded[pairs.rows]
                    new &= pairs.distances.astype(np.int64) > known
                    lines, columns, bits = pairs.chosen(new)
                    closest.add(rows[lines], columns + (start + first), bits)
            return closest

        return _of_spans(part, sources, self._jobs)


def _wider(sources: int, count: int) -> int:
    """Bits within which nearly every target has ``count`` neighbours, however even the hashes are.

    Even numbers, as the distances of most hashes are; at most what an index bears.
    """
    pairs = 0
    for bits in range(WORD_BITS - 1):
        pairs += math.comb(hamming.BITS, bits)
        if bits % 2 == 0 and sources * pairs >= _ENOUGH * count << hamming.BITS:
            return bits
    return WORD_BITS - 1


def _groups(targets: int) -> list[Positions]:
    return np.array_split(np.arange(targets), max(1, -(-targets // MOST_TARGETS)))


def _of_spans(
    part: Callable[[int, Hashes], Result], sources: Hashes, jobs: int | None
) -> Iterator[Result]:
    """The results for spans of the sources, given the first position of each, by threads."""
    return engines.map_chunks(
        lambda firsts: [part(first, sources[first : first + SPAN]) for first in firsts],
        range(0, len(sources), SPAN),
        jobs,
        chunk=1,
    )


def _worthwhile(targets: Hashes, sources: Hashes, radius: int) -> MultiIndex | None:
    """An index of the targets, if looking the sources up is foreseen to be well worth it.

    Foreseen twice: for evenly spread hashes, before the index is built, and then by a sample.
    """
    if radius >= WORD_BITS:
        return None
    worth = WORTH * len(targets) * COMPARING
    building, looking_up = foreseen(len(targets), radius)
    if building + looking_up * len(sources) >= worth * len(sources):
        return None
    index = MultiIndex.build(targets, radius, sources[:: -(-len(sources) // _SAMPLE)])
    return index if index.seconds < worth else None


def _pairs(targets: Hashes, sources: Hashes, radius: int, index: MultiIndex | None) -> Pairs:
    """The pairs within the radius, in no order."""
    if index is None:
        return _compared(targets, sources, radius)
    parts = [NO_PAIRS]
    for first, tile, found in index.tiles(sources):
        pairs = _compared(targets, tile, radius) if found is None else found
        parts.append(pairs._replace(positions=pairs.positions + first))
    return Pairs(*map(np.concatenate, zip(*parts)))


def _compared(targets: Hashes, sources: Hashes, radius: int) -> Pairs:
    parts = [NO_PAIRS]
    for row, target in enumerate(targets):
        distances = hamming.count_bits(sources ^ target, np.empty(len(sources), np.uint8))
        near = np.flatnonzero(distances <= radius)
        parts.append(Pairs(np.full(len(near), row), near, distances[near]))
    return Pairs(*map(np.concatenate, zip(*parts)))
