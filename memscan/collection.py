"""A collection of images as a scan sees it: paths given, files found, hashes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Iterable, Sequence, Union

import numpy as np
import numpy.typing as npt

from memscan import hashing, search
from memscan.errors import InputError
from memscan.intake import Intake
from memscan.records import Failure, Source
from memscan.sources.directories import (
    Listing,
    Selection,
    count_deeper,
    count_once,
    find_images,
    same_files,
)
from memscan.table import HashTable

AnyPath = Union[str, "os.PathLike[str]"]


def listed(paths: AnyPath | Iterable[AnyPath], selection: Selection, role: str) -> list[Listing]:
    """The image files at each path, every file once. Raises InputError for a path without any."""
    given = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
    names = [os.fspath(path) for path in given]
    if not names:
        raise InputError(f"no {role} was given")
    if "" in names:
        raise InputError(f"an empty path was given as a {role}")
    listings = [find_images(name, selection) for name in names]
    for listing in listings:
        if not listing.paths:
            raise InputError(_no_images(listing.root, selection))
    return count_once(listings)


@dataclass(frozen=True)
class Reference:
    """Images that targets are compared with: those listed, those hashed, and the failures."""

    listings: Sequence[Listing]
    table: HashTable
    failures: tuple[Failure, ...]

    @classmethod
    def hashed(
        cls,
        listings: Sequence[Listing],
        intake: Intake,
        phase: str,
        fast_near: tuple[HashTable, int] | None = None,
    ) -> Reference:
        """Hash the listed files; raises InputError for a listing of which none can be read.

        ``fast_near`` asks for fast hashes, but exact ones of what may lie within a number of bits
        of targets.
        """
        paths = [path for listing in listings for path in listing.paths]
        if len(listings) > 1:  # the order in which equal distances are resolved
            paths.sort(key=os.fsencode)
        table, failures = intake.hash_files(paths, phase, fast=fast_near is not None)
        if fast_near is not None:
            targets, bits = fast_near
            radius = bits + hashing.FAST_ERROR
            near = search.near_any(targets.hashes, table.hashes, radius, intake.jobs)
            table, more_failures = _hash_again(table, near, intake)
            failures += more_failures
        _require_readable(listings, failures)
        unlisted = tuple(failure for listing in listings for failure in listing.failures)
        return cls(listings, table, unlisted + failures)

    @property
    def sources(self) -> tuple[Source, ...]:
        """The paths as given, with the number of image files found at each."""
        return tuple(Source(listing.root, len(listing.paths)) for listing in self.listings)

    def own_rows(self, targets: Sequence[str]) -> npt.NDArray[np.int64]:
        """For each target, the row of the file in this collection that it is itself, or -1."""
        own = same_files(targets, self.listings)
        wanted = set(own.values())
        rows = {path: row for row, path in enumerate(self.table.paths) if path in wanted}
        return np.array([rows.get(own.get(path, ""), -1) for path in targets], np.int64)


def _no_images(root: str, selection: Selection) -> str:
    deeper = count_deeper(root, selection)
    if deeper:
        return f"{root}: no images here, but {deeper} in its subdirectories (add --recursive)"
    return f"{root}: no images here"


def _require_readable(listings: Sequence[Listing], failures: Sequence[Failure]) -> None:
    failed = {failure.path: failure for failure in failures}
    for listing in listings:
        if listing.paths and all(path in failed for path in listing.paths):
            first = failed[listing.paths[0]]
            if first.path == listing.root:
                raise InputError(f"{first.path}: {first.message}")
            raise InputError(
                f"{listing.root}: none of the {len(listing.paths)} images here can be read "
                f"(first {first.path}: {first.message})"
            )


def _hash_again(
    table: HashTable, chosen: npt.NDArray[np.bool_], intake: Intake
) -> tuple[HashTable, tuple[Failure, ...]]:
    """The table with the exact hashes of the chosen rows, less those that fail this time."""
    exact, failures = intake.hash_files(
        [table.paths[row] for row in np.flatnonzero(chosen).tolist()], "candidates"
    )
    failed = {failure.path for failure in failures}
    kept = np.array([path not in failed for path in table.paths], np.bool_)
    hashes, low_information = table.hashes.copy(), table.low_information.copy()
    hashes[chosen & kept] = exact.hashes
    low_information[chosen & kept] = exact.low_information
    paths = [table.paths[row] for row in np.flatnonzero(kept).tolist()]
    return HashTable(paths, hashes[kept], low_information[kept]), failures
