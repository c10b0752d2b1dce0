"""What the cache keeps of images, as arrays and as columns of its rows."""

from __future__ import annotations

import os
import struct
from typing import Any, NamedTuple, Sequence

import numpy as np
import numpy.typing as npt

from memscan.records import HashedImage


class Known(NamedTuple):
    """What the cache knows about N paths: arrays of N rows; unknown rows are zero.

    ``first`` is the first word of each hash, ``rest`` holds the others, those of other views, and
    the quality if there is one.
    """

    known: npt.NDArray[np.bool_]
    first: npt.NDArray[np.uint64]
    low_information: npt.NDArray[np.bool_]
    rest: npt.NDArray[np.uint64]


class Members(NamedTuple):
    """All images of a container: their names, with rows as in :class:`Known`, and a remark."""

    names: list[str]
    rows: Known
    remark: str


def members_of(rows: Sequence[Any], max_pixels: int, rest: int) -> Members | None:
    """The images of a container from its rows of one state, in the order of their names.

    A row has the columns name, size, mtime, ctime, inode, hash, low_information, pixels, views. The
    row without a name comes first: it holds the number of the others, and a remark. None unless all
    are there, with ``rest`` words and ``max_pixels`` at most.
    """
    if not rows or rows[0][0] != b"" or rows[0][7] != len(rows) - 1:
        return None
    (*_, remark), *members = rows
    if any(row[7] > max_pixels or len(row[8]) != 8 * rest for row in members):
        return None
    known = Known(
        np.ones(len(members), np.bool_),
        np.array([unsigned(row[5]) for row in members], np.uint64),
        np.array([row[6] for row in members], np.bool_),
        np.array([np.frombuffer(row[8], "<u8") for row in members], np.uint64).reshape(
            len(members), rest
        ),
    )
    return Members([os.fsdecode(row[0]) for row in members], known, remark.decode())


def rest_of(image: HashedImage) -> tuple[int, ...]:
    """What is kept of an image besides the first word of its hash."""
    return image.words[1:] if image.quality is None else (*image.words[1:], image.quality)


def values_of(image: HashedImage) -> tuple[int, int, int, bytes]:
    """The last columns of an image's row."""
    rest = rest_of(image)
    packed = struct.pack(f"<{len(rest)}Q", *rest)
    return _signed(image.words[0]), int(image.low_information), image.pixels, packed


def _signed(word: int) -> int:
    """An unsigned 64-bit number as the SQLite integer of the same bits."""
    return word - (1 << 64) if word >> 63 else word


def unsigned(number: int) -> int:
    """The unsigned 64-bit number of the same bits as an SQLite integer."""
    return number & 0xFFFFFFFFFFFFFFFF
