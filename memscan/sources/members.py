"""What comes out of a container, what is taken from it, and how much of it at most."""

from __future__ import annotations

import io
import itertools
import os
from dataclasses import dataclass
from typing import BinaryIO, Iterable, NamedTuple

from memscan.decode import SUFFIXES, begins_like_image, open_regular
from memscan.errors import ReadError
from memscan.records import Failure
from memscan.sources.remote import open_remote
from memscan.sources.stores import is_remote

CHUNK = 1 << 20
"""Bytes that are read or unpacked at a time."""


class Member(NamedTuple):
    """One image of a container: its URI and its bytes, or why they cannot be had.

    A failure of the container itself has the path of the container instead of a URI.
    """

    uri: str
    content: bytes | Failure


class Problem(str):
    """Why a member cannot be read, in one sentence."""

    __slots__ = ()


class Content(NamedTuple):
    """A member by its name inside the container, and its bytes or why they cannot be had."""

    name: str
    content: bytes | Problem


@dataclass(frozen=True)
class Limits:
    """How much a container may ask of the reader; what it states about itself is not trusted.

    ``member_bytes``: bytes of one member as it comes out; a larger one is a failure. The default
    holds an uncompressed image of 170 megapixels.
    ``members``: members of a container, images or not. Reading ends with a failure at the next.
    ``expansion``: bytes that may come out of a compressed container for each byte in it, once
    ``free_bytes`` have come out. Photographs give 1, the zeros of a bomb 200 and more.
    """

    member_bytes: int = 512 << 20
    members: int = 10_000_000
    expansion: int = 100
    free_bytes: int = 256 << 20

    def check_count(self, count: int) -> None:
        """Raise ReadError for more members than a container may have."""
        if count > self.members:
            raise ReadError(f"more than {self.members} members")

    def check_expansion(self, unpacked: int, packed: int) -> None:
        """Raise ReadError if ``packed`` bytes have become too many."""
        if unpacked > self.free_bytes and unpacked > self.expansion * packed:
            raise ReadError(
                f"a decompression bomb: {packed} bytes became more than "
                f"{max(self.free_bytes, self.expansion * packed)}"
            )

    @property
    def too_large(self) -> Problem:
        """What is said of a member of more than ``member_bytes``."""
        return Problem(f"more than {self.member_bytes} bytes")


DEFAULT_LIMITS = Limits()


class Seen:
    """The names that a container has given so far, each kept as its hash of 64 bits."""

    def __init__(self) -> None:
        self._hashes: set[int] = set()
        self.repeated = 0
        self.first_repeated = ""

    def is_new(self, name: str) -> bool:
        """Whether the name comes for the first time; counts those that do not."""
        before = len(self._hashes)
        self._hashes.add(hash(name))
        if len(self._hashes) > before:
            return True
        self.first_repeated = self.first_repeated or name
        self.repeated += 1
        return False

    @property
    def problem(self) -> str | None:
        """What is said of a container in which names come again; None where none did."""
        if not self.repeated:
            return None
        return (
            f"{self.repeated} members have the name of an earlier one and were not read "
            f"(first {self.first_repeated!r})"
        )


def open_container(path: str) -> BinaryIO:
    """Open a container for reading: a file, or an object on a store. Raises ReadError.

    Every container is opened here. It can be sought in, unless a web server sends it only from
    its beginning.
    """
    return open_remote(path) if is_remote(path) else open_regular(path)


def named_like_image(name: str) -> bool | None:
    """Whether a member is an image by its name; None if its bytes have to tell.

    As in directories: by the suffix, and not if the last part begins with a dot. The copies of
    resource forks that macOS adds to archives, below ``__MACOSX``, are none.
    """
    last = name.rpartition("/")[2]
    if not last or last.startswith(".") or name.startswith("__MACOSX/"):
        return False
    suffix = os.path.splitext(last)[1].lower()
    return (suffix in SUFFIXES) if suffix else None


def looks_like_image(data: bytes) -> bool:
    """Whether bytes in memory begin as an image does."""
    return begins_like_image(io.BytesIO(data))


def collect(chunks: Iterable[bytes], stated: int, limits: Limits) -> bytes | Problem:
    """The bytes of a member, or that they are too many.

    ``stated`` is the size in bytes that the container claims; no more than ``member_bytes`` and
    one chunk are ever held.
    """
    if stated > limits.member_bytes:
        return limits.too_large
    parts: list[bytes] = []
    size = 0
    for chunk in chunks:
        parts.append(chunk)
        size += len(chunk)
        if size > limits.member_bytes:
            return limits.too_large
    return b"".join(parts)


def collect_image(chunks: Iterable[bytes], stated: int, limits: Limits) -> bytes | Problem | None:
    """As :func:`collect`, but None unless the first chunk begins as an image does."""
    parts = iter(chunks)
    first = next(parts, b"")
    if not looks_like_image(first):
        return None
    return collect(itertools.chain([first], parts), stated, limits)
