"""The SQLite file that holds a cache: its layout, and how it is opened.

With cache.py, the only importer of sqlite3.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from typing import Iterable, NamedTuple

from memscan.errors import InputError
from memscan.stamps import Stamp

VERSION = 2


class Row(NamedTuple):
    """A row to be written, with names in place of numbers."""

    encoder: str
    directory: str
    name: bytes
    size: int
    mtime: int
    ctime: int
    inode: int
    hash: int
    low_information: int
    pixels: int
    views: bytes


_APPLICATION = 0x6D656D73  # "mems", in the file's header
_PATIENCE = 20.0  # seconds to wait for another scan's transaction

_SCHEMA = f"""
CREATE TABLE encoders (id INTEGER PRIMARY KEY, fingerprint TEXT UNIQUE NOT NULL);
CREATE TABLE directories (id INTEGER PRIMARY KEY, path BLOB UNIQUE NOT NULL);
CREATE TABLE images (
    encoder INTEGER NOT NULL, directory INTEGER NOT NULL, name BLOB NOT NULL,
    size INTEGER NOT NULL, mtime INTEGER NOT NULL, ctime INTEGER NOT NULL, inode INTEGER NOT NULL,
    hash INTEGER NOT NULL, low_information INTEGER NOT NULL, pixels INTEGER NOT NULL,
    views BLOB NOT NULL,
    PRIMARY KEY (encoder, directory, name)
) WITHOUT ROWID;
PRAGMA application_id = {_APPLICATION};
PRAGMA user_version = {VERSION};
"""


def connect(path: str) -> sqlite3.Connection:
    """Open a cache file, which is made if need be, in autocommit mode.

    Raises sqlite3.Error, and InputError for a file of another program or another version.
    """
    connection = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None)
    try:
        if connection.execute("PRAGMA user_version").fetchone() == (0,):
            _create(connection)
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if application != _APPLICATION:
            raise InputError("it is not a cache of memscan; --cache-dir names another place")
        if version == 1:
            version = _add_views(connection)
        if version != VERSION:
            raise InputError(f"it belongs to another version of memscan, with format {version}")
        with contextlib.suppress(sqlite3.Error):  # network file systems cannot: the default stays
            connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
    except BaseException:
        connection.close()
        raise
    return connection


def _create(connection: sqlite3.Connection) -> None:
    """Lay out an empty file, unless another process just did or it holds something else."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        if connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,):
            for statement in filter(str.strip, _SCHEMA.split(";")):
                connection.execute(statement)
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _add_views(connection: sqlite3.Connection) -> int:
    """Bring a file of version 1, which knew no views, to version 2."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        if connection.execute("PRAGMA user_version").fetchone() == (1,):  # nobody else just did
            connection.execute("ALTER TABLE images ADD COLUMN views BLOB NOT NULL DEFAULT x''")
            connection.execute(f"PRAGMA user_version = {VERSION}")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
    return VERSION


def number_of(connection: sqlite3.Connection, table: str, column: str, value: object) -> int:
    """The number of a value in its table, where it is entered if need be."""
    connection.execute(f"INSERT OR IGNORE INTO {table} ({column}) VALUES (?)", (value,))
    row = connection.execute(f"SELECT id FROM {table} WHERE {column} = ?", (value,)).fetchone()
    return int(row[0])


def split(path: str) -> tuple[str, str]:
    """The directory, with its separator, and the name."""
    cut = path.rfind(os.sep) + 1
    return path[:cut], path[cut:]


def real_bytes(directory: str) -> bytes:
    """The bytes of a directory's path, links resolved; of a container, whose path ends in ``::``.

    A URL stays as it is.
    """
    container, mark, _ = directory.rpartition("::") if directory.endswith("::") else ("", "", "")
    if mark:
        return os.fsencode(container if "://" in container else os.path.realpath(container)) + b"::"
    return os.fsencode(os.path.realpath(directory))


def is_gone(directory: bytes, name: bytes, stamp: tuple[int, ...]) -> bool:
    """Whether what a row stands for is no longer there as it was; never true behind a URL."""
    if not directory.endswith(b"::"):
        return Stamp.of(os.path.join(os.fsdecode(directory), os.fsdecode(name))) != stamp
    container = os.fsdecode(directory[:-2])
    return "://" not in container and Stamp.of(container) != stamp


def by_directory(paths: Iterable[str]) -> dict[str, tuple[list[bytes], list[int]]]:
    """The files of each directory in the bytewise order of their names: names and positions."""
    groups: dict[str, tuple[list[bytes], list[int]]] = {}
    for row, path in enumerate(paths):
        directory, name = split(path)
        names, rows = groups.setdefault(directory, ([], []))
        names.append(os.fsencode(name))
        rows.append(row)
    for directory, (names, rows) in groups.items():
        order = sorted(range(len(names)), key=names.__getitem__)
        groups[directory] = ([names[i] for i in order], [rows[i] for i in order])
    return groups
