"""Where tables are read from: files and directories of this machine, or URLs of stores.

A path is a URL where :func:`memscan.sources.stores.is_remote` says so. Tables are written to local
directories only.
"""

from __future__ import annotations

import contextlib
import io
import os
from typing import BinaryIO, Iterator

from memscan.errors import InputError, ReadError
from memscan.sources import remote, remote_folders
from memscan.sources.stores import NO_OBJECT, is_remote, shown

_LOCAL_READERS, _REMOTE_READERS = 4, 16  # a local read is a copy; a remote one mostly waits


def readers(path: str) -> int:
    """How many files of a table are read at a time."""
    return _REMOTE_READERS if is_remote(path) else _LOCAL_READERS


def join(directory: str, name: str) -> str:
    """The path of a file in a directory."""
    if is_remote(directory):
        return f"{directory.rstrip('/')}/{name}"
    return os.path.join(directory, name)


def absolute(path: str) -> str:
    """The path as another process of another directory finds it."""
    return path if is_remote(path) else os.path.abspath(path)


def require_local(path: str, what: str) -> None:
    """Raise InputError for a URL, since ``what`` takes only a local directory."""
    if is_remote(path):
        raise InputError(f"{shown(path)}: {what} a local directory, not a URL")


def is_directory(path: str) -> bool:
    """Whether a path is a directory; see :func:`memscan.sources.remote_folders.is_directory`."""
    return remote_folders.is_directory(path) if is_remote(path) else os.path.isdir(path)


def exists(path: str) -> bool:
    """Whether there is something at a path, be it a link to nothing."""
    return remote_folders.exists(path) if is_remote(path) else os.path.lexists(path)


def can_be_listed(directory: str) -> bool:
    """Whether :func:`names_in` can answer: not for web servers."""
    return not is_remote(directory) or remote_folders.can_be_listed(directory)


def names_in(directory: str) -> list[str]:
    """The names of what lies in a directory, in no order. Raises InputError."""
    if is_remote(directory):
        return remote_folders.names_in(directory)
    try:
        return os.listdir(directory)
    except OSError as error:
        raise InputError(f"{directory}: cannot be listed: {error.strerror}") from error


def require_file(path: str) -> None:
    """Raise InputError for what is no file here; a URL is only known when it is opened."""
    if not is_remote(path) and not os.path.isfile(path):  # a pipe would have to be waited for
        raise InputError(f"{path}: not a file" if os.path.exists(path) else f"{path}: no such file")


def size_of(path: str) -> int:
    """The bytes of a file. Raises InputError for a URL, OSError for a local file."""
    return remote_folders.size_of(path) if is_remote(path) else os.path.getsize(path)


def read(path: str, most: int) -> bytes | None:
    """All bytes of a file, None if nothing is there. Raises InputError, also for more bytes."""
    if is_remote(path):
        try:
            return remote.read_remote(path, most)
        except ReadError as error:
            if str(error) == NO_OBJECT:
                return None
            raise InputError(f"{shown(path)}: {error}") from error
    if not os.path.lexists(path):
        return None
    require_file(path)
    with open_stream(path) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise InputError(f"{path}: it has more than {most} bytes")
    return data


@contextlib.contextmanager
def open_stream(path: str) -> Iterator[BinaryIO]:
    """Open a file to be read from its beginning to its end, in the memory of a few blocks.

    Raises InputError, also for what goes wrong with the file within the context.
    """
    try:
        with remote.open_remote(path) if is_remote(path) else open(path, "rb") as file:
            yield file
    except ReadError as error:
        raise InputError(f"{shown(path)}: {error}") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error


@contextlib.contextmanager
def open_ranges(url: str) -> Iterator[io.RawIOBase | BinaryIO]:
    """Open a URL to read parts of it: each read is one request for just these bytes.

    Raises InputError, and ReadError for what goes wrong within the context.
    """
    try:
        opened = remote.open_remote(url)
    except ReadError as error:
        raise InputError(f"{shown(url)}: {error}") from error
    # Behind a buffer, every read of a small column would take a block of several MiB.
    with opened.detach() if isinstance(opened, io.BufferedReader) else opened as file:
        if not file.seekable():
            raise InputError(
                f"{shown(url)}: the server sends it only from its beginning; download it first"
            )
        yield file
