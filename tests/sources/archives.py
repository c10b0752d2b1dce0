"""Archives made by code: good ones with Python's own writers, and bad ones byte by byte."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zipfile
import zlib
from typing import Mapping

from tests.drawing import picture

LONG = "long/" * 30 + "x" * 90 + ".png"


def png(seed: int) -> bytes:
    file = io.BytesIO()
    picture(seed, (24, 16)).save(file, "PNG")
    return file.getvalue()


IMAGES: dict[str, bytes] = {
    "a.png": png(0),
    "b/c.PNG": png(1),
    "é/ü.png": png(2),
    LONG: png(3),
    "no_suffix": png(4),
}
"""What is read of the archives below."""

OTHERS: dict[str, bytes] = {
    "notes.txt": b"no image",
    ".hidden.png": png(5),
    "__MACOSX/a.png": b"resource fork",
    "README": b"a text without a suffix",
}
"""What is passed over."""


def tar(files: Mapping[str, bytes], format: int = tarfile.PAX_FORMAT) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=format) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return file.getvalue()


def tar_of(*infos: tarfile.TarInfo) -> bytes:
    """An archive of members without data, then one image."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for info in infos:
            archive.addfile(info)
        last = tarfile.TarInfo("last.png")
        last.size = len(IMAGES["a.png"])
        archive.addfile(last, io.BytesIO(IMAGES["a.png"]))
    return file.getvalue()


def info(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type = kind
    made.linkname = target
    return made


def tar_header(name: bytes, size: int | bytes = 0, kind: bytes = b"0") -> bytes:
    """A ustar header of any size and kind, with the right checksum."""
    field = size if isinstance(size, bytes) else b"%011o\0" % size
    block = bytearray(512)
    block[: len(name)] = name
    block[124:136] = field
    block[156:157] = kind
    block[257:265] = b"ustar\x0000"
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def blocks(data: bytes) -> bytes:
    return data + bytes(-len(data) % 512)


END = bytes(1024)


def gz(data: bytes) -> bytes:
    return gzip.compress(data, 1, mtime=0)


def zipped(files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return file.getvalue()


class ZipEntry:
    """One member of a zip archive that is made by hand, each field as one likes."""

    def __init__(self, name: bytes, data: bytes, **fields: int) -> None:
        self.name = name
        self.data = data
        self.local_name = name
        self.method = fields.get("method", 0)
        self.flags = fields.get("flags", 0)
        self.packed = fields.get("packed", len(data))
        self.unpacked = fields.get("unpacked", len(data))
        self.checksum = fields.get("checksum", zlib.crc32(data))
        self.attributes = fields.get("attributes", 0)
        self.offset = fields.get("offset", -1)
        self.extra = b""


def zip_by_hand(*entries: ZipEntry, comment: bytes = b"", count: int | None = None) -> bytes:
    body, directory = b"", b""
    for entry in entries:
        offset = len(body) if entry.offset < 0 else entry.offset
        numbers = (entry.checksum, entry.packed, entry.unpacked, len(entry.name))
        common = struct.pack("<5H", 45, entry.flags, entry.method, 0, 33)
        if entry.offset < 0:
            body += b"PK\3\4" + common + struct.pack("<3L2H", *numbers, 0)
            body += entry.local_name + entry.data
        directory += b"PK\1\2" + struct.pack("<H", 45) + common
        directory += struct.pack(
            "<3L5H2L", *numbers, len(entry.extra), 0, 0, 0, entry.attributes, offset
        )
        directory += entry.name + entry.extra
    counted = len(entries) if count is None else count
    end = (b"PK\5\6", 0, 0, counted, counted, len(directory), len(body), len(comment))
    return body + directory + struct.pack("<4s4H2LH", *end) + comment


def zip_64(files: Mapping[str, bytes]) -> bytes:
    """All numbers where only an archive of more than 4 GiB needs to put them."""
    body, directory = b"", b""
    for name, data in files.items():
        raw = name.encode()
        extra = struct.pack("<2H3Q", 1, 24, len(data), len(data), len(body))
        common = struct.pack("<5HL", 45, 0x800, 0, 0, 33, zlib.crc32(data))
        directory += b"PK\1\2" + struct.pack("<H", 45) + common
        directory += struct.pack("<2L5H2L", *[0xFFFFFFFF] * 2, len(raw), 28, 0, 0, 0, 0, 0xFFFFFFFF)
        directory += raw + extra
        body += b"PK\3\4" + common + struct.pack("<2L2H", len(data), len(data), len(raw), 0)
        body += raw + data
    count = len(files)
    end_64 = (b"PK\6\6", 44, 45, 45, 0, 0, count, count, len(directory), len(body))
    locator = (b"PK\6\7", 0, len(body) + len(directory), 1)
    return (
        body
        + directory
        + struct.pack("<4sQ2H2L4Q", *end_64)
        + struct.pack("<4sLQL", *locator)
        + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, *[0xFFFFFFFF] * 2, 0)
    )
