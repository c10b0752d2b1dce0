"""Of a hash table on disk, the images that decide what is said about some targets.

These are all images within a radius of a target and the closest ones beyond it, with a sample of
the others: what a judgement needs, in little memory, from a table of any size. The table is read
block by block, here or a part at a time by the workers of a cluster.
"""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from typing import Any, Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from memscan import streaming
from memscan.cosine import Cosine
from memscan.hamming import Hashes
from memscan.metric import HAMMING, Metric, none_of
from memscan.records import Failure, Stage
from memscan.shards import ShardEngine
from memscan.sources.stores import shown
from memscan.table import HashTable, joined, sampled
from memscan.tables import places
from memscan.tables.stored import StoredTable

BLOCK = 1 << 22
"""Words that are searched at a time, at least, unless there are fewer."""

TASK = f"{__name__}:select_part"


@dataclass(frozen=True)
class Wanted:
    """What the images of a table are compared with.

    ``queries`` are the hashes of all targets in all views that count, ``count`` is the number of
    closest images that each of them needs, ``radius`` the distance, in units of the metric of the
    hashes, within which it needs all, ``jobs`` the number of threads.
    """

    queries: Hashes
    count: int
    radius: int
    jobs: int | None = None


def select(table: StoredTable, views: Sequence[str], wanted: Wanted, size: int) -> HashTable:
    """The images of a table that are wanted, in bytewise order of their names.

    ``size`` is the number of images of the whole table, of which this may be a part; it decides
    how large the sample is. Raises InputError for a damaged table.
    """
    dimensions = table.encoder.dimensions
    metric: Metric = Cosine(dimensions) if dimensions else HAMMING
    chosen: list[npt.NDArray[np.int64]] = []
    sample: list[Hashes] = []
    for view in ("full", *views):
        closest = _Closest(wanted, metric)
        for start, hashes in streaming.read_ahead(_large_blocks(table, view)):
            closest.take(start, hashes)
            if view == "full" and not dimensions:  # there is no model of chance for cosines
                sample.append(sampled(hashes, size))
        chosen += closest.positions()
    positions = np.unique(np.concatenate(chosen)) if chosen else np.empty(0, np.int64)
    rows = table.rows(positions, views)
    drawn = np.concatenate(sample) if sample else rows.hashes
    return dataclasses.replace(rows, population=len(table), sample=drawn)


def select_by(
    engine: ShardEngine, table: StoredTable, views: Sequence[str], wanted: Wanted
) -> tuple[HashTable, tuple[Failure, ...]]:
    """What :func:`select` gives of the whole table, a part at a time by an engine's workers.

    The engine has been entered. Parts that could not be searched are failures. Raises InputError.
    """
    words = wanted.queries.reshape(len(wanted.queries), -1)
    asked = {
        "queries": ["".join(f"{word:016x}" for word in row) for row in words.tolist()],
        "words": table.encoder.words,
        "count": wanted.count,
        "radius": wanted.radius,
        "views": list(views),
        "size": len(table),
    }
    paths = list(dict.fromkeys(run.part.path for run in table.runs))
    requests = ({"part": places.absolute(path), **asked} for path in paths)
    found: dict[int, HashTable] = {}
    failures = []
    for outcome in engine.run(TASK, requests):
        if outcome.result is None:
            reason = outcome.failure or "no answer"
            failures.append(Failure(shown(paths[outcome.index]), Stage.READ, reason, is_shard=True))
        else:
            found[outcome.index] = _from_json(outcome.result, table.encoder.words, views)
    nothing = table.rows(np.empty(0, np.int64), views)  # where every part failed
    nothing = dataclasses.replace(nothing, population=0, sample=nothing.hashes)
    rows = joined([nothing, *(found[index] for index in sorted(found))])
    failures.sort(key=lambda failure: os.fsencode(failure.path))
    return rows.in_bytewise_order(), tuple(failures)


def select_part(request: dict[str, Any], report: Callable[[int], None]) -> dict[str, Any]:
    """Search one part for another process: the task of :func:`select_by`."""
    queries = np.array(
        [
            [int(text[at : at + 16], 16) for at in range(0, len(text), 16)]
            for text in request["queries"]
        ],
        np.uint64,
    ).reshape(-1, request["words"])
    wanted = Wanted(
        queries[:, 0].copy() if request["words"] == 1 else queries,
        request["count"],
        request["radius"],
        jobs=1,  # shards are the parallelism
    )
    table = StoredTable.open(request["part"])
    found = select(table, request["views"], wanted, request["size"])
    report(len(table))
    return _to_json(found)


class _Closest:
    """The positions of what is wanted in one view, gathered block by block."""

    def __init__(self, wanted: Wanted, metric: Metric) -> None:
        self._wanted = wanted
        self._metric = metric
        self._best: npt.NDArray[Any] | None = None
        self._candidates: list[tuple[int, npt.NDArray[Any], npt.NDArray[np.int64]]] = []

    def take(self, start: int, hashes: Hashes) -> None:
        """Take in a block of the table."""
        queries, count, radius = self._wanted.queries, self._wanted.count, self._wanted.radius
        asked, jobs = min(count + 1, len(hashes)), self._wanted.jobs
        found = self._metric.nearest(queries, hashes, asked, None, radius, jobs)
        both = found.distances if self._best is None else np.hstack([self._best, found.distances])
        self._best = np.sort(both, axis=1)[:, :count]
        # All that are as close as the last one that counts, since names resolve equal distances,
        # and these need not be in the order of positions.
        limits = np.full(len(queries), none_of(found.distances))
        if self._best.shape[1] == count:
            limits = np.maximum(self._best[:, -1], radius)
        # The search for one more than counts tells of most targets that there are no others.
        all_found = (found.distances[:, -1] > limits) | (asked == len(hashes))
        for row in np.flatnonzero(found.distances[:, 0] <= limits).tolist():
            distances, positions = found.distances[row], found.positions[row]
            if not all_found[row]:
                positions, distances = self._metric.near(hashes, queries[row], int(limits[row]))
            inside = distances <= limits[row]
            self._candidates.append((row, distances[inside], positions[inside] + start))

    def positions(self) -> Iterator[npt.NDArray[np.int64]]:
        """The positions, some of them more than once."""
        for row, distances, positions in self._candidates:
            assert self._best is not None
            limit = max(self._best[row, -1], self._wanted.radius)
            yield positions[distances <= limit]


def _large_blocks(table: StoredTable, view: str) -> Iterator[tuple[int, Hashes]]:
    """The blocks of a table, joined until they are worth the search of many targets at once."""
    first, waiting, count = 0, [], 0
    for block in table.blocks(view):
        waiting.append(block.hashes)
        count += len(block.hashes)
        if count * table.encoder.words >= BLOCK:
            yield first, np.concatenate(waiting)
            first, waiting, count = first + count, [], 0
    if waiting:
        yield first, np.concatenate(waiting)


def _to_json(table: HashTable) -> dict[str, Any]:
    return {
        "paths": list(table.paths),
        "hashes": table.hashes.tolist(),
        "low_information": table.low_information.tolist(),
        "views": table.views.tolist(),
        "population": table.size,
        "sample": [] if table.sample is None else table.sample.tolist(),
    }


def _from_json(fields: dict[str, Any], words: int, views: Sequence[str]) -> HashTable:
    one = () if words == 1 else (words,)
    count = len(fields["paths"])
    return HashTable(
        fields["paths"],
        np.array(fields["hashes"], np.uint64).reshape(count, *one),
        np.array(fields["low_information"], np.bool_),
        np.array(fields["views"], np.uint64).reshape(count, len(views), *one),
        tuple(views),
        population=fields["population"],
        sample=np.array(fields["sample"], np.uint64).reshape(-1, *one),
    )
