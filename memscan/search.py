"""Exact search on all cores: spans of the sources in threads, merged."""

from __future__ import annotations

import functools
from typing import Callable, Iterable, Iterator, Tuple, TypeVar

import numpy as np
import numpy.typing as npt

from memscan import engines, hamming
from memscan.hamming import Hashes, Neighbours, Positions

Item = TypeVar("Item")
Result = TypeVar("Result")
Pairs = Tuple[Positions, Positions]

_LEAST_PAIRS = 1 << 22  # per thread: some milliseconds
_ROWS_OF_PAIRS = 1 << 10


def nearest(
    targets: Hashes,
    sources: Hashes,
    count: int = 1,
    excluded: Positions | None = None,
    radius: int = 0,
    jobs: int | None = None,
) -> Neighbours:
    """What :func:`memscan.hamming.nearest` gives, by several threads."""
    spans = _spans(len(sources), len(targets), jobs)

    def part(span: slice) -> Neighbours:
        own = None if excluded is None else excluded - span.start
        found = hamming.nearest(targets, sources[span], count, own, radius)
        found.positions[found.positions >= 0] += span.start
        return found

    parts = list(_in_threads(part, spans, jobs))
    if len(parts) == 1:
        return parts[0]
    positions = np.concatenate([found.positions for found in parts], axis=1)
    distances = np.concatenate([found.distances for found in parts], axis=1)
    order = np.argsort(distances, axis=1, kind="stable")[:, :count]  # spans rise, so positions do
    return Neighbours(
        np.take_along_axis(positions, order, axis=1),
        np.take_along_axis(distances, order, axis=1),
        functools.reduce(np.add, [found.within for found in parts]),
    )


def near_any(
    targets: Hashes, sources: Hashes, radius: int, jobs: int | None = None
) -> npt.NDArray[np.bool_]:
    """What :func:`memscan.hamming.near_any` gives, by several threads."""
    spans = _spans(len(sources), len(targets), jobs)
    parts = _in_threads(lambda span: hamming.near_any(targets, sources[span], radius), spans, jobs)
    return np.concatenate(list(parts))


def histograms(targets: Hashes, sources: Hashes, jobs: int | None = None) -> Positions:
    """What :func:`memscan.hamming.histograms` gives, by several threads."""
    spans = _spans(len(sources), len(targets), jobs)
    parts = _in_threads(lambda span: hamming.histograms(targets, sources[span]), spans, jobs)
    return functools.reduce(np.add, parts)


def components(hashes: Hashes, radius: int, jobs: int | None = None) -> Positions:
    """The groups that pairs within ``radius`` bits form, directly or through others.

    Gives for each hash the lowest position in its group, of shape (N,): its own if it is alone.
    There can be as many pairs as the square of the hashes; memory holds those of a thousand
    hashes for each thread, and of the others only what joins the groups.
    """
    starts = range(0, len(hashes), _ROWS_OF_PAIRS)

    def part(start: int) -> Pairs:
        pairs = hamming.pairs_within(hashes, start, start + _ROWS_OF_PAIRS, radius)
        return _thinned(pairs, len(hashes))

    pairs: Pairs = np.empty(0, np.int64), np.empty(0, np.int64)
    for more in _in_threads(part, starts, jobs):
        if len(more[0]):
            left, right = (np.concatenate([kept, new]) for kept, new in zip(pairs, more))
            pairs = _thinned((left, right), len(hashes))
    return _joined(pairs, len(hashes))


def _thinned(pairs: Pairs, count: int) -> Pairs:
    """Pairs that form the same groups of ``count`` positions, at most two for each position."""
    if len(pairs[0]) <= 2 * count:
        return pairs
    lowest = _joined(pairs, count)
    grouped = np.flatnonzero(lowest != np.arange(count))
    return grouped, lowest[grouped]


def _joined(pairs: Pairs, count: int) -> Positions:
    """The lowest position in the group of each of ``count`` positions."""
    positions = np.arange(count)
    if not len(pairs[0]):
        return positions
    from scipy.sparse import coo_matrix  # 0.2 s that a collection without a pair need not pay
    from scipy.sparse.csgraph import connected_components

    graph = coo_matrix((np.ones(len(pairs[0]), np.bool_), pairs), (count, count))
    groups, numbers = connected_components(graph, directed=False)
    lowest = np.empty(groups, np.int64)
    lowest[numbers[::-1]] = positions[::-1]  # of several, the last one written stays
    of_group: Positions = lowest[numbers]
    return of_group


def _in_threads(
    function: Callable[[Item], Result], items: Iterable[Item], jobs: int | None
) -> Iterator[Result]:
    return engines.map_chunks(lambda some: list(map(function, some)), items, jobs, chunk=1)


def _spans(sources: int, targets: int, jobs: int | None) -> list[slice]:
    """The sources in as many equal parts as there are workers with enough to do."""
    worth = sources * targets // _LEAST_PAIRS
    parts = max(1, min(jobs or engines.available_cores(), worth))
    bounds = [sources * part // parts for part in range(parts + 1)]
    return [slice(first, last) for first, last in zip(bounds, bounds[1:])]
