"""A column of hashes as a file of others holds it, with the names that stand beside it."""

from __future__ import annotations

import os
from typing import NamedTuple, Sequence, overload

import numpy as np
import numpy.typing as npt

from memscan.errors import InputError
from memscan.tables.notation import Parsed

NAMES = ("uri", "url", "path", "file_name", "key", "id")
"""The columns that can name an image; the first one that there is does."""

_MOST_LISTED = 20  # columns in a message


class Column(NamedTuple):
    """N rows: their hashes, and their names or None where the file has none.

    ``order`` (int64), of shape (N,), are the rows in bytewise order of their names, of which a row
    without one is called ``FILE#row``.
    """

    parsed: Parsed
    names: Sequence[str | None] | None
    order: npt.NDArray[np.int64]


class RowNames(Sequence[str]):
    """The names of some ``rows`` of a file: as they stand there, or ``FILE#row``, from 0 on."""

    def __init__(
        self, path: str, names: Sequence[str | None] | None, rows: npt.NDArray[np.int64]
    ) -> None:
        self._path = path
        self._names = names
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, position: int) -> str: ...

    @overload
    def __getitem__(self, position: slice) -> list[str]: ...

    def __getitem__(self, position: int | slice) -> str | list[str]:
        if isinstance(position, slice):
            return [self[one] for one in range(*position.indices(len(self)))]
        row = int(self._rows[position])
        name = None if self._names is None else self._names[row]
        return f"{self._path}#{row}" if name is None else name


def order_of_names(path: str, names: Sequence[str | None]) -> npt.NDArray[np.int64]:
    """The rows of named images in bytewise order."""
    keys = [
        os.fsencode(f"{path}#{row}" if name is None else name) for row, name in enumerate(names)
    ]
    return np.array(sorted(range(len(keys)), key=keys.__getitem__), np.int64)


def order_of_numbers(count: int) -> npt.NDArray[np.int64]:
    """The numbers 0 to ``count`` - 1 in bytewise order of their decimal digits: 0, 1, 10, 11, 2."""
    numbers = np.arange(count)
    longest = len(str(max(count - 1, 0)))
    digits = np.searchsorted(10 ** np.arange(1, longest), numbers, side="right") + 1
    filled = numbers * 10 ** (longest - digits)  # as if zeros followed; of equals, the shorter
    return np.lexsort((digits, filled))


def chosen(path: str, asked: str | None, columns: Sequence[str], fitting: Sequence[str]) -> str:
    """The column of hashes: the one asked for, or the only one that can be meant.

    ``fitting`` are those of the ``columns`` that can hold hashes. A name with "hash" in it goes
    before others. Raises InputError.
    """
    if asked is not None:
        if columns.count(asked) != 1:
            count = "no column" if asked not in columns else "several columns"
            raise InputError(f"{path}: it has {count} {asked} (it has {_listed(columns)})")
        return asked
    free = [name for name in fitting if name.lower() not in NAMES]
    candidates = [name for name in free if "hash" in name.lower()] or free
    if not candidates:
        raise InputError(f"{path}: no column can hold hashes (it has {_listed(columns)})")
    if len(candidates) > 1:
        raise InputError(
            f"{path}: --hash-column must say which column holds the hashes: {_listed(candidates)}"
        )
    return candidates[0]


def name_column(columns: Sequence[str], hashes: str) -> str | None:
    """The column that names the images; None where there is none."""
    there = {name.lower(): name for name in reversed(columns) if name != hashes}
    return next((there[name] for name in NAMES if name in there), None)


def _listed(columns: Sequence[str]) -> str:
    more = f" and {len(columns) - _MOST_LISTED} more" if len(columns) > _MOST_LISTED else ""
    return (", ".join(name[:80] for name in columns[:_MOST_LISTED]) or "none") + more
