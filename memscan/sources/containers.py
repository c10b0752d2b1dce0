"""Images inside archives and Parquet files: all of one container, or single ones by their URIs.

Nothing is ever written to disk. What cannot be read is a :class:`Failure`: of the member under its
URI, or of the container under its path, where it cannot be opened, breaks half-way (what came
before stands) or holds several members of one name (the first is read). InputError is kept for what
the user has to change: a missing extra, a Parquet file without images.
"""

from __future__ import annotations

from typing import BinaryIO, Collection, Iterable, Iterator, Protocol

from memscan.errors import InputError, ReadError
from memscan.records import Failure, Stage
from memscan.sources import parquet_images, tars, zips
from memscan.sources.members import (
    DEFAULT_LIMITS,
    Content,
    Limits,
    Member,
    Problem,
    Seen,
    open_container,
)
from memscan.sources.uris import SUFFIXES, Location, join_uri, kind_of, split_uri

__all__ = [
    "DEFAULT_LIMITS",
    "Limits",
    "Location",
    "Member",
    "join_uri",
    "kind_of",
    "open_container",
    "read_members",
    "read_one",
    "read_some",
    "split_uri",
]


class _Reader(Protocol):
    """What the module of a format has."""

    def members(
        self, path: str, file: BinaryIO, limits: Limits, seen: Seen
    ) -> Iterator[Content]: ...

    def find(
        self, path: str, file: BinaryIO, names: Collection[str], limits: Limits
    ) -> Iterator[Content]: ...


_READERS: dict[str, _Reader] = {"tar": tars, "zip": zips, "parquet": parquet_images}


def read_members(path: str, limits: Limits = DEFAULT_LIMITS) -> Iterator[Member]:
    """The images of a container in its own order, one in memory at a time.

    Which members are images is decided as in directories. The last ones may be failures of the
    container itself, under its path. Raises InputError for a name that is no container's, a
    missing extra, and a Parquet file without a column of images.
    """
    kind = kind_of(path)
    if kind is None:
        raise InputError(f"{path}: not a container ({', '.join(SUFFIXES)})")
    seen = Seen()
    try:
        with open_container(path) as file:
            _check_seekable(kind, file)
            for name, content in _READERS[kind].members(path, file, limits, seen):
                uri = join_uri(kind, name, path)
                yield Member(uri, _as_failure(uri, content))
    except ReadError as error:
        yield Member(path, Failure(path, Stage.READ, str(error)))
    if seen.problem is not None:
        yield Member(path, Failure(path, Stage.READ, seen.problem))


def read_some(
    uris: Iterable[str], limits: Limits = DEFAULT_LIMITS
) -> Iterator[tuple[str, bytes | Failure]]:
    """The images at the URIs, each once, container by container and in no other order.

    A container is opened once. A compressed tar archive is unpacked up to the last image wanted;
    the positions in other tar and zip archives are remembered after the first pass over their
    headers; a Parquet file costs the row groups of the rows. Raises InputError for a missing extra.
    """
    wanted: dict[tuple[str, str], dict[str, str]] = {}
    for uri in uris:
        location = split_uri(uri)
        if location is None:
            yield uri, Failure(uri, Stage.READ, "not the URI of an image in a container")
        else:
            key = (uri.partition("://")[0], location.container)
            wanted.setdefault(key, {})[location.member] = uri
    for (kind, container), by_name in wanted.items():
        message = "the container has no such member"
        try:
            with open_container(container) as file:
                _check_seekable(kind, file)
                for name, content in _READERS[kind].find(container, file, list(by_name), limits):
                    uri = by_name.pop(name)
                    yield uri, _as_failure(uri, content)
        except ReadError as error:
            message = f"the container cannot be read: {error}"
        for uri in by_name.values():
            yield uri, Failure(uri, Stage.READ, message)


def read_one(uri: str, limits: Limits = DEFAULT_LIMITS) -> bytes:
    """The bytes of the image at a URI. Raises ReadError, and InputError for a missing extra.

    For many images of one container, :func:`read_some` reads the container once.
    """
    ((_, content),) = read_some([uri], limits)
    if isinstance(content, Failure):
        raise ReadError(content.message)
    return content


def _check_seekable(kind: str, file: BinaryIO) -> None:
    if kind != "tar" and not file.seekable():
        raise ReadError("the server sends this file only from its beginning, which will do for tar")


def _as_failure(uri: str, content: bytes | Problem) -> bytes | Failure:
    if isinstance(content, Problem):
        return Failure(uri, Stage.READ, str(content))
    return content
