"""The row groups of all parts in the bytewise order of their names.

Each row group is a sorted run, and its bounds stand in the file's footer. Runs that do not overlap
only have to be put in order; only where some do are names read and sorted.
"""

from __future__ import annotations

import bisect
import functools
import itertools
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Iterator, Sequence, overload

import numpy as np
import numpy.typing as npt

from memscan.tables import arrow
from memscan.tables.part import OpenPart
from memscan.tables.rows import names_of

if TYPE_CHECKING:
    import pyarrow as pa

_KEPT_SEGMENTS = 4  # whose names stay in memory once one of them was asked for


@dataclass(frozen=True)
class Run:
    """A row group; ``bounds`` are its first and last name, None where they are not known."""

    part: OpenPart
    group: int
    rows: int
    failures: int
    bounds: tuple[str, str] | None

    @property
    def hashed(self) -> int:
        """The number of rows with a hash."""
        return self.rows - self.failures

    def read(self, columns: Sequence[str]) -> pa.Table:
        """Some columns, rows of failures included. Raises InputError."""
        with arrow.reading(self.part.path), self.part.parquet() as file:
            return file.read_row_group(self.group, columns=list(columns))

    def names(self) -> pa.Array:
        """The bytes of the names of the rows with a hash."""
        columns = ["uri", "uri_bytes", *(["hash"] if self.failures else [])]
        table = self.read(columns)
        with arrow.reading(self.part.path):
            if self.failures:
                table = table.filter(table["hash"].is_valid())
            return names_of(table).combine_chunks()


def runs_of(part: OpenPart) -> list[Run]:
    """The runs of a part in the order of the file."""
    return [
        Run(
            part,
            group,
            part.footer.row_group(group).num_rows,
            part.failures(group),
            _bounds(part, group),
        )
        for group in range(part.footer.num_row_groups)
    ]


def _bounds(part: OpenPart, group: int) -> tuple[str, str] | None:
    row_group = part.footer.row_group(group)
    uri = row_group.column(0).statistics
    uri_bytes = row_group.column(row_group.num_columns - 1).statistics
    if uri is None or not uri.has_min_max:  # a name of more than 4 KiB
        return None
    if uri_bytes is None or uri_bytes.null_count != row_group.num_rows:
        return None
    with arrow.reading(part.path):
        return uri.min, uri.max


def clusters(runs: Sequence[Run]) -> list[list[Run]]:
    """Runs that overlap, directly or through others, together; all in the order of their names.

    Every name of a cluster stands before every name of the next one. Where the bounds of one run
    are not known, all are one cluster.
    """
    if any(run.bounds is None for run in runs):
        return [list(runs)]
    together: list[list[Run]] = []
    last = ""
    for first, end, run in sorted(
        ((*run.bounds, run) for run in runs if run.bounds is not None), key=lambda item: item[:2]
    ):
        if together and first <= last:
            together[-1].append(run)
            last = max(last, end)
        else:
            together.append([run])
            last = end
    return together


class Segment:
    """The names of one cluster, in bytewise order.

    ``order``, of shape (count,), says which hash of the cluster, in the order of its runs, has
    each name; None for a single run, which is in order. Only several runs keep names in memory.
    """

    def __init__(self, cluster: Sequence[Run]) -> None:
        self.count = sum(run.hashed for run in cluster)
        self.order: npt.NDArray[np.int64] | None = None
        self._run = cluster[0]
        self._names: pa.ChunkedArray | None = None
        if len(cluster) > 1:
            pa, _, pc = arrow.libraries()
            with ThreadPoolExecutor() as pool:
                self._names = pa.chunked_array(list(pool.map(Run.names, cluster)), pa.binary())
            self.order = pc.sort_indices(self._names).to_numpy().astype(np.int64)

    def names(self) -> pa.Array | pa.ChunkedArray:
        """The bytes of the names, to be taken in ``order``. Raises InputError."""
        return self._run.names() if self._names is None else self._names


class StoredPaths(Sequence[str]):
    """The names of all images with a hash, read from their parts when they are asked for.

    Reading one raises InputError if its part is gone.
    """

    def __init__(self, segments: Sequence[Segment]) -> None:
        self._segments = segments
        self._starts = list(itertools.accumulate((s.count for s in segments), initial=0))
        self._names = functools.lru_cache(_KEPT_SEGMENTS)(lambda index: segments[index].names())

    def __len__(self) -> int:
        return self._starts[-1]

    @overload
    def __getitem__(self, position: int) -> str: ...

    @overload
    def __getitem__(self, position: slice) -> list[str]: ...

    def __getitem__(self, position: int | slice) -> str | list[str]:
        if isinstance(position, slice):
            return [self[one] for one in range(*position.indices(len(self)))]
        position = range(len(self))[position]
        index = bisect.bisect_right(self._starts, position) - 1
        row = position - self._starts[index]
        order = self._segments[index].order
        name: bytes = self._names(index)[row if order is None else int(order[row])].as_py()
        return os.fsdecode(name)

    def __iter__(self) -> Iterator[str]:
        for index, segment in enumerate(self._segments):
            names = self._names(index)
            if segment.order is None:
                yield from map(os.fsdecode, names.to_pylist())
            else:
                yield from (os.fsdecode(names[row].as_py()) for row in segment.order.tolist())
