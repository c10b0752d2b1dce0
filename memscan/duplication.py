"""Near-duplicates within one collection."""

from __future__ import annotations

from typing import Iterable

import numpy as np
import numpy.typing as npt

from memscan import __version__, decode, engines, hamming, hashed, hashing, search
from memscan.cache import Cache
from memscan.collection import collect
from memscan.errors import InputError
from memscan.groups import DuplicateGroup, DuplicateReport, Member
from memscan.intake import Intake
from memscan.records import Progress
from memscan.report import Source
from memscan.sources.directories import Selection
from memscan.sources.given import (
    AnyPath,
    as_paths,
    as_patterns,
    found_in,
    list_images,
    require_readable,
    unlisted,
)
from memscan.table import HashTable


def duplicates(
    paths: AnyPath | Iterable[AnyPath],
    *,
    recursive: bool = False,
    near_threshold: int = 5,
    exclude: str | Iterable[str] = (),
    follow_symlinks: bool = False,
    max_pixels: int = decode.MAX_PIXELS,
    jobs: int | None = None,
    cache: Cache | None = None,
    progress: Progress | None = None,
) -> DuplicateReport:
    """Group the images that are near-duplicates of each other, directly or through others.

    Args:
        paths: what a source of :func:`memscan.detect` may be, or several. A file reached twice
            counts once.
        recursive: whether directories are searched at every depth.
        near_threshold: the largest distance, in bits, of two near-duplicates.
        exclude: shell patterns for paths below a given directory that are left out.
        follow_symlinks: whether links to directories are entered.
        max_pixels: images with more pixels are failures.
        jobs: the number of workers; all cores by default. It does not change the report.
        cache: where hashes of unchanged files come from and new ones are kept; none by default.
        progress: called with a phase, the images done and their number, in this thread.

    Raises:
        InputError: a path is missing or holds no (readable) image, the threshold is no distance.

    Images that cannot be read do not raise; they are failures of the report.

    """
    if not 0 <= near_threshold <= hamming.BITS:
        raise InputError(f"the threshold must lie between 0 and {hamming.BITS} bits")
    engines.check(jobs)
    selection = Selection(recursive, as_patterns(exclude), follow_symlinks)
    listings = hashed.separate(list_images(as_paths(paths), selection, "directory"))
    intake = Intake(max_pixels, jobs, cache, progress)
    table, failures, counts, _, warnings = collect(listings, intake, "images")
    require_readable(listings, failures, counts)
    return DuplicateReport(
        version=__version__,
        encoder=hashing.fingerprint(),
        libraries=hashing.library_versions(),
        threshold=near_threshold,
        warnings=warnings,
        sources=tuple(Source(listing.root, found_in(listing, counts)) for listing in listings),
        hashed=len(table),
        groups=tuple(_group(table, rows) for rows in _rows(table, near_threshold, jobs)),
        low_information=tuple(
            table.paths[row] for row in np.flatnonzero(table.low_information).tolist()
        ),
        failures=unlisted(listings) + failures,
    )


def _rows(table: HashTable, radius: int, jobs: int | None) -> list[npt.NDArray[np.int64]]:
    """The rows of each group in rising order: the largest group first, then the first row."""
    firm = np.flatnonzero(~table.low_information)
    # Equal hashes are merged first: 10,000 copies of one image would make 5 * 10^7 pairs.
    hashes, inverse = np.unique(table.hashes[firm], return_inverse=True)
    labels = search.components(hashes, radius, jobs)[inverse]
    order = np.argsort(labels, kind="stable")
    starts = np.flatnonzero(np.diff(labels[order], prepend=-1))
    groups = [rows for rows in np.split(firm[order], starts[1:]) if len(rows) > 1]
    return sorted(groups, key=lambda rows: (-len(rows), int(rows[0])))


def _group(table: HashTable, rows: npt.NDArray[np.int64]) -> DuplicateGroup:
    hashes = table.hashes[rows]
    distances = hamming.distances(hashes, hashes[0])
    members = zip(rows.tolist(), hashes.tolist(), distances.tolist())
    return DuplicateGroup(tuple(Member(table.paths[row], *fields) for row, *fields in members))
