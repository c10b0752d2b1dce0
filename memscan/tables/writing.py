"""Files of a table: written whole, under another name first."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import secrets
from typing import Any, BinaryIO, Iterator

from memscan.errors import OutputError

_CHUNK = 1 << 20


class Sink(io.RawIOBase):
    """A file that is counted and digested while it is written.

    The first failure is kept and what follows is thrown away, so that an encoder in the middle
    of its work can still be closed; :meth:`check` raises it as an OutputError.
    """

    def __init__(self, file: BinaryIO, path: str) -> None:
        super().__init__()
        self.size = 0
        self._path = path
        self._file = file
        self._digest = hashlib.sha256()
        self._failure: OSError | None = None

    def writable(self) -> bool:
        """Whether it can be written to: yes."""
        return True

    def write(self, data: Any) -> int:
        """Write bytes; returns their number, whether or not there was room for them."""
        view = memoryview(data).cast("B")
        self.size += len(view)
        if self._failure is None:
            try:
                self._file.write(view)
                self._digest.update(view)
            except OSError as error:
                self._failure = error
        return len(view)

    def tell(self) -> int:
        """The number of bytes written so far."""
        return self.size

    def check(self) -> None:
        """Raise OutputError if a write failed."""
        if self._failure is not None:
            raise unwritable(self._path, self._failure) from self._failure

    @property
    def sha256(self) -> str:
        """The SHA-256 of what was written, in hex."""
        return self._digest.hexdigest()


@contextlib.contextmanager
def replacing(path: str) -> Iterator[Sink]:
    """Write a file under a temporary name beside it; at the end it is synced and renamed.

    What was there stays if anything is raised on the way. Raises OutputError.
    """
    temporary = os.path.join(os.path.dirname(path), f".memscan-{secrets.token_hex(8)}.tmp")
    try:
        file = open(temporary, "xb")  # noqa: SIM115 - closed below, and errors told apart
    except OSError as error:
        raise unwritable(path, error) from error
    try:
        try:
            sink = Sink(file, path)
            yield sink
            sink.check()
            try:
                file.flush()
                os.fsync(file.fileno())
            except OSError as error:
                raise unwritable(path, error) from error
        finally:
            with contextlib.suppress(OSError):  # it tries again to write what there is no room for
                file.close()
        try:
            os.replace(temporary, path)
        except OSError as error:
            raise unwritable(path, error) from error
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def digest(path: str) -> str:
    """The SHA-256 of a file in hex. Raises OSError."""
    whole = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            whole.update(chunk)
    return whole.hexdigest()


def unwritable(path: str, error: OSError) -> OutputError:
    """The OutputError that says why a file could not be written."""
    return OutputError(f"{path}: cannot be written: {error.strerror or error}")
