"""The values that a model gave, kept in a file of JSON Lines: what was measured once is known.

A line is appended for each method and image (or caption), so that a run that was killed goes on
where it was, and a reference is measured once for any number of targets. Scores are not kept: they
depend on the reference. A file belongs to one run at a time.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
from io import FileIO
from typing import Any, Mapping, Tuple

from memscan.errors import InputError, OutputError

Values = Tuple[float, ...]

_FORMAT = 1
_FIELDS = {"method", "identity", "key", "values"}
_MOST_VALUES = 8
_BEGINNING = b'{"method": "'


def identity(method: str, fingerprint: str, options: Mapping[str, Any]) -> str:
    """What must be equal for values of a method to be comparable: 32 hexadecimal digits."""
    text = json.dumps([_FORMAT, method, fingerprint, options], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


class Measurements:
    """Values by the identity of what measured them and the key of what was measured.

    Without a path they are in memory alone. A file may hold those of several models and options.
    Raises InputError for a file that holds anything else or that another run writes to, OutputError
    for one that cannot be written.
    """

    def __init__(self, path: str | None = None) -> None:
        self._path = path
        self._known: dict[tuple[str, str], Values] = {}
        self._file: FileIO | None = None
        if path is not None:
            if os.path.exists(path) and not os.path.isfile(path):
                raise InputError(f"{path}: not a regular file")
            try:
                self._file = FileIO(path, "a")
            except OSError as error:
                raise self._unwritable(error) from error
            with contextlib.ExitStack() as undo:
                undo.callback(self._file.close)
                self._take(path, self._file)
                undo.pop_all()

    def __enter__(self) -> Measurements:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def find(self, own: str, key: str) -> Values | None:
        """The values that something with this identity gave."""
        return self._known.get((own, key))

    def keep(self, method: str, own: str, found: Mapping[str, Values]) -> None:
        """Remember values by their keys, in the file as well. Raises OutputError."""
        self._known.update({(own, key): values for key, values in found.items()})
        if self._file is not None:
            lines = [
                json.dumps({"method": method, "identity": own, "key": key, "values": values})
                for key, values in found.items()
            ]
            try:
                _write(self._file, "".join(f"{line}\n" for line in lines).encode("ascii"))
            except OSError as error:
                raise self._unwritable(error) from error

    def _take(self, path: str, file: FileIO) -> None:
        """Read what is there, and cut off what a run that was killed did not finish."""
        try:
            _lock(file)
            file.truncate(self._read(path))
        except BlockingIOError as error:
            raise InputError(f"{path}: another run writes to it; name another file") from error
        except OSError as error:
            raise self._unwritable(error) from error

    def _read(self, path: str) -> int:
        """Read what is there; the length up to the last whole line."""
        whole = 0
        try:
            with open(path, "rb") as file:
                for number, line in enumerate(file, 1):
                    if not line.endswith(b"\n") and _is_begun(line):
                        break  # the run that wrote it was killed
                    self._parse(path, number, line)
                    whole += len(line)
        except OSError as error:
            raise InputError(f"{path}: cannot be read: {error.strerror}") from error
        return whole

    def _parse(self, path: str, number: int, line: bytes) -> None:
        try:
            entry = json.loads(line)
            if not isinstance(entry, dict) or set(entry) != _FIELDS:
                raise ValueError
            values = tuple(map(float, entry["values"]))
            if not 0 < len(values) <= _MOST_VALUES or not all(map(math.isfinite, values)):
                raise ValueError
            self._known[str(entry["identity"]), str(entry["key"])] = values
        except (ValueError, TypeError, RecursionError):
            raise InputError(
                f"{path}: line {number} is no measurement of memscan probe; name another file"
            ) from None

    def _unwritable(self, error: OSError) -> OutputError:
        return OutputError(f"{self._path}: cannot be written: {error.strerror}")


def _lock(file: FileIO) -> None:
    """Keep other runs from the file until it is closed. Raises BlockingIOError if one has it.

    Where files cannot be locked, nothing is done.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:  # a file system of a network
        return


def _write(file: FileIO, content: bytes) -> None:
    """Write all of it, with nothing left that closing the file would try to write again."""
    rest = memoryview(content)
    while rest:
        rest = rest[file.write(rest) :]


def _is_begun(line: bytes) -> bool:
    """Whether bytes without an end could be the beginning of a line of ours."""
    return line.startswith(_BEGINNING) or _BEGINNING.startswith(line)
