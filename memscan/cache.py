"""Hashes of files that were hashed before.

One SQLite file, one row per file and encoder. A row counts only while everything that a change of
the file can touch is as it was: path, size, times of modification and of status change in
nanoseconds, inode. It costs nothing but time to delete the file, and no trouble with it stops a
scan: the cache then finds nothing, keeps nothing, and says why in :attr:`Cache.trouble`.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from typing import Any, Iterator, NamedTuple, Sequence

import numpy as np

from memscan import cache_file
from memscan.cache_file import Row
from memscan.errors import InputError
from memscan.kept import Known, Members, members_of, unsigned, values_of
from memscan.records import HashedImage
from memscan.stamps import Stamp, is_same

FILE_NAME = "hashes.sqlite"

_BATCH = 512  # rows per transaction
_BATCH_SECONDS = 2.0


class Usage(NamedTuple):
    """What is in a cache file: its size in bytes, and rows by encoder."""

    bytes: int
    images: dict[str, int]


class Cache:
    """The cache in a directory, which is made if need be. Use it from one thread.

    ``with Cache(directory) as cache:`` closes it. ``trouble`` is None, or a sentence that says what
    was lost and why.
    """

    def __init__(self, directory: str | None) -> None:
        self.trouble: str | None = None
        self.path = os.path.join(directory, FILE_NAME) if directory else ""
        self._pending: list[Row] = []
        self._pending_since = 0.0
        self._connection: sqlite3.Connection | None = None
        if directory is None:
            self.trouble = "there is no home directory for a cache; --cache-dir names another place"
            return
        with self._guarded("used"):
            os.makedirs(directory, exist_ok=True)
            self._connection = cache_file.connect(self.path)

    def __enter__(self) -> Cache:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def find(self, paths: Sequence[str], encoder: str, max_pixels: int, rest: int = 0) -> Known:
        """Look up files by path and stamp; images of more than ``max_pixels`` are unknown.

        ``rest`` is the number of words that are kept of an image besides the first one.
        """
        found = Known(
            np.zeros(len(paths), np.bool_),
            np.zeros(len(paths), np.uint64),
            np.zeros(len(paths), np.bool_),
            np.zeros((len(paths), rest), np.uint64),
        )
        with self._guarded("read"):
            if self._connection is not None:
                for directory, (names, rows) in cache_file.by_directory(paths).items():
                    self._find_in(directory, names, rows, paths, encoder, max_pixels, found)
        return found

    def keep(self, path: str, encoder: str, stamp: Stamp, image: HashedImage) -> None:
        """Remember an image whose file had this stamp, a settled one, before it was read."""
        if self._connection is None:
            return
        directory, name = cache_file.split(path)
        self._add(Row(encoder, directory, os.fsencode(name), *stamp, *values_of(image)))

    def find_members(
        self, container: str, encoder: str, stamp: Stamp, max_pixels: int, rest: int = 0
    ) -> Members | None:
        """Look up all images of a container; None unless every one of them is known."""
        with self._guarded("read"):
            if self._connection is not None:
                rows = self._rows_of(f"{container}::", encoder)
                return members_of([row for row in rows if row[1:5] == stamp], max_pixels, rest)
        return None

    def keep_members(
        self,
        container: str,
        encoder: str,
        stamp: Stamp,
        images: Sequence[tuple[str, HashedImage]],
        remark: str = "",
    ) -> None:
        """Remember all images of a container that had this stamp, each with its name in it."""
        if self._connection is None:
            return
        place = f"{container}::"
        for name, image in images:
            self._add(Row(encoder, place, os.fsencode(name), *stamp, *values_of(image)))
        # Last, so that it stands only where all of them do.
        self._add(Row(encoder, place, b"", *stamp, 0, 0, len(images), remark.encode()))

    def _add(self, row: Row) -> None:
        if not self._pending:
            self._pending_since = time.monotonic()
        self._pending.append(row)
        late = time.monotonic() - self._pending_since > _BATCH_SECONDS
        if late or len(self._pending) >= _BATCH:
            self.flush()

    def flush(self) -> None:
        """Write what is still to be written, in one short transaction."""
        pending, self._pending = self._pending, []
        if pending:
            with self._guarded("written"), self._transaction() as connection:
                encoders = {row.encoder for row in pending}
                encoder_ids = {
                    x: cache_file.number_of(connection, "encoders", "fingerprint", x)
                    for x in encoders
                }
                directories = {row.directory for row in pending}
                directory_ids = {
                    x: cache_file.number_of(
                        connection, "directories", "path", cache_file.real_bytes(x)
                    )
                    for x in directories
                }
                connection.executemany(
                    "INSERT OR REPLACE INTO images VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        (encoder_ids[row.encoder], directory_ids[row.directory], *row[2:])
                        for row in pending
                    ),
                )

    def usage(self) -> Usage:
        """Count what is there. Raises InputError if the file cannot be used."""
        with self._or_input_error() as connection:
            rows = connection.execute(
                "SELECT fingerprint, count(*) FROM images JOIN encoders ON encoders.id = encoder "
                "WHERE name != x'' GROUP BY fingerprint ORDER BY fingerprint"
            ).fetchall()
        sizes = (os.path.getsize(path) for path in self._files() if os.path.exists(path))
        return Usage(sum(sizes), dict(rows))

    def prune(self) -> int:
        """Forget files that are gone or changed; returns how many. Raises InputError."""
        with self._or_input_error() as connection:
            stale = [
                key
                for directory, path, name, *stamp in connection.execute(
                    "SELECT DISTINCT directory, path, name, size, mtime, ctime, inode "
                    "FROM images JOIN directories ON directories.id = directory"
                )
                if cache_file.is_gone(path, name, tuple(stamp))
                for key in [(directory, name, *stamp)]
            ]
            with self._transaction():
                connection.executemany(
                    "DELETE FROM images WHERE directory = ? AND name = ? "
                    "AND size = ? AND mtime = ? AND ctime = ? AND inode = ?",
                    stale,
                )
                connection.execute(
                    "DELETE FROM directories WHERE id NOT IN (SELECT directory FROM images)"
                )
            connection.execute("VACUUM")
        return sum(key[1] != b"" for key in stale)

    def clear(self) -> bool:
        """Delete the file; returns whether there was one. Raises InputError for a foreign file."""
        self.close()
        try:
            with open(self.path, "rb") as file:
                if file.read(16) not in (b"", b"SQLite format 3\0"):
                    raise InputError(f"{self.path}: not a cache of memscan, so it is left alone")
            for path in self._files():
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise InputError(f"{self.path}: cannot be deleted: {error.strerror}") from error
        return True

    def close(self) -> None:
        """Write what is pending and let go of the file."""
        self.flush()
        if self._connection is not None:
            with self._guarded("closed"):
                self._connection.close()
        self._connection = None

    def _find_in(
        self,
        directory: str,
        names: list[bytes],
        rows: list[int],
        paths: Sequence[str],
        encoder: str,
        max_pixels: int,
        found: Known,
    ) -> None:
        """Merge a directory's files with what is kept of it; both are in the order of names."""
        kept = self._rows_of(directory, encoder)
        rest_bytes = 8 * found.rest.shape[1]
        entry = next(kept, None)
        for name, row in zip(names, rows):
            while entry is not None and entry[0] < name:
                entry = next(kept, None)
            if entry is None:
                return
            is_whole = entry[7] <= max_pixels and len(entry[8]) == rest_bytes
            if entry[0] == name and is_whole and is_same(paths[row], entry):
                found.known[row] = True
                found.first[row] = unsigned(entry[5])
                found.low_information[row] = entry[6]
                if rest_bytes:
                    found.rest[row] = np.frombuffer(entry[8], "<u8")

    def _rows_of(self, directory: str, encoder: str) -> Iterator[Any]:
        assert self._connection is not None
        return self._connection.execute(
            "SELECT name, size, mtime, ctime, inode, hash, low_information, pixels, views "
            "FROM images "
            "WHERE encoder = (SELECT id FROM encoders WHERE fingerprint = ?) "
            "AND directory = (SELECT id FROM directories WHERE path = ?) ORDER BY name",
            (encoder, cache_file.real_bytes(directory)),
        )

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        assert self._connection is not None
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield self._connection
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    @contextlib.contextmanager
    def _guarded(self, what: str) -> Iterator[None]:
        """Turn trouble into a sentence and go on without the cache."""
        try:
            yield
        except (sqlite3.Error, OSError, InputError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            self.trouble = (
                f"the cache {self.path} cannot be {what} ({reason}); the scan goes on without it"
            )
            self._pending = []
            if self._connection is not None:
                with contextlib.suppress(sqlite3.Error):
                    self._connection.close()
            self._connection = None

    @contextlib.contextmanager
    def _or_input_error(self) -> Iterator[sqlite3.Connection]:
        """Give the connection to a command whose only purpose is the cache."""
        if self._connection is None:
            raise InputError(self.trouble or "the cache is closed")
        try:
            yield self._connection
        except (sqlite3.Error, OSError) as error:
            raise InputError(f"{self.path}: {error}") from error

    def _files(self) -> list[str]:
        return [self.path + suffix for suffix in ("", "-wal", "-shm", "-journal")]
