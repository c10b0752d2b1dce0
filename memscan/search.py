"""Exact search on all cores: spans of the sources in threads, merged."""

from __future__ import annotations

import functools
from typing import Callable, Iterable, TypeVar

import numpy as np
import numpy.typing as npt

from memscan import engines, hamming
from memscan.hamming import Hashes, Neighbours, Positions

Item = TypeVar("Item")
Result = TypeVar("Result")

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

    parts = _in_threads(part, spans, jobs)
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
    return np.concatenate(parts)


def histograms(targets: Hashes, sources: Hashes, jobs: int | None = None) -> Positions:
    """What :func:`memscan.hamming.histograms` gives, by several threads."""
    spans = _spans(len(sources), len(targets), jobs)
    parts = _in_threads(lambda span: hamming.histograms(targets, sources[span]), spans, jobs)
    return functools.reduce(np.add, parts)


def pairs_within(
    hashes: Hashes, radius: int, jobs: int | None = None
) -> tuple[Positions, Positions]:
    """All pairs (i, j), i < j, of hashes that differ in ``radius`` bits or less, in order."""
    starts = range(0, len(hashes), _ROWS_OF_PAIRS)

    def part(start: int) -> tuple[Positions, Positions]:
        return hamming.pairs_within(hashes, start, start + _ROWS_OF_PAIRS, radius)

    parts = _in_threads(part, starts, jobs)
    empty = np.empty(0, np.int64)
    left = np.concatenate([empty, *(found[0] for found in parts)])
    right = np.concatenate([empty, *(found[1] for found in parts)])
    order = np.lexsort((right, left))
    return left[order], right[order]


def _in_threads(
    function: Callable[[Item], Result], items: Iterable[Item], jobs: int | None
) -> list[Result]:
    return list(engines.map_chunks(lambda some: list(map(function, some)), items, jobs, chunk=1))


def _spans(sources: int, targets: int, jobs: int | None) -> list[slice]:
    """The sources in as many equal parts as there are workers with enough to do."""
    worth = sources * targets // _LEAST_PAIRS
    parts = max(1, min(jobs or engines.available_cores(), worth))
    bounds = [sources * part // parts for part in range(parts + 1)]
    return [slice(first, last) for first, last in zip(bounds, bounds[1:])]
