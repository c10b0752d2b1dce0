"""Paths as a caller gave them, and whether each of them gives images."""

from __future__ import annotations

import dataclasses
import os
from types import MappingProxyType
from typing import Iterable, Iterator, Mapping, NamedTuple, Sequence, Union

from memscan.decode import SUFFIXES
from memscan.errors import InputError
from memscan.records import Failure, Stage
from memscan.sources import patterns, stores, uris
from memscan.sources.directories import (
    Listing,
    Selection,
    count_deeper,
    count_once,
    find_images,
)

AnyPath = Union[str, "os.PathLike[str]"]


def as_paths(given: AnyPath | Iterable[AnyPath]) -> list[str]:
    """One path or several, as a list of strings."""
    several = [given] if isinstance(given, (str, os.PathLike)) else list(given)
    return [os.fspath(path) for path in several]


def as_patterns(given: str | Iterable[str]) -> tuple[str, ...]:
    """One shell pattern or several, as a tuple."""
    return (given,) if isinstance(given, str) else tuple(given)


def list_images(
    paths: Sequence[str], selection: Selection, role: str, lists: Sequence[Named] = ()
) -> list[Listing]:
    """The images at each path, every file once. Raises InputError for a path without any.

    ``role`` is what a path is called in the message; ``lists`` are lists of paths that were given
    beside them. A path may be a pattern, the URL of something on a store, a container, or a table
    of hashes.
    """
    if not paths and not lists:
        raise InputError(f"no {role} was given")
    if "" in paths:
        raise InputError(f"an empty path was given as a {role}")
    listings = [_found(path, selection) for path in paths]
    for listing in listings:
        if listing.is_empty:
            raise InputError(_no_images(listing.root, selection))
    for named in lists:
        listing = _listed(named, selection)
        if listing.is_empty:
            first = listing.failures[:1]
            why = "".join(f" (first {stores.shown(one.path)}: {one.message})" for one in first)
            raise InputError(f"{named.root}: none of its paths has images{why}")
        listings.append(listing)
    return count_once(listings)


def require_images(listings: Sequence[Listing], what: str) -> None:
    """Raise InputError where hashes were given and ``what`` needs images."""
    for listing in listings:
        for table in listing.tables:
            raise InputError(f"{stores.shown(table)}: {what} needs images, and this holds hashes")


def require_files(listings: Sequence[Listing], what: str) -> None:
    """Raise InputError where ``what``, which reads image files, was given anything else."""
    for listing in listings:
        for place in _elsewhere(listing):
            raise InputError(
                f"{stores.shown(place)}: {what} reads image files, not archives, volumes, tables "
                "or stores"
            )


class Named(NamedTuple):
    """A list of paths, the file that it was read from, and whether NUL bytes ended them there."""

    root: str
    paths: Sequence[str]
    nul: bool = False


def _found(path: str, selection: Selection) -> Listing:
    found = [_at(one, selection) for one in patterns.expand(stores.local_path(path))]
    return found[0] if len(found) == 1 and found[0].root == path else _joined(path, found)


def _at(path: str, selection: Selection) -> Listing:
    if not stores.is_remote(path):
        if _holds_hashes(path, selection):
            linked = frozenset([path] if os.path.islink(path) else [])
            return Listing(path, (), linked=linked, tables=(path,))
        return find_images(path, selection)
    from memscan.sources import remote, remote_folders  # much code for what few scans need

    name = stores.shown(path).lower()
    if name.rstrip("/").endswith(".parquet"):
        if selection.hash_column is not None or remote_folders.is_directory(path):
            return Listing(path, (), tables=(path,))
    elif name.endswith((".csv", ".npy")):
        return Listing(path, (), tables=(path,))
    if uris.is_container(path):
        return Listing(path, (), containers=(path,))

    entries = remote.find_remote(path, selection)
    if any(entry.url == f"{path.rstrip('/')}/{uris.MANIFEST}" for entry in entries):
        return Listing(path, (), tables=(path,))
    images, volumes = [], []
    for entry in entries:
        name = entry.url.rpartition("/")[2].lower()
        if os.path.splitext(name)[1] in SUFFIXES or entry.url == path:
            images.append(entry)
        elif name.endswith(uris.VOLUME_SUFFIXES):
            volumes.append(entry.url)
    return Listing(path, (), containers=tuple(volumes), remote=tuple(images))


def _holds_hashes(path: str, selection: Selection) -> bool:
    """Whether a path is a table of hashes and not of images."""
    name = path.rstrip("/" + os.sep).lower()
    if os.path.isdir(path):
        return name.endswith(".parquet") or os.path.lexists(os.path.join(path, uris.MANIFEST))
    if name.endswith(".parquet"):  # whether it is a part of a table, only its inside tells
        return selection.hash_column is not None
    return name.endswith((".csv", ".npy"))


def _listed(named: Named, selection: Selection) -> Listing:
    """The images of a list: what is not there is a failure, since the list is not the user's."""
    found, failures = [], []
    for path in named.paths:
        try:
            found.append(_at(stores.local_path(path), selection))
            if found[-1].is_empty:
                raise InputError(_no_images(path, selection))
        except InputError as error:
            sentence, prefix = str(error), f"{stores.shown(path)}: "
            message = sentence[len(prefix) :] if sentence.startswith(prefix) else sentence
            failures.append(Failure(path, Stage.READ, message))
    joined = _joined(named.root, found)
    return dataclasses.replace(joined, failures=joined.failures + tuple(failures))


def _joined(root: str, parts: Sequence[Listing]) -> Listing:
    """Several listings as one; a file that is in two of them is in it once."""
    parts = count_once(parts)
    remote = {entry.url: entry for part in parts for entry in part.remote}
    return Listing(
        root,
        tuple(sorted((path for part in parts for path in part.paths), key=os.fsencode)),
        tuple(failure for part in parts for failure in part.failures),
        frozenset(path for part in parts for path in part.linked),
        tuple(sorted({path for part in parts for path in part.containers}, key=os.fsencode)),
        tuple(remote[url] for url in sorted(remote, key=os.fsencode)),
        tuple(sorted({path for part in parts for path in part.tables}, key=os.fsencode)),
    )


def in_bytewise_order(listings: Sequence[Listing]) -> list[str]:
    """All image files of the listings, in bytewise order of their paths."""
    paths = [path for listing in listings for path in listing.paths]
    if len(listings) > 1:  # one listing is in this order
        paths.sort(key=os.fsencode)
    return paths


def unlisted(listings: Sequence[Listing]) -> tuple[Failure, ...]:
    """The directories that could not be listed."""
    return tuple(failure for listing in listings for failure in listing.failures)


def require_readable(
    listings: Sequence[Listing],
    failures: Sequence[Failure],
    counts: Mapping[str, Count] = MappingProxyType({}),
) -> None:
    """Raise InputError for a path of whose images none could be hashed.

    ``counts`` has an entry for every container, and for the URL of every remote image.
    """
    failed = {failure.path: failure for failure in failures}
    for listing in listings:
        if listing.is_empty:  # after counting once
            continue
        others = [counts[path] for path in _elsewhere(listing)]
        if any(count.hashed for count in others):
            continue
        if all(path in failed for path in listing.paths):
            found = len(listing.paths) + sum(count.found for count in others)
            lost = [*listing.paths, *_elsewhere(listing)]
            first = next((failed[path] for path in lost if path in failed), None)
            first = first or next((count.failures[0] for count in others if count.failures), None)
            root = stores.shown(listing.root)
            if first is None:
                raise InputError(f"{root}: no images in it")
            if first.path == listing.root:
                raise InputError(f"{root}: {first.message}")
            raise InputError(
                f"{root}: none of the {found} images here can be read "
                f"(first {stores.shown(first.path)}: {first.message})"
            )


def require_found(listings: Sequence[Listing], counts: Mapping[str, Count]) -> None:
    """Raise InputError for a path whose containers hold nothing that could be an image."""
    for listing in listings:
        if not listing.is_empty and not found_in(listing, counts):
            raise InputError(f"{stores.shown(listing.root)}: no images in it")


class Count(NamedTuple):
    """The images that a container holds: those found, those hashed, and the failures."""

    found: int
    hashed: int
    failures: tuple[Failure, ...] = ()


def _elsewhere(listing: Listing) -> Iterator[str]:
    yield from listing.containers
    yield from (entry.url for entry in listing.remote)
    yield from listing.tables


def remote_places(listings: Sequence[Listing]) -> frozenset[str]:
    """The URLs of images and containers on stores that were listed."""
    urls = {entry.url for listing in listings for entry in listing.remote}
    containers = (path for listing in listings for path in listing.containers)
    return frozenset(urls.union(filter(stores.is_remote, containers)))


def found_in(listing: Listing, counts: Mapping[str, Count]) -> int:
    """The number of images that a path stands for, readable or not."""
    return len(listing.paths) + sum(counts[path].found for path in _elsewhere(listing))


def _no_images(root: str, selection: Selection) -> str:
    deeper = count_deeper(root, selection)
    if deeper:
        return f"{root}: no images here, but {deeper} in its subdirectories (add --recursive)"
    if os.path.isdir(root):
        archives = sorted(filter(uris.kind_of, os.listdir(root)), key=os.fsencode)
        if archives:
            ending = os.path.join(root, f"*{os.path.splitext(archives[0])[1]}")
            return (
                f"{root}: no images here, but {len(archives)} archives, which are read where they "
                f"are named: {ending!r}"
            )
    return f"{root}: no images here"
