"""The values that a model gave, kept in a file of JSON Lines: what was measured once is known.

A line is appended for each method and image (or caption), so that a run that was killed goes on
where it was, and a reference is measured once for any number of targets. Scores are not kept: they
depend on the reference.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from typing import Any, BinaryIO, Mapping, Tuple

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
    Raises InputError for a file that holds anything else, OutputError for one that cannot be
    written.
    """

    def __init__(self, path: str | None = None) -> None:
        self._path = path
        self._known: dict[tuple[str, str], Values] = {}
        self._file: BinaryIO | None = None
        if path is not None:
            whole = self._read(path)
            try:
                self._file = open(path, "ab")  # noqa: SIM115 - closed by close
                self._file.truncate(whole)
            except OSError as error:
                raise self._unwritable(error) from error

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
                self._file.write("".join(f"{line}\n" for line in lines).encode("ascii"))
                self._file.flush()
            except OSError as error:
                raise self._unwritable(error) from error

    def _read(self, path: str) -> int:
        """Read what is there; the length up to the last whole line."""
        whole = 0
        try:
            if os.path.exists(path) and not os.path.isfile(path):
                raise InputError(f"{path}: not a regular file")
            with open(path, "rb") as file:
                for number, line in enumerate(file, 1):
                    if not line.endswith(b"\n") and _is_begun(line):
                        break  # the run that wrote it was killed
                    self._parse(path, number, line)
                    whole += len(line)
        except FileNotFoundError:
            return 0
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


def _is_begun(line: bytes) -> bool:
    """Whether bytes without an end could be the beginning of a line of ours."""
    return line.startswith(_BEGINNING) or _BEGINNING.startswith(line)
