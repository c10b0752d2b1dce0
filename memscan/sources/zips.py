"""Images in zip archives, stored or deflated, in the order of the archive's directory.

The directory is read here and not by :mod:`zipfile`, which reads all of it before the first member
and holds some 450 bytes for each: 8 seconds and 0.5 GB for a million. What the headers state is
compared with what comes out; the checksum decides.
"""

from __future__ import annotations

import contextlib
import stat
import struct
import zlib
from typing import BinaryIO, Collection, Iterator, NamedTuple

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

_END = struct.Struct("<4s4H2LH")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR_64 = struct.Struct("<4sLQL")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_LOCAL_BYTES = 30  # of the header of a member, without its name
_COMMENT_BYTES = 0xFFFF  # at most, behind the end record
_ENTRY_BYTES = _ENTRY.size + 3 * 0xFFFF  # at most
_IN_EXTRA = 0xFFFFFFFF  # the number stands in the extra field 1, with 64 bits
_INPUT = 1 << 16  # packed bytes that are unpacked at a time

_STORED, _DEFLATED = 0, 8
_ENCRYPTED, _UTF_8 = 0x1, 0x800


class _Directory(NamedTuple):
    """Where the directory is; ``shift``: bytes before the archive; ``stated``: its members."""

    begin: int
    end: int
    shift: int
    stated: int


class _Entry(NamedTuple):
    name: str
    raw_name: bytes
    flags: int
    method: int
    checksum: int
    packed: int
    unpacked: int
    header: int
    position: int

    @property
    def problem(self) -> Problem | None:
        if self.flags & _ENCRYPTED:
            return Problem("encrypted")
        if self.method not in (_STORED, _DEFLATED):
            return Problem(
                f"compressed by method {self.method}; only stored and deflated members are read"
            )
        return None


class _MemberError(Exception):
    """A member cannot be read; the others can."""


class _Archive:
    """An open archive; ``unpacked`` counts the bytes that came out of it."""

    def __init__(self, file: BinaryIO, limits: Limits) -> None:
        self._file = file
        self._limits = limits
        self._size = file.seek(0, 2)
        self._unpacked = 0
        self._directory = self._find_directory()

    def entries(self) -> Iterator[_Entry]:
        """The members of the directory that are files. Raises ReadError."""
        position, end = self._directory.begin, self._directory.end
        base, data = position, b""
        count = 0
        while position < end:
            read_to = base + len(data)
            if read_to < end and read_to - position < _ENTRY_BYTES:
                base, data = position, self._at(position, min(CHUNK, end - position))
            entry, length = _parse(data, position - base, position)
            count += 1
            self._limits.check_count(count)
            if entry is not None:
                yield entry
            position += length
        if count % 0x10000 != self._directory.stated % 0x10000:
            raise ReadError(
                f"the directory has {count} members, the end of the archive says "
                f"{self._directory.stated}"
            )

    def entry_at(self, position: int) -> _Entry | None:
        """The member at this position in the directory."""
        data = self._at(position, min(_ENTRY_BYTES, self._directory.end - position))
        return _parse(data, 0, position)[0]

    def content(self, entry: _Entry, *, sniff: bool = False) -> bytes | Problem | None:
        """The bytes of a member, or why it cannot be read; None if ``sniff`` sees no image.

        Raises ReadError once too much has come out of the archive.
        """
        if entry.problem is not None:
            return entry.problem
        try:
            take = collect_image if sniff else collect
            return take(self._verified(entry), entry.unpacked, self._limits)
        except _MemberError as error:
            return Problem(error)

    def _verified(self, entry: _Entry) -> Iterator[bytes]:
        checksum = size = 0
        for chunk in self._chunks(entry):
            checksum = zlib.crc32(chunk, checksum)
            size += len(chunk)
            self._unpacked += len(chunk)
            self._limits.check_expansion(self._unpacked, self._size)
            yield chunk
        if checksum != entry.checksum or size != entry.unpacked:
            raise _MemberError("broken: its bytes do not have the stated checksum and size")

    def _chunks(self, entry: _Entry) -> Iterator[bytes]:
        position = self._data_of(entry)
        end = position + entry.packed
        if end > self._size:
            raise _MemberError("broken: it goes on behind the end of the archive")
        if entry.method == _STORED:
            while position < end:
                chunk = self._at(position, min(CHUNK, end - position))
                position += len(chunk)
                yield chunk
            return
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        while position < end and not inflater.eof:
            packed = self._at(position, min(_INPUT, end - position))
            position += len(packed)
            while packed and not inflater.eof:
                try:
                    yield inflater.decompress(packed, CHUNK)
                except zlib.error as error:
                    raise _MemberError(f"broken: {error}") from error
                packed = inflater.unconsumed_tail
        yield inflater.flush()
        if not inflater.eof:
            raise _MemberError("broken: it ends early")

    def _data_of(self, entry: _Entry) -> int:
        """The position of the member's bytes, which its own header tells."""
        begin = entry.header + self._directory.shift
        if not 0 <= begin <= self._size - _LOCAL_BYTES:
            raise _MemberError("broken: it begins behind the end of the archive")
        size = min(_LOCAL_BYTES + len(entry.raw_name), self._size - begin)
        header = self._at(begin, size)
        mark = header[:4]
        name_size, extra_size = struct.unpack_from("<2H", header, 26)
        is_same = name_size == len(entry.raw_name) and header[_LOCAL_BYTES:] == entry.raw_name
        if mark != b"PK\3\4" or not is_same:
            raise _MemberError("broken: the directory points to something else")
        return begin + _LOCAL_BYTES + int(name_size) + int(extra_size)

    def _find_directory(self) -> _Directory:
        size = min(self._size, _END.size + _COMMENT_BYTES)
        if not size:
            raise ReadError("the file is empty")
        tail = self._at(self._size - size, size)
        found = tail.rfind(b"PK\5\6")
        if found < 0 or len(tail) - found < _END.size:
            raise ReadError("not a zip archive, or its end is missing")
        end = self._size - size + found
        _, _, _, _, count, length, begin, _ = _END.unpack_from(tail, found)
        locator = end - _LOCATOR_64.size
        if locator >= _END_64.size and self._at(locator, 4) == b"PK\6\7":
            end = locator - _END_64.size
            record = _END_64.unpack(self._at(end, _END_64.size))
            if record[0] != b"PK\6\6":
                raise ReadError("broken: its end of 64 bits is missing")
            *_, count, length, begin = record
        shift = end - length - begin  # bytes before the archive, such as a program that unpacks it
        if shift < 0 or length > end:
            raise ReadError("broken: its directory is not where its end says")
        return _Directory(end - length, end, shift, count)

    def _at(self, position: int, size: int) -> bytes:
        try:
            self._file.seek(position)
            data = self._file.read(size)
        except OSError as error:
            raise ReadError(f"broken at byte {position}: {error}") from error
        if len(data) < size:
            raise ReadError(f"the archive ends early, at byte {position + len(data)}")
        return data


def members(path: str, file: BinaryIO, limits: Limits, seen: Seen) -> Iterator[Content]:
    """The images in the archive, in its order. Raises ReadError where the archive breaks."""
    archive = _Archive(file, limits)
    for entry in archive.entries():
        is_image = named_like_image(entry.name)
        if is_image is False or not seen.is_new(entry.name):
            continue
        content = archive.content(entry, sniff=is_image is None)
        if content is not None:
            yield Content(entry.name, content)


def find(path: str, file: BinaryIO, names: Collection[str], limits: Limits) -> Iterator[Content]:
    """Those of the named members that there are. Raises ReadError for a broken archive.

    The positions in the directory are remembered, so that one pass serves many calls.
    """
    archive = _Archive(file, limits)
    positions = positions_of(path, lambda: _scan(archive))
    for name in names:
        for position in positions.of(name):
            entry = archive.entry_at(position)
            if entry is not None and entry.name == name:
                content = archive.content(entry)
                if content is not None:
                    yield Content(name, content)
                break


def _scan(archive: _Archive) -> Iterator[tuple[str, int]]:
    """The names and positions of all members up to the end, or to where the directory breaks."""
    with contextlib.suppress(ReadError):  # told when the archive was read from front to back
        for entry in archive.entries():
            yield entry.name, entry.position


def _parse(data: bytes, offset: int, position: int) -> tuple[_Entry | None, int]:
    """An entry of the directory, None for a directory or a link, and its length in bytes."""
    if len(data) - offset < _ENTRY.size or data[offset : offset + 4] != b"PK\1\2":
        raise ReadError(f"broken at byte {position}: not an entry of the directory")
    fields = _ENTRY.unpack_from(data, offset)
    _, _, _, flags, method, _, _, checksum, packed, unpacked = fields[:10]
    name_size, extra_size, comment_size, _, _, attributes, header = fields[10:17]
    length = _ENTRY.size + name_size + extra_size + comment_size
    if offset + length > len(data):
        raise ReadError(f"broken at byte {position}: not an entry of the directory")
    begin = offset + _ENTRY.size
    raw_name = data[begin : begin + name_size]
    extra = data[begin + name_size : begin + name_size + extra_size]
    unpacked, packed, header = _wide((unpacked, packed, header), extra, position)
    name = raw_name.decode(*(("utf-8", "surrogateescape") if flags & _UTF_8 else ("cp437",)))
    name = name.partition("\0")[0]
    if name.endswith("/") or stat.S_ISLNK(attributes >> 16):
        return None, length
    return (
        _Entry(name, raw_name, flags, method, checksum, packed, unpacked, header, position),
        length,
    )


def _wide(numbers: tuple[int, ...], extra: bytes, position: int) -> list[int]:
    """The numbers, with those that need 64 bits taken from the extra field."""
    if _IN_EXTRA not in numbers:
        return list(numbers)
    while len(extra) >= 4:
        kind, size = struct.unpack_from("<2H", extra)
        if kind == 1:
            wide = extra[4 : 4 + size]
            result = []
            for number in numbers:
                if number == _IN_EXTRA:
                    if len(wide) < 8:
                        raise ReadError(f"broken at byte {position}: a size is missing")
                    number = int.from_bytes(wide[:8], "little")
                    wide = wide[8:]
                result.append(number)
            return result
        extra = extra[4 + size :]
    return list(numbers)
