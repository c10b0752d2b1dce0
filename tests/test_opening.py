"""Images opened again by the names that reports give them."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any, Iterator

import numpy as np
import pytest
from PIL import Image

from memscan.errors import DecodeError, ReadError
from memscan.opening import open_any
from tests.drawing import picture
from tests.sources.archives import IMAGES, gz, tar, zipped


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.tar").write_bytes(tar(IMAGES))
    Path("a.tgz").write_bytes(gz(tar(IMAGES)))
    Path("a.zip").write_bytes(zipped(IMAGES))


def pixels(image: Image.Image) -> Any:
    return np.asarray(image.convert("RGB"))


@pytest.mark.parametrize("name", IMAGES)
@pytest.mark.parametrize("container", ["tar://{}::a.tar", "tar://{}::a.tgz", "zip://{}::a.zip"])
def test_members(name: str, container: str) -> None:
    opened = open_any(container.format(name), colour=True).image
    assert np.array_equal(pixels(opened), pixels(Image.open(io.BytesIO(IMAGES[name]))))


def test_files_also_those_that_look_like_uris() -> None:
    Path("tar:").mkdir()
    picture(9).save("tar:/a.png::a.tar", "PNG")
    for path in ("tar:/a.png::a.tar", "tar://a.png::a.tar"):
        opened = open_any(path, colour=True).image
        assert np.array_equal(pixels(opened), pixels(picture(9)))


@pytest.mark.parametrize(
    "uri",
    [
        "tar://missing.png::a.tar",
        "tar://a.png::missing.tar",
        "zip://a.png::a.tar",
        "nifti://0::missing.nii",
        "ftp://host/a.png",
        "gone.png",
    ],
)
def test_what_is_not_there(uri: str) -> None:
    with pytest.raises((ReadError, DecodeError)):
        open_any(uri)


def test_limits_hold() -> None:
    with pytest.raises(DecodeError):
        open_any("tar://a.png::a.tar", max_pixels=24 * 16 - 1)


def test_an_extra_that_is_missing_costs_one_image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    Path("a.parquet").write_bytes(b"PAR1")
    with pytest.raises(ReadError, match="memscan\\[parquet\\]"):
        open_any("parquet://image/0::a.parquet")


@pytest.fixture
def store() -> Iterator[Any]:
    store = pytest.importorskip("fsspec", reason="fsspec is not installed").filesystem("memory")
    store.pipe("/a.png", IMAGES["a.png"])
    store.pipe("/a.tar", tar(IMAGES))
    yield store
    store.store.clear()
    store.pseudo_dirs[:] = [""]


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("uri", "place"),
    [("memory://a.png", "memory://a.png"), ("tar://a.png::memory://a.tar", "memory://a.tar")],
)
def test_stores_are_asked_only_where_they_were_named(uri: str, place: str) -> None:
    opened = open_any(uri, colour=True, remote_places={place}).image
    assert np.array_equal(pixels(opened), pixels(Image.open(io.BytesIO(IMAGES["a.png"]))))
    for others in ((), {"memory://b.png"}, {"memory://"}):
        with pytest.raises(ReadError, match="not asked for"):
            open_any(uri, remote_places=others)
