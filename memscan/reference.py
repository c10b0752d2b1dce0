"""Images that targets are compared with: what was listed, hashed and lost."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Collection, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from memscan import search
from memscan.collection import collect
from memscan.encoders import PHASH, Encoder
from memscan.intake import Intake
from memscan.records import Failure
from memscan.report import Source, Volume
from memscan.sources.directories import Listing, same_files
from memscan.sources.given import Count, found_in, require_readable, unlisted
from memscan.table import HashTable
from memscan.views import ViewSet

if TYPE_CHECKING:
    from memscan.selection import Wanted
    from memscan.shards import ShardEngine


@dataclass(frozen=True)
class Reference:
    """Images that targets are compared with: those listed, those hashed, and the failures."""

    listings: Sequence[Listing]
    table: HashTable
    failures: tuple[Failure, ...]
    counts: Mapping[str, Count] = field(default_factory=dict)
    volumes: tuple[Volume, ...] = ()
    warnings: tuple[str, ...] = ()

    @classmethod
    def hashed(
        cls,
        listings: Sequence[Listing],
        intake: Intake,
        phase: str,
        view_set: ViewSet,
        encoder: Encoder = PHASH,
        fast_near: tuple[npt.NDArray[np.uint64], int] | None = None,
        hash_column: str | None = None,
        wanted: Wanted | None = None,
        engine: ShardEngine | None = None,
    ) -> Reference:
        """Hash the listed files; raises InputError for a listing of which none can be read.

        ``fast_near`` asks for fast hashes, but exact ones of those sources whose fast hash lies
        within a number of bits of some hashes. ``hash_column`` names the column of tables
        that others made; ``wanted`` is what is needed of tables too large for memory, or read by
        the workers of an ``engine``.
        """
        fast = fast_near is not None
        table, failures, counts, volumes, warnings = collect(
            listings,
            intake,
            phase,
            encoder=encoder,
            fast=fast,
            view_set=view_set,
            hash_column=hash_column,
            wanted=wanted,
            engine=engine,
        )
        if fast_near is not None:
            hashes, radius = fast_near
            files = {path for one in listings for path in one.paths}
            near = np.zeros(len(table), np.bool_)
            for name in ("full", *table.view_names):
                near |= search.near_any(hashes, table.column(name), radius, intake.jobs)
            table, more_failures = _hash_again(table, near, files, intake, encoder, view_set)
            failures += more_failures
        require_readable(listings, failures, counts)
        return cls(listings, table, unlisted(listings) + failures, counts, volumes, warnings)

    @property
    def sources(self) -> tuple[Source, ...]:
        """The paths as given, with the number of image files found at each."""
        return tuple(Source(one.root, found_in(one, self.counts)) for one in self.listings)

    def own_rows(self, targets: Sequence[str]) -> npt.NDArray[np.int64]:
        """For each target, the row of the file in this collection that it is itself, or -1."""
        names = {path: [path] for path in targets}
        if any(listing.tables for listing in self.listings):  # these know names alone
            names = {path: [path, os.path.normpath(path)] for path in targets}
        for path, name in same_files(targets, self.listings).items():
            names[path].insert(0, name)
        rows = self.table.positions({name for several in names.values() for name in several})
        return np.array(
            [next((rows[name] for name in names[path] if name in rows), -1) for path in targets],
            np.int64,
        )

    def targets_in(self, targets: Sequence[str]) -> tuple[str, ...]:
        """The targets that lie in this collection."""
        inside = set(same_files(targets, self.listings))
        if any(listing.tables for listing in self.listings):
            rows = self.own_rows(targets)
            inside.update(path for path, row in zip(targets, rows) if row >= 0)
        return tuple(path for path in targets if path in inside)


def _hash_again(
    table: HashTable,
    chosen: npt.NDArray[np.bool_],
    decoded_fast: Collection[str],
    intake: Intake,
    encoder: Encoder,
    view_set: ViewSet,
) -> tuple[HashTable, tuple[Failure, ...]]:
    """The table with the exact hashes of the chosen rows, less those that fail this time."""
    near = np.flatnonzero(chosen).tolist()
    chosen = np.zeros(len(table), np.bool_)  # of those, the files that were decoded fast
    chosen[[row for row in near if table.paths[row] in decoded_fast]] = True
    if not chosen.any():
        return table, ()
    paths = [table.paths[row] for row in np.flatnonzero(chosen).tolist()]
    exact, failures = intake.hash_files(paths, "candidates", encoder=encoder, view_set=view_set)
    failed = {failure.path for failure in failures}
    kept = np.array([path not in failed for path in table.paths], np.bool_)
    again = chosen & kept
    table.hashes[again] = exact.hashes
    table.low_information[again] = exact.low_information
    if table.view_names:
        table.views[again] = exact.views
    return table.chosen(kept), failures
