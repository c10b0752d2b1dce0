"""Archives that are broken or hostile: each gives failures, and never another exception."""

from __future__ import annotations

import functools
import os
import random
import re
import struct
import tarfile
import tracemalloc
import zlib
from pathlib import Path
from typing import Callable

import pytest

from memscan.records import Failure
from memscan.sources.containers import Limits, read_members
from tests.drawing import needs_posix
from tests.sources.archives import (
    END,
    IMAGES,
    ZipEntry,
    blocks,
    gz,
    info,
    tar,
    tar_header,
    tar_of,
    zip_64,
    zip_by_hand,
    zipped,
)

PNG = IMAGES["a.png"]
LIMITS = Limits(member_bytes=8 << 20, members=5000, free_bytes=4 << 20)
WHOLE = blocks(tar_header(b"whole.png", len(PNG)) + PNG)


def inflated(size: int) -> bytes:
    """So many zeros as a deflated member holds them."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(bytes(size)) + packer.flush()


def zst(data: bytes) -> bytes:
    zstandard = pytest.importorskip("zstandard", reason="zstandard is not installed")
    packed: bytes = zstandard.compress(data)
    return packed


def zst_bomb() -> bytes:
    return zst(tar_header(b"bomb.png", 1 << 26) + bytes(1 << 26))


def tar_bomb(kind: bytes, size: int = 1 << 26) -> bytes:
    return gz(WHOLE + tar_header(b"bomb.png", size, kind) + bytes(1 << 26))


def zip_bomb(method: int = 8, **claims: int) -> bytes:
    packed = inflated(64 << 20)
    entry = ZipEntry(b"bomb.png", packed, method=method, **{"unpacked": 64 << 20, **claims})
    return zip_by_hand(ZipEntry(b"whole.png", PNG), entry)


def overlapping() -> bytes:
    """A thousand members with the same two megabytes of zeros."""
    packed = inflated(2 << 20)
    claims = {"unpacked": 2 << 20, "checksum": zlib.crc32(bytes(2 << 20)), "method": 8}
    first = ZipEntry(b"bomb.png", packed, **claims)
    return zip_by_hand(first, *(ZipEntry(b"bomb.png", packed, offset=0, **claims),) * 5)


def overlapping_by_name() -> bytes:
    """Members whose headers follow each other at the front of the bytes of the first one."""
    names = [b"%04d.png" % number for number in range(1000)]
    entries = [ZipEntry(name, b"", unpacked=1 << 20, packed=1100, method=8) for name in names]
    return zip_by_hand(*entries, ZipEntry(b"end.png", inflated(1 << 20), method=8))


def wide_without_field() -> bytes:
    entry = ZipEntry(b"a.png", PNG, unpacked=0xFFFFFFFF)
    entry.extra = struct.pack("<2H4s", 1, 4, b"\1\0\0\0")
    return zip_by_hand(entry)


def renamed() -> bytes:
    entry = ZipEntry(b"a.png", PNG)
    entry.local_name = b"b.png"
    return zip_by_hand(entry)


def pax(records: bytes) -> bytes:
    header = tar_header(b"pax", len(records), b"x") + blocks(records)
    return WHOLE + header + tar_header(b"a.png", len(PNG)) + blocks(PNG) + END


def sparse_map() -> bytes:
    header = bytearray(tar_header(b"sparse.png", 5, b"S"))
    header[482] = 1
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + bytes(512) + blocks(b"12345") + WHOLE + END


def without_checksum() -> bytes:
    return WHOLE.replace(b"ustar", b"usTar") + WHOLE + END


# What is made, by file name; how many images are read of it; what the failure says.
CASES: dict[str, tuple[Callable[[], bytes], int, str]] = {
    "empty.tar": (lambda: b"", 0, "the file is empty"),
    "empty.tar.gz": (lambda: b"", 0, "the file is empty"),
    "empty.tar.zst": (lambda: b"", 0, "the file is empty"),
    "empty.zip": (lambda: b"", 0, "the file is empty"),
    "text.tar": (lambda: b"text\n" * 300, 0, "not a tar archive"),
    "text.tgz": (lambda: b"text\n" * 300, 0, "not a tar archive"),
    "short_text.tar": (lambda: b"text", 0, "ends early, at byte 4"),
    "text.zip": (lambda: b"text\n" * 300, 0, "not a zip archive"),
    "tar.zip": (lambda: tar(IMAGES), 0, "not a zip archive"),
    "zip.tar": (lambda: zipped(IMAGES), 0, "not a tar archive"),
    "image.tar": (lambda: PNG + bytes(600), 0, "not a tar archive"),
    "text_in_gzip.tar.gz": (lambda: gz(b"text" * 300), 0, "not a tar archive"),
    "nothing_in_gzip.tar.gz": (lambda: gz(b""), 0, "the file is empty"),
    "nothing_in_zst.tar.zst": (lambda: zst(b""), 0, "the file is empty"),
    "mark_only.tar.gz": (lambda: b"\x1f\x8b", 0, "broken at byte 0"),
    "mark_only.tar.zst": (lambda: zst(b"")[:4] + bytes(9), 0, "broken at byte 0|empty"),
    "zeros_in_gzip.tar.gz": (lambda: gz(bytes(1 << 26)), 0, "decompression bomb"),
    "member.tar.gz": (lambda: tar_bomb(b"0"), 1, "decompression bomb"),
    "long_name.tar.gz": (lambda: tar_bomb(b"L"), 1, "a header of 67108864 bytes"),
    "long_link.tar.gz": (lambda: tar_bomb(b"K"), 1, "decompression bomb"),
    "pax_size.tar.gz": (lambda: tar_bomb(b"x"), 1, "a header of 67108864 bytes"),
    "global_pax.tar.gz": (lambda: tar_bomb(b"g"), 1, "decompression bomb"),
    "text_member.tar.gz": (lambda: gz(tar_header(b"a.txt", 1 << 26) + bytes(1 << 26)), 0, "bomb"),
    "member.tar.zst": (zst_bomb, 0, "decompression bomb"),
    "two_gzips.tar.gz": (lambda: gz(WHOLE + END) + gz(bytes(1 << 26)), 1, "decompression bomb"),
    "garbage_behind_gzip.tar.gz": (lambda: gz(WHOLE + END) + b"garbage", 1, "Not a gzipped file"),
    "bad_checksum.tar.gz": (lambda: gz(WHOLE + END)[:-8] + bytes(8), 1, "CRC check failed"),
    "many.tar.gz": (
        lambda: gz(b"".join(tar_header(b"%d.png" % n) for n in range(5001)) + END),
        5000,
        "more than 5000 members",
    ),
    "million.tar.gz": (
        lambda: gz(tar_header(b"a.txt") * 1000) * 1000 + gz(END),
        0,
        "more than 5000 members",
    ),
    "huge_claim.tar": (
        lambda: WHOLE + tar_header(b"a.png", b"\x80" + bytes(2) + b"\xff" * 9),
        1,
        r"more than 8388608 bytes.*ends early",
    ),
    "claim.tar": (lambda: WHOLE + tar_header(b"a.png", 7 << 20), 1, "in the member 'a.png'"),
    "claim_of_other.tar": (lambda: WHOLE + tar_header(b"a.txt", 1 << 32), 1, "ends early"),
    "negative.tar": (lambda: WHOLE + tar_header(b"a.png", b"\xff" * 12), 1, "not the header"),
    "minus.tar": (lambda: WHOLE + tar_header(b"a.png", b"-0000000010\0"), 1, "not the header"),
    "no_octal.tar": (lambda: WHOLE + tar_header(b"a.png", b"00000000089\0"), 1, "not the header"),
    "changed_header.tar": (without_checksum, 0, "not a tar archive"),
    "garbage_between.tar": (lambda: WHOLE + b"x" * 512 + WHOLE + END, 1, "not the header"),
    "no_end.tar": (lambda: WHOLE, 1, "the archive ends early"),
    "two_archives.tar": (lambda: tar({"a.png": PNG}) * 2, 1, "more data behind the end"),
    "one_empty_block.tar": (lambda: WHOLE + bytes(512) + WHOLE + END, 1, "more data behind"),
    "sparse.tar": (sparse_map, 1, "sparse file"),
    "sparse_pax.tar": (
        lambda: pax(b"22 GNU.sparse.major=1\n27 GNU.sparse.name=a b.png\n"),
        1,
        "sparse file",
    ),
    "sparse_pax_of_old.tar": (lambda: pax(b"25 GNU.sparse.map=0,1000\n"), 1, "sparse file"),
    "sparse_map_cut.tar": (lambda: sparse_map()[:600], 0, "ends early"),
    "pax_length_0.tar": (lambda: pax(b"0 path=b.png\n"), 1, "not a pax header"),
    "pax_length_1.tar": (lambda: pax(b"1 path=b.png\n"), 1, "not a pax header"),
    "pax_length_far.tar": (lambda: pax(b"9999 path=b.png\n"), 1, "not a pax header"),
    "pax_length_huge.tar": (lambda: pax(b"9" * 500), 1, "not a pax header"),
    "pax_minus.tar": (lambda: pax(b"-12 path=b\n"), 1, "not a pax header"),
    "pax_no_length.tar": (lambda: pax(b"path=b.png\n"), 1, "not a pax header"),
    "pax_size_minus.tar": (lambda: pax(b"11 size=-1\n"), 1, "not a size"),
    "pax_size_far.tar": (lambda: pax(b"28 size=99999999999999999999\n"[:29]), 1, "pax|size|early"),
    "pax_then_end.tar": (lambda: WHOLE + tar_header(b"x", 0, b"x"), 1, "ends early"),
    "thousand_long_names.tar": (
        lambda: (tar_header(b"L", 6, b"L") + blocks(b"b.png\0")) * 3000 + WHOLE,
        1,
        "ends early",
    ),
    "bomb.zip": (zip_bomb, 1, "more than 8388608 bytes"),
    "bomb_claims_little.zip": (lambda: zip_bomb(unpacked=10), 1, "decompression bomb"),
    "overlapping.zip": (overlapping, 1, "5 members have the name of an earlier one|bomb"),
    "overlapping_names.zip": (overlapping_by_name, 0, "broken: "),
    "encrypted.zip": (lambda: zip_by_hand(ZipEntry(b"a.png", PNG, flags=1)), 0, "^encrypted$"),
    "bzip2.zip": (lambda: zip_by_hand(ZipEntry(b"a.png", PNG, method=12)), 0, "by method 12"),
    "checksum.zip": (lambda: zip_by_hand(ZipEntry(b"a.png", PNG, checksum=1)), 0, "checksum"),
    "larger.zip": (lambda: zip_by_hand(ZipEntry(b"a.png", PNG, unpacked=9)), 0, "and size"),
    "smaller.zip": (lambda: zip_by_hand(ZipEntry(b"a.png", PNG, unpacked=9999)), 0, "and size"),
    "behind_the_end.zip": (
        lambda: zip_by_hand(ZipEntry(b"a.png", PNG, packed=99999, unpacked=99999)),
        0,
        "goes on behind the end",
    ),
    "begins_behind.zip": (
        lambda: zip_by_hand(ZipEntry(b"a.png", PNG), ZipEntry(b"b.png", PNG, offset=1 << 30)),
        1,
        "begins behind the end",
    ),
    "points_elsewhere.zip": (
        lambda: zip_by_hand(ZipEntry(b"a.png", PNG), ZipEntry(b"b.png", PNG, offset=7)),
        1,
        "points to something else",
    ),
    "two_names.zip": (renamed, 0, "points to something else"),
    "not_deflated.zip": (
        lambda: zip_by_hand(ZipEntry(b"a.png", b"\xff" * 9, method=8)),
        0,
        "Error",
    ),
    "deflated_cut.zip": (
        lambda: zip_by_hand(ZipEntry(b"a.png", zlib.compress(PNG)[2:-20], method=8)),
        0,
        "ends early",
    ),
    "too_few.zip": (lambda: zip_by_hand(ZipEntry(b"a.png", PNG), count=2), 1, "has 1 members"),
    "too_many.zip": (
        lambda: zip_by_hand(*(ZipEntry(b"%d.png" % n, b"") for n in range(5001))),
        5000,
        "more than 5000 members",
    ),
    "wide_without_field.zip": (wide_without_field, 0, "a size is missing"),
    "wide_cut.zip": (lambda: zip_64(IMAGES)[:-30], 0, "not a zip archive"),
    "end_only.zip": (
        lambda: struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 9, 9, 400, 0, 0),
        0,
        "not where its end says",
    ),
    "end_in_comment.zip": (
        lambda: zip_by_hand(ZipEntry(b"a.png", PNG), comment=b"PK\5\6" + bytes(30)),
        0,
        "",
    ),
    "directory_is_text.zip": (
        lambda: b"t" * 400 + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 9, 9, 400, 0, 0),
        0,
        "not an entry of the directory",
    ),
}


def read(path: Path) -> tuple[list[bytes], list[str]]:
    """The images, and the messages of the failures."""
    images, messages = [], []
    for uri, content in read_members(str(path), LIMITS):
        if isinstance(content, Failure):
            assert content.path == uri
            messages.append(content.message)
        else:
            images.append(content)
    return images, messages


@pytest.mark.parametrize("name", CASES)
def test_a_bad_archive(name: str, tmp_path: Path) -> None:
    make, count, message = CASES[name]
    path = tmp_path / name
    path.write_bytes(make())
    tracemalloc.start()
    try:
        images, messages = read(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(images) == count
    assert bool(messages) == bool(message)
    assert re.search(message, " ".join(messages))
    assert all("\n" not in text for text in messages)
    assert peak < 4 * LIMITS.member_bytes


SEEDS: dict[str, Callable[[], bytes]] = {
    "pax.tar": lambda: tar(IMAGES),
    "gnu.tar": lambda: tar(IMAGES, tarfile.GNU_FORMAT),
    "pax.tar.gz": lambda: gz(tar(IMAGES)),
    "pax.tar.zst": lambda: zst(tar(IMAGES)),
    "deflated.zip": lambda: zipped(IMAGES),
    "wide.zip": lambda: zip_64(IMAGES),
}
SEEDS = {name: functools.lru_cache(None)(make) for name, make in SEEDS.items()}


@pytest.mark.parametrize("name", SEEDS)
@pytest.mark.parametrize("tenths", range(10))
def test_an_archive_cut_short(name: str, tenths: int, tmp_path: Path) -> None:
    data = SEEDS[name]()
    # The padding at the end of a tar archive and the frame around it can be missed.
    end = len(data) - (10240 if name.endswith("tar") else 0)
    path = tmp_path / name
    path.write_bytes(data[: end * tenths // 10])
    images, messages = read(path)
    assert messages
    assert images == list(IMAGES.values())[: len(images)]
    assert len(images) < len(IMAGES)


@pytest.mark.parametrize("name", SEEDS)
def test_an_archive_with_changed_bytes(name: str, tmp_path: Path) -> None:
    """What has a checksum never gives other bytes; nothing gives another exception."""
    good = SEEDS[name]()
    for seed in range(60):
        generator = random.Random(seed)
        data = bytearray(good)
        for _ in range(generator.randrange(1, 6)):
            data[generator.randrange(len(data))] = generator.randrange(256)
        path = tmp_path / name
        path.write_bytes(data)
        images, messages = read(path)
        if name.endswith(("zip", "gz")) and not messages:
            assert set(images) <= set(IMAGES.values())
        if name.endswith("zip"):
            assert set(images) <= set(IMAGES.values())


@pytest.mark.parametrize("name", ["/etc/a.png", "../../a.png", "C:\\a.png", "a\nb\x1b[31m.png"])
def test_hostile_names_are_only_names(name: str, tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    for suffix, data in (
        (".tar", tar({name: PNG})),
        (".zip", zip_by_hand(ZipEntry(name.encode(), PNG))),
    ):
        path = tmp_path / "d" / f"x{suffix}"
        path.write_bytes(data)
        ((uri, content),) = read_members(str(path))
        assert content == PNG
        assert uri == f"{suffix[1:]}://{name}::{path}"
    assert sorted(os.listdir(tmp_path)) == ["d"]
    assert sorted(os.listdir(tmp_path / "d")) == ["x.tar", "x.zip"]


@needs_posix
def test_what_is_no_regular_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.tar")
    (tmp_path / "directory.zip").mkdir()
    (tmp_path / "link.tar").symlink_to("/dev/zero")
    for name in os.listdir(tmp_path):
        assert read(tmp_path / name) == ([], ["not a regular file"])
    assert read(tmp_path / "gone.tar") == ([], ["No such file or directory"])


def test_a_link_out_of_the_archive_is_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes(b"secret")
    path = tmp_path / "a.tar"
    path.write_bytes(tar_of(info("a.png", tarfile.SYMTYPE, str(secret))))
    assert read(path) == ([PNG], [])
