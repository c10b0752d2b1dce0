from __future__ import annotations

import os
import socket
import stat
import threading
import time
import warnings
from pathlib import Path

import imagehash
import numpy as np
import pytest
from PIL import Image

from memscan import decode, hash_image
from memscan.decode import SUFFIXES, looks_like_image, open_image, pixel_limit
from memscan.errors import DecodeError, ImageError, ReadError
from tests.drawing import claim_size, needs_posix, picture, save

SUFFIX_OF = {
    "JPEG": ".jpg",
    "PNG": ".png",
    "WEBP": ".webp",
    "GIF": ".gif",
    "BMP": ".bmp",
    "DIB": ".dib",
    "TIFF": ".tif",
    "PPM": ".ppm",
    "JPEG2000": ".jp2",
    "AVIF": ".avif",
    "QOI": ".qoi",
    "ICO": ".ico",
    "PCX": ".pcx",
    "SGI": ".sgi",
    "TGA": ".tga",
}


def can_save(format: str) -> bool:
    Image.init()
    return format in Image.SAVE


def test_every_format_has_a_suffix_that_is_scanned() -> None:
    assert set(SUFFIX_OF) == set(decode.FORMATS)
    assert set(SUFFIX_OF.values()) <= SUFFIXES


@pytest.mark.parametrize("format", decode.FORMATS)
def test_every_format_hashes_as_in_the_plain_call(format: str, tmp_path: Path) -> None:
    if not can_save(format):
        pytest.skip(f"this Pillow cannot write {format}")
    path = tmp_path / f"image{SUFFIX_OF[format]}"
    picture(1, (128, 128)).save(path, format)
    with Image.open(path) as plain:
        expected = str(imagehash.phash(plain))
    assert f"{hash_image(open_image(str(path)).image):016x}" == expected


@pytest.mark.parametrize("format", ["GIF", "TIFF", "WEBP", "PNG"])
def test_of_several_frames_the_first_counts(format: str, tmp_path: Path) -> None:
    path = tmp_path / "frames"
    first, second = picture(1), picture(2)
    first.save(path, format, save_all=True, append_images=[second])
    with Image.open(path) as plain:
        expected = imagehash.phash(plain)
    assert hash_image(open_image(str(path)).image) == int(str(expected), 16)


def test_the_name_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "really_a_png.jpg"
    picture(1).save(path, "PNG")
    assert open_image(str(path)).image.format == "PNG"


def failing(path: Path | str, error: type[ImageError]) -> str:
    with pytest.raises(error) as raised:
        open_image(str(path))
    message = str(raised.value)
    assert "\n" not in message
    assert str(path) not in message
    return message


@pytest.mark.parametrize(
    "content",
    [
        b"not an image",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        b"%PDF-1.7\n",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00",
        b"\xff\x0a jpeg xl",
        b"\x89PNG\r\n\x1a\n",
        b"GIF89a",
    ],
)
def test_what_is_no_raster_image_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "image.png"
    path.write_bytes(content)
    failing(path, DecodeError)


def test_an_empty_file_says_so(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    assert failing(tmp_path / "empty.jpg", DecodeError) == "the file is empty"


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".ppm", ".webp", ".tif"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_truncated_files_are_refused(suffix: str, share: float, tmp_path: Path) -> None:
    path = tmp_path / f"image{suffix}"
    picture(1, (200, 200)).save(path)
    os.truncate(path, int(path.stat().st_size * share))
    failing(path, DecodeError)


@needs_posix
def test_what_is_no_regular_file_is_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    assert failing(tmp_path / "pipe.png", ReadError) == "not a regular file"
    assert failing("/dev/zero", ReadError) == "not a regular file"
    assert failing(tmp_path, ReadError)


@needs_posix
def test_a_socket_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.png")
        failing("socket.png", ReadError)


def test_missing_and_impossible_names_are_read_errors(tmp_path: Path) -> None:
    failing(tmp_path / "gone.png", ReadError)
    with pytest.raises(ReadError):
        open_image("nul\0byte.png")


@needs_posix
def test_a_link_to_itself_is_a_read_error(tmp_path: Path) -> None:
    (tmp_path / "loop.png").symlink_to("loop.png")
    failing(tmp_path / "loop.png", ReadError)


def test_a_bomb_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    claim_size(tmp_path / "bomb.png", 60_000, 60_000)
    with pixel_limit(decode.MAX_PIXELS):
        message = failing(tmp_path / "bomb.png", DecodeError)
    assert message == "more than 178956970 pixels (--max-pixels raises the limit)"


@pytest.mark.parametrize("limit", [95 * 64, 50 * 64, 1])
def test_images_above_the_limit_are_refused(limit: int, tmp_path: Path) -> None:
    path = save(picture(1), tmp_path / "image.png")
    with pixel_limit(limit), pytest.raises(DecodeError, match=f"more than {limit} pixels"):
        open_image(path, limit)


def test_images_at_the_limit_are_opened(tmp_path: Path) -> None:
    path = save(picture(1), tmp_path / "image.png")
    with pixel_limit(96 * 64):
        assert open_image(path, 96 * 64).size == (96, 64)


def test_the_limit_can_be_raised_above_that_of_pillow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    path = save(picture(1), tmp_path / "image.png")
    with pixel_limit(10_000):
        open_image(path, 10_000)
    assert Image.MAX_IMAGE_PIXELS == 10


def test_the_limit_is_where_pillow_refuses() -> None:
    assert Image.MAX_IMAGE_PIXELS is not None
    assert decode.MAX_PIXELS == 2 * Image.MAX_IMAGE_PIXELS


@pytest.mark.parametrize("format", sorted({*decode.FORMATS} - {"TGA", "DIB"}))
def test_files_without_a_suffix_are_recognised(format: str, tmp_path: Path) -> None:
    if not can_save(format):
        pytest.skip(f"this Pillow cannot write {format}")
    path = tmp_path / "image"
    picture(1, (32, 32)).save(path, format)
    assert looks_like_image(str(path))


OTHER_CONTENT = [
    b"",
    b"M",
    b"all:\n\tmake\n",
    b"%PDF-1.7 " * 9,
    b"\0" * 40,
    b"Python is a language",
    b"P6 is how a text may begin",
    b"BMW is a maker of cars, and this is no bitmap",
]


@pytest.mark.parametrize("content", OTHER_CONTENT)
def test_other_files_without_a_suffix_are_not(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "Makefile"
    path.write_bytes(content)
    assert not looks_like_image(str(path))


@needs_posix
def test_pipes_and_missing_files_do_not_look_like_images(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert not looks_like_image(str(tmp_path / "pipe"))
    assert not looks_like_image(str(tmp_path / "missing"))


def test_a_file_that_cannot_be_read_counts_as_an_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "locked").write_bytes(b"whatever")

    def refuse(*arguments: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    assert looks_like_image(str(tmp_path / "locked"))
    assert failing(tmp_path / "locked", ReadError) == "Permission denied"


@pytest.mark.skipif(not os.path.exists("/proc/self/mem"), reason="needs a file that fails to read")
def test_so_does_one_that_fails_while_it_is_read() -> None:
    assert looks_like_image("/proc/self/mem")
    assert failing("/proc/self/mem", ReadError) == "Input/output error"


def test_messages_are_the_same_in_every_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object, **options: object) -> Image.Image:
        raise TypeError(f"bad\nvalue {object()}{'x' * 500}")

    path = save(picture(1), tmp_path / "image.png")
    monkeypatch.setattr(Image, "open", fail)
    message = failing(path, DecodeError)
    assert message.startswith("the image data is broken (bad value <object object>xxx")
    assert len(message) < 250


def test_an_io_error_in_the_middle_is_a_read_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object, **options: object) -> Image.Image:
        raise OSError(5, "Input/output error")

    path = save(picture(1), tmp_path / "image.png")
    monkeypatch.setattr(Image, "open", fail)
    assert failing(path, ReadError) == "Input/output error"


def test_a_seek_to_nowhere_is_the_fault_of_the_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object, **options: object) -> Image.Image:
        raise OSError(22, "Invalid argument")

    path = save(picture(1), tmp_path / "image.png")
    monkeypatch.setattr(Image, "open", fail)
    assert failing(path, DecodeError) == "the image data is broken (Invalid argument)"


class TestJpeg2000:
    """Pillow holds the interpreter lock while it decodes these, so large ones go to a child."""

    @pytest.fixture(autouse=True)
    def available(self) -> None:
        if not can_save("JPEG2000"):
            pytest.skip("this Pillow cannot write JPEG 2000")

    @pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "I;16"])
    def test_a_large_one_has_the_pixels_of_the_plain_call(self, mode: str, tmp_path: Path) -> None:
        image = picture(1, (700, 600), "L" if mode == "I;16" else mode)
        if mode == "I;16":
            image = Image.fromarray(np.asarray(image).astype(np.uint16) * 257)
        path = save(image, tmp_path / "large.jp2")
        with Image.open(path) as plain:
            assert open_image(path).image.mode == plain.mode == mode
            assert open_image(path).image.format == plain.format == "JPEG2000"
            assert np.array_equal(np.asarray(open_image(path).image), np.asarray(plain))

    def test_a_broken_one_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "large.jp2"
        picture(1, (700, 600)).save(path)
        os.truncate(path, 2000)
        assert "broken" in failing(path, DecodeError)

    def test_other_threads_run_meanwhile(self, tmp_path: Path) -> None:
        path = save(picture(1, (2000, 2000)), tmp_path / "large.jp2")
        decoding = threading.Thread(target=open_image, args=(path,))
        decoding.start()
        longest, last = 0.0, time.monotonic()
        while decoding.is_alive():
            time.sleep(0.001)
            longest, last = max(longest, time.monotonic() - last), time.monotonic()
        decoding.join()
        with Image.open(path) as plain:
            began = time.monotonic()
            plain.load()
            assert longest < (time.monotonic() - began) / 2


def test_limits_of_several_threads_do_not_mix() -> None:
    before = Image.MAX_IMAGE_PIXELS
    first, second = pixel_limit(10), pixel_limit(20)
    first.__enter__()
    second.__enter__()
    assert Image.MAX_IMAGE_PIXELS == 20
    first.__exit__(None, None, None)
    assert Image.MAX_IMAGE_PIXELS == 20
    second.__exit__(None, None, None)
    assert before == Image.MAX_IMAGE_PIXELS


def test_no_file_stays_open(tmp_path: Path) -> None:
    path = save(picture(1), tmp_path / "image.gif")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        image = open_image(path)
        failing(tmp_path / "broken.png", DecodeError)
    image.image.convert("L").load()
    assert stat.S_ISREG(os.stat(path).st_mode)
