"""A hash table on disk, opened: checked, loaded, or read a block at a time."""

from __future__ import annotations

import itertools
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Iterable, Iterator, Mapping, NamedTuple, Sequence

import numpy as np
import numpy.typing as npt

from memscan.errors import InputError
from memscan.records import Failure, Stage
from memscan.sources.stores import shown
from memscan.table import HashTable
from memscan.tables import arrow, manifest, places
from memscan.tables import order as order_file
from memscan.tables.identity import Encoder
from memscan.tables.manifest import FailedShard, Manifest, Versions
from memscan.tables.part import OpenPart, header_of, open_part
from memscan.tables.rows import names_of
from memscan.tables.runs import Order, Run, StoredPaths, clusters, order_of, runs_of

Hashes = npt.NDArray[np.uint64]


class Block(NamedTuple):
    """The images of one row group, in bytewise order of their names.

    ``start`` is the position of the first in :attr:`StoredTable.paths`; ``hashes`` (uint64) has
    shape (n,), or (n, words) for hashes of several words and embeddings, ``low_information`` (bool)
    shape (n,).
    """

    start: int
    hashes: Hashes
    low_information: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class StoredTable:
    """A hash table on disk, of which only footers are in memory.

    ``warnings`` are sentences about what is not as it should be and does not stop a scan;
    ``failed`` are the shards that gave no part, ``order`` the digest of the order that is kept of
    parts that interleave. Without a manifest, nothing is known of them.
    """

    path: str
    encoder: Encoder
    libraries: Versions
    runs: tuple[Run, ...]
    warnings: tuple[str, ...] = ()
    failed: tuple[FailedShard, ...] = ()
    order: str | None = None

    @classmethod
    def open(cls, path: str) -> StoredTable:
        """Open a table: a directory of parts, with a manifest or without, or a single part.

        Raises InputError for a table that is damaged, or whose parts do not belong together.
        """
        if not places.is_directory(path):
            return cls._of_parts(path, [open_part(path)])
        listed = manifest.read(path)
        names = manifest.part_names(path, listed)
        if listed is not None:
            return cls._of_manifest(path, listed, names)
        if not names:
            raise InputError(f"{shown(path)}: no hash table here, neither a manifest nor a part")
        warning = (
            f"{shown(path)}: there is no {manifest.NAME}, so parts that are missing cannot be told "
            "(memscan index, run again, finishes the table)"
        )
        return cls._of_parts(path, _open_parts(path, names), (warning,))

    @classmethod
    def _of_parts(
        cls,
        path: str,
        parts: Sequence[OpenPart],
        warnings: tuple[str, ...] = (),
        failed: tuple[FailedShard, ...] = (),
        order: str | None = None,
    ) -> StoredTable:
        encoder = manifest.one_encoder(parts)
        libraries = manifest.versions(parts)
        runs = clusters([run for part in parts for run in runs_of(part)])
        return cls(path, encoder, libraries, tuple(itertools.chain(*runs)), warnings, failed, order)

    @classmethod
    def _of_manifest(cls, path: str, listed: Manifest, names: Sequence[str]) -> StoredTable:
        warnings = []
        at = shown(path)
        if listed.failed:
            first = listed.failed[0]
            warnings.append(
                f"{at}: incomplete, {len(listed.failed)} shards failed "
                f"(first {first.shard.name}: {first.reason})"
            )
        wanted = [part.name for part in listed.parts]
        unlisted = len(set(names) - set(wanted))
        if unlisted:
            warnings.append(f"{at}: {unlisted} parts are not in {manifest.NAME} and are left out")
        missing = sorted(set(wanted) - set(names))
        if missing:
            raise InputError(
                f"{at}: {len(missing)} of {len(wanted)} parts are missing (first {missing[0]}); "
                "run memscan index again"
            )
        parts = _open_parts(path, wanted)
        for part, entry in zip(parts, listed.parts):
            if not listed.agrees(part, entry):
                raise InputError(
                    f"{shown(part.path)}: not the part that {manifest.NAME} lists; "
                    "run memscan index again"
                )
        if not parts:
            return cls(path, listed.encoder, listed.libraries, (), tuple(warnings), listed.failed)
        return cls._of_parts(path, parts, tuple(warnings), listed.failed, listed.order)

    def __len__(self) -> int:
        """The number of images with a hash."""
        return sum(run.hashed for run in self.runs)

    def check(
        self,
        algorithm: str,
        decoding: str,
        views: Sequence[str] = (),
        libraries: Mapping[str, str] | None = None,
    ) -> list[str]:
        """Whether hashes made like this can be compared with the table; gives warnings.

        ``libraries`` are the versions in use. Raises InputError, in one sentence that says what
        differs, for another algorithm or way of decoding, or for views that the table lacks.
        """
        for what, here, asked in (
            ("algorithm", self.encoder.algorithm, algorithm),
            ("decode mode", self.encoder.decoding, decoding),
        ):
            if here != asked:
                raise InputError(
                    f"{shown(self.path)}: its {what} is {here}, but this scan's is {asked}, "
                    "and the two cannot be compared"
                )
        missing = [name for name in views if name not in self.encoder.views]
        if missing:
            raise InputError(
                f"{shown(self.path)}: it has no hashes of {len(missing)} views that this scan "
                f"compares (first {missing[0]}); index the source again with these views"
            )
        warnings = list(self.warnings)
        for library, version in (libraries or {}).items():
            others = [v for v in self.libraries.get(library, ()) if v != version]
            if others:
                change = "a little" if self.encoder.dimensions else "by a bit or two"
                warnings.append(
                    f"{shown(self.path)}: made with {library} {' and '.join(others)}, this is "
                    f"{library} {version}; distances can differ {change}"
                )
        return warnings

    def load(self, views: Sequence[str] = ()) -> HashTable:
        """The table in memory, in bytewise order of its names, with the hashes of some views.

        Names stay on disk; where parts interleave and no order of them is kept (there is no
        manifest), they are read once and sorted. Hashes of several words have shape (N, words),
        and views (N, V, words). Raises InputError.
        """
        count, words = len(self), self.encoder.words
        every = np.empty((1 + len(views), count, words), np.uint64)
        low_information = np.empty(count, np.bool_)
        starts = list(itertools.accumulate((run.hashed for run in self.runs), initial=0))

        def fill(some: Iterable[tuple[int, Run]]) -> None:
            for start, run in some:
                rows = slice(start, start + run.hashed)
                low_information[rows] = run.read_hashes(("full", *views), every[:, rows])

        items = list(zip(starts, self.runs))
        readers = places.readers(self.path)
        with ThreadPoolExecutor(readers) as pool:
            list(pool.map(fill, (items[share::readers] for share in range(readers))))
        order = self._order()
        if order is not None:
            low_information = low_information[order]
            for column in every:
                column[:] = column[order]
        if words == 1:
            every = every[:, :, 0]
        others = np.moveaxis(every[1:], 0, 1)  # each view stays contiguous in memory
        return HashTable(
            StoredPaths(self.runs, order), every[0], low_information, others, tuple(views)
        )

    def rows(self, positions: npt.NDArray[np.int64], views: Sequence[str] = ()) -> HashTable:
        """The images at rising positions in :attr:`paths`, in bytewise order of their names.

        Only the row groups that hold them are read. Raises InputError.
        """
        words = self.encoder.words
        every = np.empty((1 + len(views), len(positions), words), np.uint64)
        low_information = np.empty(len(positions), np.bool_)
        start = done = 0
        for run in self.runs:
            last = done + np.searchsorted(positions[done:], start + run.hashed)
            if last > done:
                hashes = np.empty((len(every), run.hashed, words), np.uint64)
                flags = run.read_hashes(("full", *views), hashes)
                chosen = positions[done:last] - start
                every[:, done:last], low_information[done:last] = hashes[:, chosen], flags[chosen]
            start, done = start + run.hashed, int(last)
        paths, place = self.paths, [int(position) for position in positions]
        names = [paths[position] for position in place]
        order = sorted(range(len(names)), key=lambda row: os.fsencode(names[row]))
        every = every[:, order, 0] if words == 1 else every[:, order]
        return HashTable(
            [names[row] for row in order],
            every[0],
            low_information[order],
            np.moveaxis(every[1:], 0, 1),
            tuple(views),
        )

    def blocks(self, view: str = "full") -> Iterator[Block]:
        """The hashes of all images, a row group at a time, in the memory of one row group.

        Blocks may interleave. To take the first of equal distances, as over :meth:`load`, take the
        lowest positions of each block and compare the names of what is left. Raises InputError.
        """
        start, words = 0, self.encoder.words
        for run in self.runs:
            hashes = np.empty((1, run.hashed, words), np.uint64)
            low_information = run.read_hashes((view,), hashes)
            yield Block(start, hashes[0, :, 0] if words == 1 else hashes[0], low_information)
            start += run.hashed

    @property
    def paths(self) -> StoredPaths:
        """The names of the images in the order of :meth:`blocks`, read when asked for."""
        return StoredPaths(self.runs)

    def _order(self) -> Order | None:
        """The rows in bytewise order of their names; None where they are in this order."""
        if self.order is None:
            return order_of(self.runs)
        return order_file.read(self.path, self.order, len(self))

    def failures(self) -> Iterator[Failure]:
        """The images that were lost when the table was made. Raises InputError."""
        for run in self.runs:
            if run.failures:
                yield from _lost(run)


def is_table(path: str) -> bool:
    """Whether there is a hash table of memscan at a path, be it whole or damaged."""
    try:
        if places.is_directory(path):
            if places.exists(places.join(path, manifest.NAME)):
                return True
            names = [name for name in places.names_in(path) if name.endswith(manifest.SUFFIX)]
            return bool(names) and is_table(places.join(path, min(names)))
        with arrow.open_parquet(path) as file:
            return header_of(file.schema_arrow) is not None
    except InputError:
        return False


def _open_parts(directory: str, names: Sequence[str]) -> list[OpenPart]:
    with ThreadPoolExecutor(places.readers(directory)) as pool:
        return list(pool.map(open_part, (places.join(directory, name) for name in names)))


def _lost(run: Run) -> Iterator[Failure]:
    table = run.read(["uri", "uri_bytes", "hash", "error", "stage"])
    with arrow.reading(run.part.path):
        table = table.filter(table["hash"].is_null())
        names = names_of(table).to_pylist()
        for name, message, stage in zip(
            names, table["error"].to_pylist(), table["stage"].to_pylist()
        ):
            yield Failure(os.fsdecode(name), Stage(stage), message or "it says not why")
