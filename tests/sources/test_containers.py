from __future__ import annotations

import io
import os
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memscan.errors import InputError, ReadError
from memscan.records import Failure, Stage
from memscan.sources import positions, tars
from memscan.sources.containers import (
    Limits,
    join_uri,
    kind_of,
    read_members,
    read_one,
    read_some,
    split_uri,
)
from memscan.sources.members import DEFAULT_LIMITS, Seen
from memscan.stamps import Stamp
from tests.drawing import needs_posix
from tests.sources.archives import (
    END,
    IMAGES,
    OTHERS,
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

FILES = {**IMAGES, **OTHERS}


def zst(data: bytes) -> bytes:
    zstandard = pytest.importorskip("zstandard", reason="zstandard is not installed")
    packed: bytes = zstandard.compress(data)
    return packed


ARCHIVES = {
    "gnu.tar": lambda: tar(FILES, tarfile.GNU_FORMAT),
    "pax.tar": lambda: tar(FILES, tarfile.PAX_FORMAT),
    "gnu.tar.gz": lambda: gz(tar(FILES, tarfile.GNU_FORMAT)),
    "pax.TGZ": lambda: gz(tar(FILES)),
    "parts.tar.gz": lambda: gz(tar(FILES)[:5000]) + gz(tar(FILES)[5000:]),
    "pax.tar.zst": lambda: zst(tar(FILES)),
    "gnu.tzst": lambda: zst(tar(FILES, tarfile.GNU_FORMAT)),
    "packed_after_all.tar": lambda: gz(tar(FILES)),
    "not_packed_after_all.tar.gz": lambda: tar(FILES),
    "stored.zip": lambda: zipped(FILES, zipfile.ZIP_STORED),
    "deflated.ZIP": lambda: zipped(FILES),
    "behind_a_program.zip": lambda: b"#!/bin/sh\n" * 9 + zipped(FILES),
    "wide.zip": lambda: zip_64(FILES),
}


def write(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    return str(path)


def contents(path: str, limits: Limits = Limits()) -> dict[str, bytes | str]:  # noqa: B008
    """By the name inside the container, or the container's own path."""
    found = {}
    for uri, content in read_members(path, limits):
        location = split_uri(uri)
        assert location is None or location.container == path
        if isinstance(content, Failure):
            assert content.path == uri
            assert content.stage is Stage.READ
        name = path if location is None else location.member
        assert name not in found
        found[name] = content.message if isinstance(content, Failure) else content
    return found


@pytest.mark.parametrize("name", ARCHIVES)
class TestEveryFormat:
    @pytest.fixture
    def path(self, name: str, tmp_path: Path) -> str:
        return write(tmp_path / name, ARCHIVES[name]())

    def test_images_come_in_the_order_of_the_archive(self, path: str) -> None:
        found = contents(path)
        assert found == IMAGES
        assert list(found) == list(IMAGES)

    def test_single_images(self, path: str) -> None:
        kind = kind_of(path)
        assert kind is not None
        for name, data in IMAGES.items():
            assert read_one(join_uri(kind, name, path)) == data
        with pytest.raises(ReadError, match="the container has no such member"):
            read_one(join_uri(kind, "nowhere.png", path))

    def test_some_images(self, path: str) -> None:
        kind = kind_of(path)
        assert kind is not None
        uris = {join_uri(kind, name, path): name for name in reversed(list(IMAGES))}
        missing = join_uri(kind, "nowhere.png", path)
        found = dict(read_some([*uris, missing, *uris]))
        assert isinstance(found.pop(missing), Failure)
        assert {uris[uri]: content for uri, content in found.items()} == IMAGES

    def test_nothing_is_written(self, path: str, tmp_path: Path) -> None:
        list(read_members(path))
        assert os.listdir(tmp_path) == [os.path.basename(path)]


def test_ustar_joins_its_prefix(tmp_path: Path) -> None:
    name = "p" * 100 + "/" + "q" * 90 + ".png"
    path = write(tmp_path / "a.tar", tar({name: b"1"}, tarfile.USTAR_FORMAT))
    assert contents(path) == {name: b"1"}


@settings(deadline=None)
@given(
    st.dictionaries(
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1).map(
            lambda stem: f"x{stem}.png"
        ),
        st.binary(max_size=1500),
        max_size=5,
    ),
    st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]),
)
def test_tar_as_the_standard_library_reads_it(files: dict[str, bytes], format: int) -> None:
    data = tar(files, format)
    found = dict(tars.members("", io.BytesIO(data), DEFAULT_LIMITS, Seen()))
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        expected = {}
        for member in archive:
            file = archive.extractfile(member)
            assert file is not None
            if not member.name.rpartition("/")[2].startswith("."):
                expected[member.name] = file.read()
    assert found == expected


class TestNames:
    @pytest.mark.parametrize(
        ("name", "kind"),
        [
            ("a.tar", "tar"),
            ("a.TAR.GZ", "tar"),
            ("d/a.b.tgz", "tar"),
            ("a.tar.zst", "tar"),
            ("a.tzst", "tar"),
            ("a.Zip", "zip"),
            ("a.parquet", "parquet"),
            ("a.gz", None),
            ("a.tar.png", None),
            ("tar", None),
            ("a.zip/b", None),
        ],
    )
    def test_kind(self, name: str, kind: str | None) -> None:
        assert kind_of(name) == kind

    @pytest.mark.parametrize(
        ("member", "uri"),
        [
            ("a/b.jpg", "tar://a/b.jpg::/data/x.tar"),
            ("/etc/passwd", "tar:///etc/passwd::/data/x.tar"),
            ("../../a.jpg", "tar://../../a.jpg::/data/x.tar"),
            ("50%.jpg", "tar://50%.jpg::/data/x.tar"),
            ("a:b.jpg", "tar://a:b.jpg::/data/x.tar"),
            ("a::b:", "tar://a:%3Ab%3A::/data/x.tar"),
            ("a%3Ab%25", "tar://a%253Ab%2525::/data/x.tar"),
            ("", "tar://::/data/x.tar"),
        ],
    )
    def test_uri(self, member: str, uri: str) -> None:
        assert join_uri("tar", member, "/data/x.tar") == uri
        assert split_uri(uri) == (member, "/data/x.tar")

    @settings(deadline=None)
    @given(
        st.sampled_from(["tar", "zip", "parquet"]),
        st.text(st.sampled_from("ab:%235A/\n\udcff\0")),
        st.text(st.sampled_from("c:/%3A\n")).map(lambda end: f"x{end}"),
    )
    def test_uris_come_apart_as_they_were_joined(
        self, kind: str, member: str, container: str
    ) -> None:
        assert split_uri(join_uri(kind, member, container)) == (member, container)

    @pytest.mark.parametrize(
        "path", ["a.jpg", "a::b", "zip://a.jpg", "zip://a.jpg::", "s3://b/a::c", "TAR://a::b", ""]
    )
    def test_other_strings_are_no_uris(self, path: str) -> None:
        assert split_uri(path) is None
        ((_, failure),) = read_some([path])
        assert isinstance(failure, Failure)

    @needs_posix
    def test_a_local_file_of_that_name_comes_first(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        assert split_uri("tar://a.png::b.tar") == ("a.png", "b.tar")
        Path("tar:").mkdir()
        Path("tar:/a.png::b.tar").touch()
        assert split_uri("tar://a.png::b.tar") is None

    def test_colons_in_members_and_containers(self, tmp_path: Path) -> None:
        path = write(
            tmp_path / ("a%3A.tar" if os.name == "nt" else "a::b.tar"), tar({"::x:.png": b"1"})
        )
        ((uri, content),) = read_members(path)
        assert content == read_one(uri) == b"1"

    def test_names_that_are_not_utf8(self, tmp_path: Path) -> None:
        data = tar_header(b"\xff\xe9.png", 1) + blocks(b"1") + END
        path = write(tmp_path / "a.tar", data)
        assert contents(path) == {"\udcff\udce9.png": b"1"}
        ((uri, _),) = read_members(path)
        assert os.fsencode(uri).startswith(b"tar://\xff\xe9.png::") or os.name == "nt"
        assert read_one(uri) == b"1"


def test_only_files_are_read_of_a_tar(tmp_path: Path) -> None:
    kinds = [
        info("link.png", tarfile.SYMTYPE, "/etc/passwd"),
        info("hard.png", tarfile.LNKTYPE, "last.png"),
        info("pipe.png", tarfile.FIFOTYPE),
        info("disk.png", tarfile.BLKTYPE),
        info("console.png", tarfile.CHRTYPE),
        info("directory.png", tarfile.DIRTYPE),
        info("old_directory.png/", tarfile.AREGTYPE),
        info("label.png", b"V"),
    ]
    path = write(tmp_path / "a.tar", tar_of(*kinds))
    assert contents(path) == {"last.png": IMAGES["a.png"]}


def test_links_and_directories_of_a_zip_are_passed_over(tmp_path: Path) -> None:
    link = ZipEntry(b"link.png", b"/etc/passwd", attributes=0o120777 << 16)
    file = ZipEntry(b"file.png", b"1", attributes=0o100644 << 16)
    path = write(tmp_path / "a.zip", zip_by_hand(ZipEntry(b"d.png/", b""), link, file))
    assert contents(path) == {"file.png": b"1"}


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "a.zip"])
def test_of_several_members_of_one_name_the_first_is_read_and_the_rest_reported(
    name: str, tmp_path: Path
) -> None:
    pieces = [(b"a.png", b"1"), (b"b.png", b"2"), (b"a.png", b"3"), (b"a.png", b"4")]
    if name.endswith("zip"):
        data = zip_by_hand(*(ZipEntry(*piece) for piece in pieces))
    else:
        data = b"".join(tar_header(n, len(d)) + blocks(d) for n, d in pieces) + END
        data = gz(data) if name.endswith("gz") else data
    path = write(tmp_path / name, data)
    assert contents(path) == {
        "a.png": b"1",
        "b.png": b"2",
        path: "2 members have the name of an earlier one and were not read (first 'a.png')",
    }
    uri = next(read_members(path)).uri
    assert read_one(uri) == b"1"


class TestLimits:
    @pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "a.zip"])
    def test_bytes_of_a_member(self, name: str, tmp_path: Path) -> None:
        files = {"a.png": b"1" * 1000, "b.png": b"2" * 1001, "c.png": b"3", "d": b"4" * 2000}
        files["e"] = IMAGES["a.png"] + b"5" * 1000
        data = zipped(files) if name.endswith("zip") else tar(files)
        path = write(tmp_path / name, gz(data) if name.endswith("gz") else data)
        found = contents(path, Limits(member_bytes=1000))
        large = "more than 1000 bytes"
        assert found == {"a.png": b"1" * 1000, "b.png": large, "c.png": b"3", "e": large}

    @pytest.mark.parametrize("name", ["a.tar", "a.zip"])
    def test_number_of_members(self, name: str, tmp_path: Path) -> None:
        files = {"a.png": b"1", "b.txt": b"", "c.png": b"2", "d.png": b"3"}
        path = write(tmp_path / name, zipped(files) if name.endswith("zip") else tar(files))
        assert contents(path, Limits(members=4)) == {"a.png": b"1", "c.png": b"2", "d.png": b"3"}
        assert contents(path, Limits(members=3)) == {
            "a.png": b"1",
            "c.png": b"2",
            path: "more than 3 members",
        }

    def test_what_compresses_well_is_no_bomb(self, tmp_path: Path) -> None:
        files = {f"{n}.png": bytes(1 << 20) for n in range(4)}
        for name, data in (("a.tar.gz", gz(tar(files))), ("a.zip", zipped(files))):
            path = write(tmp_path / name, data)
            assert contents(path) == files
            assert contents(path, Limits(free_bytes=1, expansion=1200)) == files
            found = contents(path, Limits(free_bytes=2 << 20, expansion=10))
            assert "decompression bomb" in str(found.pop(path))
            assert len(found) < 4


class TestRandomAccess:
    def test_a_tar_is_scanned_once(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        files = {f"{n}.png": b"%d" % n for n in range(200)}
        path = write(tmp_path / "a.tar", tar(files))
        os.utime(path, (1, 1))
        monkeypatch.setattr(positions, "settled", Stamp.of)
        headers = 0
        header = tars._header

        def count(*arguments: object) -> object:
            nonlocal headers
            headers += 1
            return header(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(tars, "_header", count)
        for name, data in files.items():
            assert read_one(join_uri("tar", name, path)) == data
        assert headers == 2 * len(files)

    @pytest.mark.parametrize("name", ["a.tar", "a.zip"])
    def test_a_container_that_changed_is_scanned_again(self, name: str, tmp_path: Path) -> None:
        make = zipped if name.endswith("zip") else tar
        path = write(tmp_path / name, make({"a.png": b"1", "b.png": b"2"}))
        uri = join_uri(name[2:], "b.png", path)
        assert read_one(uri) == b"2"
        write(tmp_path / name, make({"c.png": b"longer", "b.png": b"3"}))
        assert read_one(uri) == b"3"

    def test_positions_of_many_containers_are_forgotten(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(positions, "REMEMBERED", 10)
        monkeypatch.setattr(positions, "settled", Stamp.of)
        for number in range(9):
            path = write(tmp_path / f"{number}.tar", tar({f"{n}.png": b"1" for n in range(4)}))
            assert read_one(join_uri("tar", "3.png", path)) == b"1"
            assert sum(map(len, positions._remembered.values())) <= 10
        assert len(positions._remembered) == 2

    @settings(deadline=None)
    @given(st.lists(st.sampled_from("abcdef")))
    def test_positions_as_a_list_has_them(self, names: list[str]) -> None:
        made = positions.Positions((name, at) for at, name in enumerate(names))
        assert len(made) == len(names)
        for name in "abcdefg":
            assert made.of(name) == [at for at, other in enumerate(names) if other == name]

    def test_images_before_the_break_can_be_read_again(self, tmp_path: Path) -> None:
        for name, data in (("a.tar", tar(IMAGES)[:4000]), ("b.tar.gz", gz(tar(IMAGES))[:1500])):
            path = write(tmp_path / name, data)
            whole = [member for member in read_members(path) if member.uri != path]
            assert 0 < len(whole) < len(IMAGES)
            for uri, content in whole:
                assert read_one(uri) == content

    def test_a_container_that_is_gone(self, tmp_path: Path) -> None:
        for kind in ("tar", "zip"):
            with pytest.raises(ReadError, match="No such file"):
                read_one(join_uri(kind, "a.png", str(tmp_path / "gone")))


def test_a_name_that_is_no_container(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.jpg: not a container \(\.zip, \.tar"):
        next(read_members("a.jpg"))


def test_a_missing_zstandard_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "zstandard", None)
    path = write(tmp_path / "a.tar.zst", b"\x28\xb5\x2f\xfd" + bytes(20))
    with pytest.raises(InputError, match=r"pip install 'memscan\[archives\]'"):
        list(read_members(path))


def test_members_are_read_one_at_a_time(tmp_path: Path) -> None:
    """A broken end does not keep back what came before."""
    path = write(tmp_path / "a.tar", tar(IMAGES)[:-2000])
    members = read_members(path)
    assert next(members) == (join_uri("tar", "a.png", path), IMAGES["a.png"])
