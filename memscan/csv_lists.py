"""Lists in CSV files: the rows of a table whose first line names its columns."""

from __future__ import annotations

import csv
import os
from typing import Iterator, Sequence

from memscan.errors import InputError


def rows(
    path: str, required: Sequence[str], optional: Sequence[str] = ()
) -> Iterator[tuple[int, dict[str, str]]]:
    """The line number and the cells of each row, by the lower-case name of the column.

    ``required`` columns must be there, no column of either kind twice. Raises InputError of one
    sentence for a file that cannot be read, that is no such table, or that has no row.
    """
    try:
        with open(path, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            table = csv.reader(file, strict=True)
            names = [name.strip().lower() for name in next(table, [])]
            wrong = [name for name in required if names.count(name) != 1]
            wrong += [name for name in optional if names.count(name) > 1]
            if wrong:
                raise InputError(
                    f"{path}: the first line must name the columns {', '.join(required)}, "
                    f"each once; {wrong[0]} is not"
                )
            empty = True
            for cells in table:
                if cells:
                    if len(cells) != len(names):
                        raise InputError(
                            f"{path}: line {table.line_num}: {len(cells)} cells, but "
                            f"{len(names)} columns"
                        )
                    empty = False
                    yield table.line_num, dict(zip(names, cells))
            if empty:
                raise InputError(f"{path}: there is no line below the first")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except (csv.Error, ValueError) as error:
        raise InputError(f"{path}: is no CSV file: {error}") from error


def listed_image(path: str, line: int, name: str) -> str:
    """The image that a row of the list ``path`` names, relative to its directory, by :func:`real`.

    Raises InputError for a name that is none.
    """
    if not name.strip() or "\0" in name:
        raise InputError(f"{path}: line {line}: the path is empty or holds a null byte")
    return real(name if "://" in name else os.path.join(os.path.dirname(path), name))


def real(path: str) -> str:
    """What is the same for all names of an image; a URI stays as it is."""
    return path if "://" in path else os.path.realpath(path)
