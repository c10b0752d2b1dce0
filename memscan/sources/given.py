"""Paths as a caller gave them, and whether each of them gives images."""

from __future__ import annotations

import os
from typing import Iterable, Sequence, Union

from memscan.errors import InputError
from memscan.records import Failure
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


def list_images(paths: Sequence[str], selection: Selection, role: str) -> list[Listing]:
    """The image files at each path, every file once. Raises InputError for a path without any.

    ``role`` is what a path is called in the message.
    """
    if not paths:
        raise InputError(f"no {role} was given")
    if "" in paths:
        raise InputError(f"an empty path was given as a {role}")
    listings = [find_images(path, selection) for path in paths]
    for listing in listings:
        if not listing.paths:
            raise InputError(_no_images(listing.root, selection))
    return count_once(listings)


def in_bytewise_order(listings: Sequence[Listing]) -> list[str]:
    """All image files of the listings, in bytewise order of their paths."""
    paths = [path for listing in listings for path in listing.paths]
    if len(listings) > 1:  # one listing is in this order
        paths.sort(key=os.fsencode)
    return paths


def unlisted(listings: Sequence[Listing]) -> tuple[Failure, ...]:
    """The directories that could not be listed."""
    return tuple(failure for listing in listings for failure in listing.failures)


def require_readable(listings: Sequence[Listing], failures: Sequence[Failure]) -> None:
    """Raise InputError for a path of whose images none could be hashed."""
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


def _no_images(root: str, selection: Selection) -> str:
    deeper = count_deeper(root, selection)
    if deeper:
        return f"{root}: no images here, but {deeper} in its subdirectories (add --recursive)"
    return f"{root}: no images here"
