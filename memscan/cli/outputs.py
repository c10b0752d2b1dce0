"""Files that a command writes: whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from typing import Mapping, Sequence

from memscan.errors import InputError, OutputError
from memscan.reports import SUFFIXES


def format_of(path: str, suffixes: Mapping[str, str] = SUFFIXES) -> str:
    """The format that the name asks for, of ``suffixes``. Raises InputError for any other."""
    suffix = os.path.splitext(path)[1].lower()
    if suffix not in suffixes:
        raise InputError(f"{path}: the name of an output must end in one of {', '.join(suffixes)}")
    return suffixes[suffix]


def check_writable(paths: Sequence[str], suffixes: Mapping[str, str] = SUFFIXES) -> None:
    """Raise, before any work is done, for outputs that could not be written in the end."""
    real_paths = [os.path.realpath(path) for path in paths]
    for path, real in zip(paths, real_paths):
        format_of(path, suffixes)
        if real_paths.count(real) > 1:
            raise InputError(f"{path}: given twice as an output")
        check_replaceable(path)


def check_replaceable(path: str) -> None:
    """Raise OutputError for a file that could not be written."""
    real = os.path.realpath(path)
    if os.path.isdir(real):
        raise OutputError(f"{path}: cannot be written, it is a directory")
    if os.path.exists(real) and not os.access(real, os.W_OK):
        raise OutputError(f"{path}: cannot be written, permission denied")
    if _replaceable(real):
        trial = _temporary_name(real)
        try:
            os.close(os.open(trial, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
            os.unlink(trial)
        except OSError as error:
            raise _unwritable(path, error) from error


def write_whole(path: str, content: str | bytes) -> None:
    """Write bytes, or text as UTF-8. Raises OutputError and leaves what was there before."""
    data = content.encode("utf-8") if isinstance(content, str) else content
    real = os.path.realpath(path)
    try:
        if _replaceable(real):
            _write_and_rename(real, data)
        else:  # a device or a pipe is written to, never replaced
            with open(real, "wb") as file:
                file.write(data)
    except OSError as error:
        raise _unwritable(path, error) from error


def _replaceable(real: str) -> bool:
    return os.path.isfile(real) or not os.path.exists(real)


def _write_and_rename(real: str, data: bytes) -> None:
    temporary = _temporary_name(real)
    try:
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if os.path.exists(real):
            os.chmod(temporary, os.stat(real).st_mode & 0o777)
        os.replace(temporary, real)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _temporary_name(real: str) -> str:
    return os.path.join(os.path.dirname(real), f".memscan-{secrets.token_hex(8)}.tmp")


def _unwritable(path: str, error: OSError) -> OutputError:
    return OutputError(f"{path}: cannot be written: {error.strerror}")
