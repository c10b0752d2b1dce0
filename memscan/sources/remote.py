"""Files on object stores and web servers: found, told apart, opened and read."""

from __future__ import annotations

import collections
import email.utils
import errno
import hashlib
import io
import itertools
import os
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from typing import Any, BinaryIO, Iterable, Iterator, Mapping, cast

from memscan.errors import ImageError, InputError, ReadError
from memscan.records import Failure, Stage
from memscan.sources.directories import Entry, Selection
from memscan.sources.stores import as_input_error, as_read_error, connect, shown

BLOCK = 1 << 22
"""Bytes that an open file asks for at a time, and keeps."""

_WEB = ("http://", "https://")
_STRONG_MARKS = ("ETag", "md5Hash", "Content-MD5", "Digest", "generation")
_TIMES = ("LastModified", "updated", "created", "Last-Modified")
_SETTLED = 60.0  # seconds: more than the tick of a server's clock and how far it may be off


def find_remote(url: str, selection: Selection) -> list[Entry]:
    """The file at ``url``, or the files below it, in bytewise order of their URLs.

    All files are given, whatever their suffix, but for those below a name that begins with a dot.
    ``follow_symlinks`` says nothing here. A web server has no listings: a web address is one file.
    Raises InputError if there is nothing, or the store cannot be asked.
    """
    store, name = connect(url)
    is_web = url.lower().startswith(_WEB)
    if is_web and url.endswith("/"):
        raise InputError(f"{shown(url)}: a web server has no listings (name each file)")
    with as_input_error(url):
        if not url.endswith("/"):
            info = store.info(name)
            if is_web or info["type"] == "file":
                return [_entry(url, info)]
        depth = None if selection.recursive else 1
        found = store.find(name, maxdepth=depth, detail=True)
    root = name.rstrip("/") + "/"
    entries = [
        _entry(f"{url.rstrip('/')}/{file[len(root) :]}", info)
        for file, info in found.items()
        if file.startswith(root) and _is_taken(file[len(root) :], selection)
    ]
    return sorted(entries, key=lambda entry: os.fsencode(entry.url))


def identity(url: str) -> str | None:
    """32 hexadecimal digits that change when the object does, or None if the store cannot tell.

    They rest on its ETag, checksum or generation, else on its size and the time of its change,
    where that lies back far enough for another change to have another time. Raises ReadError.
    """
    store, name = connect(url)
    with as_read_error():
        return _identity(store.info(name))


def open_remote(url: str) -> BinaryIO:
    """Open the object for reading, BLOCK bytes at a time. Raises ReadError, then and later.

    The file can be sought in unless a web server hides the size or refuses to send parts
    (``seekable()`` tells).
    """
    store, name = connect(url)
    with as_read_error():
        if url.lower().startswith("memory:"):  # its files share one position among all readers
            return io.BytesIO(store.cat_file(name))
        opened = store.open(name, "rb", block_size=BLOCK, cache_type="none")
        if url.lower().startswith(_WEB) and not _sends_parts(opened):
            opened.close()
            opened = store.open(name, "rb", block_size=0, size=1)
    return cast(BinaryIO, io.BufferedReader(_RemoteFile(opened), BLOCK))


def read_remote(url: str, limit: int) -> bytes:
    """All bytes of the object. Raises ReadError, also if there are more than ``limit``."""
    store, name = connect(url)
    with as_read_error():
        if url.lower().startswith(_WEB):
            data = _read_stream(store, name, limit + 1)
        else:
            data = _read_range(store, name, limit + 1)
    if len(data) > limit:
        raise ReadError(f"more than {limit} bytes")
    return data


def read_many(
    urls: Iterable[str], limit: int, in_flight: int = 16
) -> Iterator[tuple[str, bytes | Failure]]:
    """Yield every URL with its bytes or what went wrong, in the given order.

    Up to ``in_flight`` objects are asked for at a time, and no more are held: at most ``in_flight``
    times ``limit`` bytes.
    """
    stopped = threading.Event()

    def read(url: str) -> bytes | Failure:
        if stopped.is_set():
            return b""
        try:
            return read_remote(url, limit)
        except ImageError as error:
            return Failure(url, Stage.READ, str(error))

    rest = iter(urls)
    pool = ThreadPoolExecutor(in_flight)
    reading: collections.deque[tuple[str, Future[bytes | Failure]]] = collections.deque()
    try:
        for url in itertools.islice(rest, in_flight):
            reading.append((url, pool.submit(read, url)))
        while reading:
            url, future = reading.popleft()
            yield url, future.result()
            for later in itertools.islice(rest, 1):
                reading.append((later, pool.submit(read, later)))
    finally:
        stopped.set()
        for _, future in reading:
            future.cancel()
        pool.shutdown(wait=False)


class _RemoteFile(io.RawIOBase):
    """An open fsspec file whose errors are ReadErrors.

    Not OSErrors: zipfile would take those for a file that is no archive.
    """

    def __init__(self, opened: Any) -> None:
        self._opened = opened

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._opened.size is not None  # fsspec says True of streams as well

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if not self.seekable():
            raise io.UnsupportedOperation("the server sends this file only from its beginning")
        return int(self._opened.seek(offset, whence))

    def tell(self) -> int:
        return int(self._opened.tell())

    def readinto(self, buffer: Any) -> int:
        with as_read_error():
            data = self._opened.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._opened.close()
        super().close()


def _sends_parts(opened: Any) -> bool:
    """Whether a web server sends any part of the file, which only asking for one tells."""
    if opened.size is None or opened.size < 2:
        return True
    try:
        opened.seek(1)
        opened.read(1)
    except ValueError:
        return False
    opened.seek(0)
    return True


def _read_stream(store: Any, name: str, most: int) -> bytes:
    """At most ``most`` bytes of a web address: as they come, since servers may ignore ranges."""
    with store.open(
        name, "rb", block_size=0, size=1
    ) as opened:  # a size, so that none is asked for
        data = bytearray()
        while len(data) < most:
            part = opened.read(min(BLOCK, most - len(data)))
            if not part:
                break
            data += part
    return bytes(data)


def _read_range(store: Any, name: str, most: int) -> bytes:
    """At most the first ``most`` bytes of an object, in one request."""
    try:
        return bytes(store.cat_file(name, start=0, end=most))
    except Exception as error:
        refused = getattr(error, "errno", None) == errno.EINVAL or getattr(error, "code", 0) == 416
        if refused and store.info(name)["size"] == 0:  # it has no first byte to begin with
            return b""
        raise


def _entry(url: str, info: Mapping[str, Any]) -> Entry:
    return Entry(url, info.get("size"), _identity(info))


def _is_taken(below: str, selection: Selection) -> bool:
    """Whether neither the path below the root nor a directory on its way is left out."""
    parts = below.split("/")
    if not parts[-1] or any(part.startswith(".") for part in parts):
        return False
    ways = itertools.accumulate(parts, "{}/{}".format)
    return not any(selection.excludes(way) for way in ways)


def _identity(info: Mapping[str, Any]) -> str | None:
    size = info.get("size")
    for key in _STRONG_MARKS:
        if info.get(key):
            return _digest(key, info[key], size)
    for key in _TIMES:
        seconds = _seconds(info.get(key))
        if size is not None and seconds is not None and seconds < time.time() - _SETTLED:
            return _digest(key, seconds, size)
    return None


def _digest(key: str, mark: object, size: int | None) -> str:
    """Marks are what a server likes to send, of any length: 128 bits of a hash stand for them."""
    text = f"{key}\n{mark}\n{size}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _seconds(moment: object) -> float | None:
    """Seconds since 1970 of a time as file systems state it; None of anything else."""
    if isinstance(moment, datetime):
        return moment.timestamp()
    if isinstance(moment, float):
        return moment
    if isinstance(moment, str):
        try:
            return email.utils.parsedate_to_datetime(moment).timestamp()
        except (TypeError, ValueError):
            return None
    return None
