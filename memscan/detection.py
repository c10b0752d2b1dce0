"""The scan: targets and sources in, a report out."""

from __future__ import annotations

import os
from typing import Iterable, Sequence, Union

import numpy as np
import numpy.typing as npt
from PIL import Image

from memscan import __version__, decode, engines, hamming, hashing, verdicts
from memscan.cache import Cache
from memscan.errors import InputError
from memscan.intake import Intake, hash_decoded
from memscan.records import (
    Failure,
    Finding,
    Match,
    Progress,
    Reason,
    Report,
    Source,
    Thresholds,
)
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


def detect(
    targets: AnyPath | Iterable[AnyPath],
    source: AnyPath | Iterable[AnyPath],
    *,
    recursive: bool = False,
    near_threshold: int = 5,
    distinct_threshold: int = 10,
    top_k: int = 1,
    exclude: str | Iterable[str] = (),
    exclude_self: bool = False,
    follow_symlinks: bool = False,
    max_pixels: int = decode.MAX_PIXELS,
    fast: bool = False,
    jobs: int | None = None,
    cache: Cache | None = None,
    progress: Progress | None = None,
) -> Report:
    """Compare each target with every image of the source and judge the closest distance.

    Args:
        targets: an image, a directory of images, or several of either.
        source: the reference collection, likewise. A file reached twice counts once.
        recursive: whether directories are searched at every depth.
        near_threshold: the largest distance, in bits, of a near-duplicate.
        distinct_threshold: the largest distance, in bits, that is still worth a review.
        top_k: how many matches each finding lists.
        exclude: shell patterns for paths below a given directory that are left out.
        exclude_self: whether a source that is the same file as a target is left out for it.
        follow_symlinks: whether links to directories are entered.
        max_pixels: images with more pixels are failures.
        fast: whether JPEG sources are decoded at reduced scale first. Those that may then lie
            within the distinct threshold are hashed again exactly, so that verdicts, and all
            distances up to that threshold, are those of the exact scan; greater ones may be off
            by a few bits.
        jobs: the number of threads; all cores by default. It does not change the report.
        cache: where hashes of unchanged files come from and new ones are kept; none by default.
        progress: called with a phase, the images done and their number, in this thread.

    Raises:
        InputError: a path is missing, a target or source holds no (readable) image, the
            thresholds contradict each other.

    Images that cannot be read do not raise; they are failures of the report.

    """
    thresholds = Thresholds(near_threshold, distinct_threshold)
    verdicts.check(thresholds)
    if top_k < 1:
        raise InputError("top_k must be at least 1")
    if jobs is not None and not 1 <= jobs <= engines.MAX_JOBS:
        raise InputError(f"jobs must lie between 1 and {engines.MAX_JOBS}")
    patterns = (exclude,) if isinstance(exclude, str) else tuple(exclude)
    selection = Selection(recursive, patterns, follow_symlinks)
    target_listings = _list(_paths(targets), selection, "target")
    source_listings = _list(_paths(source), selection, "source")
    intake = Intake(max_pixels, jobs, cache, progress)

    target_paths = [path for listing in target_listings for path in listing.paths]
    target_table, target_failures = intake.hash_files(target_paths, "targets")
    named_failures = _named(target_listings, target_failures)
    if named_failures and not len(target_table) and len(named_failures) == len(target_failures):
        raise InputError(f"{target_failures[0].path}: {target_failures[0].message}")
    source_paths = [path for listing in source_listings for path in listing.paths]
    if len(source_listings) > 1:  # the order in which equal distances are resolved
        source_paths.sort(key=os.fsencode)
    source_table, source_failures = intake.hash_files(source_paths, "source", fast=fast)
    if fast:
        radius = distinct_threshold + hashing.FAST_ERROR
        near = hamming.near_any(target_table.hashes, source_table.hashes, radius)
        source_table, more_failures = _hash_again(source_table, near, intake)
        source_failures += more_failures
    _require_readable_sources(source_listings, source_failures)

    own = same_files(target_table.paths, source_listings)
    excluded = _positions(target_table.paths, source_table.paths, own) if exclude_self else None
    return Report(
        version=__version__,
        encoder=hashing.fingerprint(fast),
        libraries=hashing.library_versions(),
        thresholds=thresholds,
        targets=tuple(listing.root for listing in target_listings),
        sources=tuple(Source(listing.root, len(listing.paths)) for listing in source_listings),
        hashed=len(source_table),
        findings=_judge(target_table, source_table, thresholds, top_k, excluded),
        target_failures=_unlisted(target_listings) + target_failures,
        named_failures=named_failures,
        source_failures=_unlisted(source_listings) + source_failures,
        targets_in_source=() if exclude_self else tuple(own),
    )


def hash_image(image: AnyPath | Image.Image, *, max_pixels: int = decode.MAX_PIXELS) -> int:
    """The 64-bit pHash of an image file or a Pillow image, as an int from 0 to 2**64 - 1.

    ``f"{hash_image(image):016x}"`` is ``str(imagehash.phash(image))`` for 8-bit images. Raises
    ReadError, DecodeError or HashError.
    """
    with decode.pixel_limit(max_pixels):
        if isinstance(image, Image.Image):
            decoded = decode.load(image, max_pixels)
        else:
            decoded = decode.open_image(os.fspath(image), max_pixels)
        return hash_decoded([decoded])[0].hash


def _paths(given: AnyPath | Iterable[AnyPath]) -> list[str]:
    several = [given] if isinstance(given, (str, os.PathLike)) else list(given)
    return [os.fspath(path) for path in several]


def _list(paths: Sequence[str], selection: Selection, role: str) -> list[Listing]:
    """The image files at each path, every file once. Raises InputError for a path without any."""
    if not paths:
        raise InputError(f"no {role} was given")
    if "" in paths:
        raise InputError(f"an empty path was given as a {role}")
    listings = [find_images(path, selection) for path in paths]
    for listing in listings:
        if not listing.paths:
            raise InputError(_no_images(listing.root, selection))
    return count_once(listings)


def _no_images(root: str, selection: Selection) -> str:
    deeper = count_deeper(root, selection)
    if deeper:
        return f"{root}: no images here, but {deeper} in its subdirectories (add --recursive)"
    return f"{root}: no images here"


def _named(listings: Sequence[Listing], failures: Sequence[Failure]) -> tuple[Failure, ...]:
    """The failures of files that were given by name, under whatever name they were listed."""
    if not failures:
        return ()
    files = [listing.root for listing in listings if not os.path.isdir(listing.root)]
    named = set(same_files(files, listings).values())
    return tuple(failure for failure in failures if failure.path in named)


def _require_readable_sources(listings: Sequence[Listing], failures: Sequence[Failure]) -> None:
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


def _unlisted(listings: Sequence[Listing]) -> tuple[Failure, ...]:
    return tuple(failure for listing in listings for failure in listing.failures)


def _positions(
    targets: Sequence[str], sources: Sequence[str], own: dict[str, str]
) -> npt.NDArray[np.int64]:
    """For each target, the position among the sources of the file that it is itself, or -1."""
    wanted = set(own.values())
    rows = {path: row for row, path in enumerate(sources) if path in wanted}
    return np.array([rows.get(own.get(path, ""), -1) for path in targets], np.int64)


def _judge(
    targets: HashTable,
    sources: HashTable,
    thresholds: Thresholds,
    top_k: int,
    excluded: npt.NDArray[np.int64] | None,
) -> tuple[Finding, ...]:
    count = min(top_k, len(sources))
    positions, distances = hamming.nearest(targets.hashes, sources.hashes, count, excluded)
    findings = []
    for row, path in enumerate(targets.paths):
        matches = tuple(
            Match(sources.paths[position], int(sources.hashes[position]), int(distance))
            for position, distance in zip(positions[row], distances[row])
            if position >= 0
        )
        if not matches:
            raise InputError(f"{path}: the source holds no other image to compare it with")
        reasons = []
        if verdicts.is_borderline(matches[0].distance, thresholds):
            reasons.append(Reason.BORDERLINE)
        if targets.low_information[row] or (
            matches[0].distance <= thresholds.distinct
            and sources.low_information[positions[row, 0]]
            and not _has_firm_match(
                targets, sources, row, matches[0].distance, thresholds, excluded
            )
        ):
            reasons.append(Reason.LOW_INFORMATION)
        findings.append(
            Finding(
                target=path,
                hash=int(targets.hashes[row]),
                verdict=verdicts.judge(matches[0].distance, thresholds),
                reasons=tuple(reasons),
                matches=matches,
            )
        )
    return tuple(findings)


def _has_firm_match(
    targets: HashTable,
    sources: HashTable,
    row: int,
    distance: int,
    thresholds: Thresholds,
    excluded: npt.NDArray[np.int64] | None,
) -> bool:
    """Whether a source with enough detail supports what one without seemed to show.

    The faint copy of an image in the source must not hide that the image itself is there.
    """
    candidates = ~sources.low_information
    if excluded is not None and excluded[row] >= 0:
        candidates[excluded[row]] = False
    found = hamming.distances(sources.hashes[candidates], targets.hashes[row])
    limit = thresholds.near if distance <= thresholds.near else thresholds.distinct
    return bool((found <= limit).any())
