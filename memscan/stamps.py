"""What tells one state of a file from another."""

from __future__ import annotations

import hashlib
import os
import time
from typing import Iterable, NamedTuple

# A change so soon after the last one that the clock of the file system shows no difference.
_FINE_TICK, _COARSE_TICK = 20_000_000, 2_000_000_000  # nanoseconds

_INODE_BITS = (1 << 63) - 1  # what an SQLite integer holds


class Stamp(NamedTuple):
    """What tells one state of a file from another; times in nanoseconds."""

    size: int
    mtime: int
    ctime: int
    inode: int

    @classmethod
    def of(cls, path: str) -> Stamp | None:
        """The stamp of the file behind the path, links followed; None if there is none."""
        try:
            found = os.stat(path)
        except (OSError, ValueError):
            return None
        inode = found.st_ino & _INODE_BITS
        return cls(found.st_size, found.st_mtime_ns, found.st_ctime_ns, inode)

    def is_settled(self, now: int) -> bool:
        """Whether a change of the file after ``now`` is sure to change the stamp."""
        latest = max(self.mtime, self.ctime)
        coarse = self.mtime % 1_000_000_000 == 0 and self.ctime % 1_000_000_000 == 0
        return latest < now - (_COARSE_TICK if coarse else _FINE_TICK)


def settled(path: str) -> Stamp | None:
    """The stamp of a file, if every change of it from now on will change the stamp.

    None where there is no file, or it was changed within the present tick of its clock.
    """
    now = time.time_ns()
    stamp = Stamp.of(path)
    return stamp if stamp is not None and stamp.is_settled(now) else None


def digest(paths: Iterable[str]) -> str:
    """A SHA-256 of sizes and times of modification, to tell whether any of the files was changed.

    Copies that keep their times have the same; a file that is not there has one of its own.
    """
    found = hashlib.sha256()
    for path in paths:
        stamp = Stamp.of(path)
        found.update(b"-" if stamp is None else f"{stamp.size} {stamp.mtime};".encode())
    return found.hexdigest()


def is_same(path: str, entry: tuple[int, ...]) -> bool:
    """Whether the file has the stamp in entry[1:5].

    The same as ``Stamp.of(path) == entry[1:5]``, written out for the sake of its speed.
    """
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return False
    return (
        found.st_size == entry[1]
        and found.st_mtime_ns == entry[2]
        and found.st_ctime_ns == entry[3]
        and found.st_ino & _INODE_BITS == entry[4]
    )
