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
from typing import TYPE_CHECKING, Any, Collection, Iterator, Sequence, overload

import numpy as np
import numpy.typing as npt

from memscan import vectors
from memscan.errors import InputError
from memscan.sources import pyarrow_modules
from memscan.sources.stores import shown
from memscan.tables import arrow
from memscan.tables.part import OpenPart
from memscan.tables.rows import columns_of, fill, names_of

if TYPE_CHECKING:
    import pyarrow as pa

_KEPT_RUNS = 16  # whose names stay in memory once one of them was asked for

Order = npt.NDArray[Any]  # of unsigned integers


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
        with self.part.parquet() as file:
            return file.read_row_group(self.group, columns=list(columns))

    def read_hashes(
        self, views: Sequence[str], hashes: npt.NDArray[np.uint64]
    ) -> npt.NDArray[np.bool_]:
        """Read the hashes of some views into an array of shape (V, n, words), contiguous by view.

        Gives what has low information, of shape (n,). Raises InputError for rows that are not what
        the footer says, and for embeddings whose product is no cosine.
        """
        encoder, path = self.part.header.encoder, self.part.path
        columns = [name for view in views for name in columns_of(encoder, view)]
        table = self.read([*columns, "low_information"])
        with arrow.reading(path):
            if self.failures:
                table = table.filter(table[columns[0]].is_valid())
            if table.num_rows != self.hashed or any(c.null_count for c in table.columns):
                raise InputError(f"{shown(path)}: its rows are not what its footer says")
            fill(hashes, table, encoder, views)
            flags: npt.NDArray[np.bool_] = table["low_information"].to_numpy()
        dimensions = encoder.dimensions
        if dimensions and not all(
            vectors.have_cosines(vectors.unpack(words, dimensions)).all() for words in hashes
        ):
            raise InputError(
                f"{shown(path)}: its embeddings have no cosines (their length is not 1)"
            )
        return flags

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


def order_of(runs: Sequence[Run]) -> Order | None:
    """The rows with a hash, counted over ``runs``, in bytewise order of their names.

    None where they are in this order already, since no two runs overlap. ``runs`` must be in the
    order of :func:`clusters`. The names of one cluster are in memory at a time.
    """
    together = clusters(runs)
    if all(len(cluster) == 1 for cluster in together):
        return None
    pa, _, pc = pyarrow_modules.libraries()
    parts = []
    start = 0
    for cluster in together:
        names = pa.chunked_array(_names_of_all(cluster), pa.binary())
        parts.append(start + pc.sort_indices(names).to_numpy())
        start += len(names)
    return np.concatenate(parts).astype(np.uint32 if start < 1 << 32 else np.uint64)


def _names_of_all(runs: Sequence[Run]) -> list[pa.Array]:
    with ThreadPoolExecutor() as pool:
        return list(pool.map(Run.names, runs))


class StoredPaths(Sequence[str]):
    """The names of all images with a hash, read from their parts when they are asked for.

    ``order``, of shape (N,), says which row, counted over ``runs``, has each name; None for their
    own order. Looking one up reads a run, going through all of them in an ``order`` reads all.
    Raises InputError if a part is gone.
    """

    def __init__(self, runs: Sequence[Run], order: Order | None = None) -> None:
        self._runs = runs
        self._order = order
        self._starts = list(itertools.accumulate((run.hashed for run in runs), initial=0))
        self._names = functools.lru_cache(_KEPT_RUNS)(lambda index: runs[index].names())

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
        row = position if self._order is None else int(self._order[position])
        index = bisect.bisect_right(self._starts, row) - 1
        name: bytes = self._names(index)[row - self._starts[index]].as_py()
        return os.fsdecode(name)

    def find(self, wanted: Collection[str]) -> dict[str, int]:
        """The positions of those of the ``wanted`` names that are here.

        Only runs that can hold one of them are read. Of a name that is here twice, the last.
        """
        pa, _, pc = pyarrow_modules.libraries()
        names = sorted(map(os.fsencode, wanted))
        rows: list[int] = []
        for index, run in enumerate(self._runs):
            bounds = run.bounds and [os.fsencode(bound) for bound in run.bounds]
            first = bisect.bisect_left(names, bounds[0]) if bounds else 0
            last = bisect.bisect_right(names, bounds[1]) if bounds else len(names)
            if first < last:
                some = pa.array(names[first:last], pa.binary())
                found = pc.is_in(self._names(index), value_set=some).to_numpy(zero_copy_only=False)
                rows += (self._starts[index] + np.flatnonzero(found)).tolist()
        positions = rows if self._order is None else np.flatnonzero(np.isin(self._order, rows))
        return {self[position]: position for position in map(int, positions)}

    def __iter__(self) -> Iterator[str]:
        if self._order is None:
            for run in self._runs:
                yield from map(os.fsdecode, run.names().to_pylist())
        else:
            pa = pyarrow_modules.libraries().pa
            names = pa.chunked_array(_names_of_all(self._runs), pa.binary())
            yield from (os.fsdecode(names[row].as_py()) for row in self._order.tolist())
