from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from memscan.errors import ReadError
from memscan.records import Failure
from memscan.sources import items, stores, uris
from memscan.stamps import Stamp
from tests.sources.archives import IMAGES, tar
from tests.sources.test_medical import BRAIN, nifti


def test_members_come_as_bytes_and_slices_as_images(tmp_path: Path) -> None:
    pytest.importorskip("nibabel", reason="nibabel is not installed")
    archive, brain = tmp_path / "a.tar", tmp_path / "b.nii"
    archive.write_bytes(tar(IMAGES))
    brain.write_bytes(nifti(BRAIN))
    found = list(items.read_container(str(archive)))
    assert [item.content for item in found] == list(IMAGES.values())
    assert {item.mapping for item in found} == {""}
    slices = list(items.read_container(str(brain)))
    assert all(isinstance(item.content, Image.Image) for item in slices)
    assert all(item.mapping.startswith("min-max ") for item in slices)
    for item in (*found, *slices):
        again = items.read_one(item.uri)
        assert again is not None
        assert items.decoded(again).image.tobytes() == items.decoded(item).image.tobytes()


def test_what_is_no_volume_is_a_failure(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_text("no volume")
    (item,) = items.read_container(str(path))
    assert item.content == Failure(str(path), item.content.stage, item.content.message)  # type: ignore[union-attr]
    assert item.uri == str(path)


def test_identities_become_stamps() -> None:
    one, other = "0123456789abcdef" * 2, "0123456789abcdef0123456789abcdee"
    assert items.stamp_of_identity(one) != items.stamp_of_identity(other)
    assert all(abs(part) < 1 << 63 for part in items.stamp_of_identity("f" * 32))
    assert items.stamp_of("/nowhere/a.tar") is None
    assert items.stamp_of_identity(one) == Stamp(0, 0x0123456789ABCDE, 0xF0123456789ABCD, 0xEF)


def test_files_are_no_items(tmp_path: Path) -> None:
    assert items.read_one("a/b.png") is None
    assert items.read_one("ftp://host/a.png") is None
    with pytest.raises(ReadError, match="not asked for"):
        items.read_one("https://host/a.png")


@pytest.mark.parametrize(
    ("uri", "parts"),
    [
        ("tar://a.png::b.tar", ("tar://a.png::", "b.tar")),
        ("zip://a:%3Ab::s3://b/c.zip", ("zip://a:%3Ab::", "s3://b/c.zip")),
        ("nifti://1/2::c::d.nii", ("nifti://1/2::", "c::d.nii")),
        ("tar://a::", ("", "tar://a::")),
        ("s3://b/c::d", ("", "s3://b/c::d")),
        ("a::b", ("", "a::b")),
    ],
)
def test_uris_are_taken_apart(uri: str, parts: tuple[str, str]) -> None:
    assert uris.split_container(uri) == parts
    assert "".join(parts) == uri


def test_queries_of_web_addresses_are_no_part_of_names() -> None:
    assert uris.kind_of("https://h/a.tar?sig=1/b.zip#x") == "tar"
    assert uris.is_container("http://h/a.nii.gz?x")
    assert uris.kind_of("a.tar?b") is None
    secret = "tar://a?b.png::https://u:p@h/a.tar?sig=1"
    assert stores.shown(secret) == "tar://a?b.png::https://h/a.tar"
