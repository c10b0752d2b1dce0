"""Images in tar archives, WebDataset shards among them, in one pass.

Formats: ustar, GNU and pax. The headers are read here and not by :mod:`tarfile`, which takes a
broken header for the end of the archive and so loses the rest without a word, reads names of
any length into memory, and costs more for each member than reading a loose file does.
"""

from __future__ import annotations

import contextlib
import struct
from typing import BinaryIO, Callable, Collection, Iterator, NamedTuple, TypeVar, Union

from memscan.errors import ReadError
from memscan.sources.members import (
    CHUNK,
    Content,
    Limits,
    Problem,
    Seen,
    collect,
    collect_image,
    named_like_image,
)
from memscan.sources.positions import positions_of
from memscan.sources.streams import Stream

_BLOCK = 512
_NOTHING = bytes(_BLOCK)  # marks the end of an archive
_EXTENSION_BYTES = 1 << 20  # of a long name or the pax records of one member
_TRAILING_BYTES = 64 << 20  # behind the end that are looked at

# One letter each. Those without data that no image can be: links, devices, directories, pipes.
_NO_FILES = frozenset(b"123456")
_GNU_EXTRAS = frozenset(b"DMNV")  # a directory's list, the rest of a split file, a volume's label
_LONG_NAME, _LONG_LINK = ord("L"), ord("K")
_PAX, _PAX_SOLARIS, _PAX_GLOBAL = ord("x"), ord("X"), ord("g")
_EXTENSIONS = (_LONG_NAME, _LONG_LINK, _PAX, _PAX_SOLARIS, _PAX_GLOBAL)
_SPARSE = ord("S")
_SPARSE_PROBLEM = Problem("a sparse file, which is not read from archives")

_Taken = TypeVar("_Taken", Union[bytes, Problem], Union[bytes, Problem, None])


class _Header(NamedTuple):
    name: bytes
    size: int
    type: int


class _Entry(NamedTuple):
    """A file in the archive; ``start`` is the position of the first header that belongs to it."""

    name: str
    size: int
    start: int
    problem: Problem | None


def members(path: str, file: BinaryIO, limits: Limits, seen: Seen) -> Iterator[Content]:
    """The images in the archive, in its order. Raises ReadError where the archive breaks."""
    stream = Stream(file, limits)
    for entry in _entries(stream, limits):
        is_image = named_like_image(entry.name)
        if is_image is False or not seen.is_new(entry.name):
            continue
        take = collect if is_image else collect_image
        content = entry.problem or _read(stream, entry, take, limits)
        if content is not None:
            yield Content(entry.name, content)


def find(path: str, file: BinaryIO, names: Collection[str], limits: Limits) -> Iterator[Content]:
    """Those of the named members that there are. Raises ReadError where the archive breaks.

    Of an archive that is not compressed the positions are remembered, so that one pass over its
    headers serves many calls; a compressed one is unpacked up to the last of the names.
    """
    stream = Stream(file, limits)
    if stream.is_forward_only:
        yield from _find_in_passing(stream, set(names), limits)
        return
    positions = positions_of(path, lambda: _scan(stream, limits))
    for name in names:
        for start in positions.of(name):
            stream.go_to(start)
            entry = next(_entries(stream, limits), None)
            if entry is not None and entry.name == name:
                yield Content(name, entry.problem or _read(stream, entry, collect, limits))
                break


def _find_in_passing(stream: Stream, wanted: set[str], limits: Limits) -> Iterator[Content]:
    for entry in _entries(stream, limits):
        if entry.name in wanted:
            wanted.remove(entry.name)
            yield Content(entry.name, entry.problem or _read(stream, entry, collect, limits))
            if not wanted:
                return


def _scan(stream: Stream, limits: Limits) -> Iterator[tuple[str, int]]:
    """The names and positions of all files up to the end, or to where the archive breaks."""
    with contextlib.suppress(ReadError):  # told when the archive was read from front to back
        for entry in _entries(stream, limits):
            yield entry.name, entry.start


def _read(stream: Stream, entry: _Entry, take: Callable[..., _Taken], limits: Limits) -> _Taken:
    try:
        return take(stream.chunks(entry.size), entry.size, limits)
    except ReadError as error:
        raise ReadError(f"{error}, in the member {entry.name!r}") from error


def _entries(stream: Stream, limits: Limits) -> Iterator[_Entry]:
    """The files from the stream's position on; between two, their bytes can be read.

    Raises ReadError for what is no archive, is broken, ends early or goes on behind its end.
    """
    count = 0
    start = stream.position
    extended: dict[bytes, bytes] = {}
    while True:
        block = stream.read(_BLOCK)
        if block == _NOTHING:
            _require_end(stream)
            return
        header = _header(block, stream.position - len(block))
        size = header.size
        if header.type not in _EXTENSIONS:
            size = 0 if header.type in _NO_FILES else _pax_size(extended, size, start)
        following = stream.position + size + -size % _BLOCK
        if header.type in (_LONG_NAME, _PAX, _PAX_SOLARIS):
            extended.update(_extension(stream, header, start))
        elif header.type not in _EXTENSIONS:
            count += 1
            limits.check_count(count)
            is_sparse = header.type == _SPARSE or b"sparse" in extended
            if header.type == _SPARSE:
                following += _skip_sparse_map(stream, block)
            name = extended.get(b"sparse name", extended.get(b"path", header.name))
            is_file = header.type not in _NO_FILES and header.type not in _GNU_EXTRAS
            if is_file and not name.endswith(b"/"):
                text = name.decode("utf-8", "surrogateescape")
                yield _Entry(text, size, start, _SPARSE_PROBLEM if is_sparse else None)
            extended = {}
        stream.go_to(following)
        if not extended:  # else the headers just read belong to the next member
            start = stream.position


def _header(block: bytes, position: int) -> _Header:
    """What a header says that matters here. Raises ReadError."""
    if len(block) < _BLOCK:
        if not position and not block:
            raise ReadError("the file is empty")
        raise ReadError(f"the archive ends early, at byte {position + len(block)}")
    try:
        checksum = _number(block[148:156])
        if checksum != sum(block) - sum(block[148:156]) + 8 * ord(" "):
            signed = sum(struct.unpack("512b", block)) - sum(struct.unpack("8b", block[148:156]))
            if checksum != signed + 8 * ord(" "):
                raise ValueError
        name = block[:100].partition(b"\0")[0]
        if block[257:263] == b"ustar\0" and block[345]:
            name = block[345:500].partition(b"\0")[0] + b"/" + name
        return _Header(name, _number(block[124:136]), block[156])
    except ValueError as error:
        if not position:
            raise ReadError("not a tar archive") from error
        raise ReadError(f"broken at byte {position}: not the header of a member") from error


def _number(field: bytes) -> int:
    """A number in octal digits or, behind the byte 128, in binary. Raises ValueError."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    number = int(field.partition(b"\0")[0].strip() or b"0", 8)
    if number < 0:
        raise ValueError("negative")
    return number


def _extension(stream: Stream, header: _Header, start: int) -> dict[bytes, bytes]:
    """What a header says of the member behind it: ``path``, ``size``, and marks of sparse files.

    A long name is a ``path``, too. Nothing else is kept, however many such headers there are.
    """
    if header.size > _EXTENSION_BYTES:
        raise ReadError(f"broken at byte {start}: a header of {header.size} bytes")
    data = b"".join(stream.chunks(header.size))
    if header.type == _LONG_NAME:
        return {b"path": data.partition(b"\0")[0]}
    records: dict[bytes, bytes] = {}
    position = 0
    while position < len(data) and data[position]:
        digits, _, _ = data[position : position + 20].partition(b" ")
        length = int(digits) if digits.isdigit() else 0
        record = data[position + len(digits) + 1 : position + length]
        key, equals, value = record[:-1].partition(b"=")
        if not equals or record[-1:] != b"\n" or position + length > len(data):
            raise ReadError(f"broken at byte {start}: not a pax header")
        position += length
        if key in (b"path", b"size"):
            records[key] = value.partition(b"\0")[0]
        elif key.startswith(b"GNU.sparse."):
            records[b"sparse name" if key == b"GNU.sparse.name" else b"sparse"] = value
    return records


def _pax_size(extended: dict[bytes, bytes], size: int, start: int) -> int:
    """The size of a member: the pax record wins, since the header's digits are too few."""
    stated = extended.get(b"size")
    if stated is None:
        return size
    if not stated.isdigit() or len(stated) > 20:
        raise ReadError(f"broken at byte {start}: not a size")
    return int(stated)


def _skip_sparse_map(stream: Stream, block: bytes) -> int:
    """Pass over the blocks that go on with the map of a GNU sparse file; the bytes of them."""
    begin = stream.position
    goes_on = block[482]
    while goes_on:
        goes_on = b"".join(stream.chunks(_BLOCK))[504]
    return stream.position - begin


def _require_end(stream: Stream) -> None:
    """Raise ReadError unless only zeros follow; so the end of a compressed file is reached."""
    end = stream.position
    while stream.position - end < _TRAILING_BYTES:
        data = stream.read(CHUNK)
        if not data:
            return
        if data.count(0) != len(data):
            raise ReadError(f"more data behind the end of the archive at byte {end}: not read")
