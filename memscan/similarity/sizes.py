"""How large a matrix of scores is on disk, and when that is too much."""

from __future__ import annotations

import os
import shutil

from memscan.errors import InputError

MOST_SCORES = 1 << 34
"""Scores that a file may hold: 69 GB of them, or a billion sources for each of 17 targets."""

BYTES_PER_SCORE = {"npz": 4, "parquet": 6}
"""What a score takes by format: in Parquet at the most, with the number of its source."""


def sentence(targets: int, sources: int, path: str, format: str) -> str:
    """What a matrix will hold, and the bytes that it will take, about."""
    size = _amount(targets * sources * BYTES_PER_SCORE[format])
    return f"{_said(targets, sources, path)}, about {size}"


def require_room(targets: int, sources: int, path: str, format: str) -> None:
    """Raise InputError for a matrix that is larger than anyone wants, or than the disk has room."""
    scores = targets * sources
    what = _said(targets, sources, path)
    if scores > MOST_SCORES:
        raise InputError(
            f"{what}, and a matrix may have {MOST_SCORES:,}; leave --output out, and the most "
            "alike source of each target is found without one"
        )
    needed = scores * BYTES_PER_SCORE[format]
    free = shutil.disk_usage(os.path.dirname(os.path.realpath(path))).free
    if needed > free:
        raise InputError(f"{what} of {_amount(needed)}, but there is room for {_amount(free)}")


def _said(targets: int, sources: int, path: str) -> str:
    return f"{path}: {targets:,} targets x {sources:,} sources are {targets * sources:,} scores"


def _amount(size: int) -> str:
    """A number of bytes for people: 400 MB."""
    units = ("bytes", "kB", "MB", "GB", "TB")
    place = min(len(units) - 1, (len(str(size)) - 1) // 3)
    return f"{size / 1000**place:.3g} {units[place]}"
