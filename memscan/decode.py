"""From a path to a decoded Pillow image, or one typed error. The only caller of Image.open.

The bytes come from strangers, so only raster formats that Pillow decodes by itself are opened:
no file reaches Ghostscript or a video reader, and nothing but a regular file is read.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import io
import os
import re
import stat
import struct
import sys
import threading
from typing import BinaryIO, Iterator, NamedTuple

from PIL import Image, UnidentifiedImageError

from memscan.errors import DecodeError, ImageError, ReadError

FORMATS = (
    "JPEG",
    "PNG",
    "WEBP",
    "GIF",
    "BMP",
    "DIB",
    "TIFF",
    "PPM",
    "JPEG2000",
    "AVIF",
    "QOI",
    "ICO",
    "PCX",
    "SGI",
    "TGA",
)
"""The formats that are opened, the most frequent first (MPO begins with a JPEG and is one here)."""

SUFFIXES = frozenset(
    ".apng .avif .avifs .bmp .bw .dib .gif .heic .heif .icb .ico .j2c .j2k .jfif .jp2 .jpc .jpe"
    " .jpeg .jpf .jpg .jpx .jxl .mpo .pbm .pcx .pfm .pgm .png .pnm .ppm .qoi .rgb .rgba .sgi .tga"
    " .tif .tiff .vda .vst .webp".split()
)
"""A file whose name ends so is an image to scan. HEIC and JPEG XL cannot be decoded: they are here
so that they are reported rather than passed over."""

MAX_PIXELS = 178_956_970
"""Images with more pixels are refused: where Pillow itself takes one for a decompression bomb."""

_CLEARLY_MARKED = frozenset(("JPEG", "PNG", "WEBP", "GIF", "TIFF", "JPEG2000", "AVIF", "QOI"))
_MARK_BYTES = 32  # more than the longest mark that tells a format

_CHILD_PIXELS = 1 << 18
_CHILD_MODES = frozenset(("L", "LA", "RGB", "RGBA", "I;16"))
_CHILD_CODE = """\
import sys
sys.path[:] = {path!r}
from PIL import Image
Image.MAX_IMAGE_PIXELS = None
image = Image.open(sys.stdin.buffer, formats=["JPEG2000"])
image.load()
sys.stdout.buffer.write(image.tobytes())
"""


FAST_SIDE = 256


class Decoded(NamedTuple):
    """An image in memory, and the width and height that it has in its file."""

    image: Image.Image
    size: tuple[int, int]


class _PixelLimits:
    """The limits in force, for the one variable in which Pillow keeps its limit."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.active: list[int] = []
        self.before: int | None = None


_limits = _PixelLimits()


@contextlib.contextmanager
def pixel_limit(max_pixels: int) -> Iterator[None]:
    """Make Pillow accept images of up to ``max_pixels`` inside the block.

    Pillow has one limit for the whole process. Blocks may overlap in several threads: the highest
    limit holds, and the one before the first block comes back after the last.
    """
    with _limits.lock:
        if not _limits.active:
            _limits.before = Image.MAX_IMAGE_PIXELS
        _limits.active.append(max_pixels)
        Image.MAX_IMAGE_PIXELS = max(_limits.active)
    try:
        yield
    finally:
        with _limits.lock:
            _limits.active.remove(max_pixels)
            Image.MAX_IMAGE_PIXELS = max(_limits.active, default=_limits.before)


def open_image(
    path: str, max_pixels: int = MAX_PIXELS, *, fast: bool = False, colour: bool = False
) -> Decoded:
    """Decode the first frame of the image file at ``path``.

    ``fast`` lets libjpeg decode a JPEG to grey at 1/2, 1/4 or 1/8 of its size, as long as that
    leaves FAST_SIDE pixels a side; with ``colour`` it keeps the colours. Raises ReadError if its
    bytes cannot be read and DecodeError if they are no whole image in one of :data:`FORMATS` or
    more than ``max_pixels`` pixels. The image is loaded, its file closed.
    """
    with open_regular(path) as file, _as_image_errors(file, max_pixels):
        return _decoded(file, max_pixels, fast, colour)


def open_bytes(
    data: bytes, max_pixels: int = MAX_PIXELS, *, fast: bool = False, colour: bool = False
) -> Decoded:
    """Decode the first frame of an image file that is in memory, as :func:`open_image` does.

    Raises DecodeError.
    """
    with _as_image_errors(None, max_pixels):
        if not data:
            raise DecodeError("the file is empty")
        return _decoded(io.BytesIO(data), max_pixels, fast, colour)


def _decoded(file: BinaryIO, max_pixels: int, fast: bool, colour: bool) -> Decoded:
    image: Image.Image = Image.open(file, formats=_available_formats())
    size = image.size
    if image.width * image.height > max_pixels:
        raise _too_large(max_pixels)
    if _blocks_other_threads(image):
        return Decoded(_load_in_child(file, image), size)
    if fast:
        image.draft(None if colour else "L", (FAST_SIDE, FAST_SIDE))
    image.load()
    return Decoded(image, size)


def load(image: Image.Image, max_pixels: int = MAX_PIXELS) -> Decoded:
    """Decode an image that the caller opened, if that is still to do. Raises as open_image."""
    with _as_image_errors(None, max_pixels):
        if image.width * image.height > max_pixels:
            raise _too_large(max_pixels)
        image.load()
        return Decoded(image, image.size)


def looks_like_image(path: str) -> bool:
    """Whether the file at ``path`` :func:`begins_like_image`.

    True as well for a regular file that cannot be read, so that the scan tells why.
    """
    try:
        with open_regular(path) as file:
            return begins_like_image(file)
    except (ReadError, OSError):
        return os.path.isfile(path)


def begins_like_image(file: BinaryIO) -> bool:
    """Whether the first bytes are those of one of :data:`FORMATS`.

    A mark of one or two bytes counts only if the header behind it can be read. TGA has no mark
    and is never recognised. Raises OSError.
    """
    mark = file.read(_MARK_BYTES)
    return any(
        name in _CLEARLY_MARKED or _has_header(file, name)
        for name in _available_formats()
        if _has_mark(mark, name)
    )


def open_regular(path: str) -> BinaryIO:
    """Open a regular file for reading; never wait for the writer of a pipe or touch a device.

    Raises ReadError.
    """
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        descriptor = os.open(path, flags)
    except (OSError, ValueError) as error:
        if getattr(error, "errno", None) == errno.ENXIO:  # a socket
            raise ReadError("not a regular file") from error
        raise ReadError(_one_line(error)) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ReadError("not a regular file")
    return os.fdopen(descriptor, "rb")


def _has_mark(mark: bytes, name: str) -> bool:
    accept = Image.OPEN[name][1]
    try:
        return accept is not None and accept(mark) is True
    except (IndexError, struct.error):  # fewer bytes than the mark has
        return False


def _has_header(file: BinaryIO, name: str) -> bool:
    file.seek(0)
    try:
        Image.open(file, formats=[name])
    except Exception:  # whatever a parser makes of bytes that are no image
        return False
    return True


@functools.lru_cache(maxsize=None)
def _available_formats() -> tuple[str, ...]:
    """Those of FORMATS that the installed Pillow knows (AVIF came with version 11.3)."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


@contextlib.contextmanager
def _as_image_errors(file: BinaryIO | None, max_pixels: int) -> Iterator[None]:
    """Turn whatever a decoder raises into a ReadError or a DecodeError with a clear sentence."""
    try:
        yield
    except ImageError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large(max_pixels) from error
    except UnidentifiedImageError as error:
        if file is not None and os.fstat(file.fileno()).st_size == 0:
            raise DecodeError("the file is empty") from error
        raise DecodeError("not an image in a format that memscan opens") from error
    except OSError as error:
        if error.errno is not None and error.errno != errno.EINVAL:  # EINVAL: a seek to nowhere
            raise ReadError(_one_line(error)) from error
        raise _broken(error) from error
    except Exception as error:  # decoders meet hostile bytes with every kind of exception
        raise _broken(error) from error


def _blocks_other_threads(image: Image.Image) -> bool:
    """Whether decoding would hold the interpreter lock for long: Pillow's JPEG 2000 alone does.

    No other thread would run meanwhile, and no interrupt be heard.
    """
    large = image.width * image.height > _CHILD_PIXELS
    return image.format == "JPEG2000" and large and image.mode in _CHILD_MODES


def _load_in_child(file: BinaryIO, image: Image.Image) -> Image.Image:
    """Decode a JPEG 2000 file in a process of its own."""
    import subprocess  # only these few images pay for it

    file.seek(0)
    command = [sys.executable, "-c", _CHILD_CODE.format(path=sys.path)]
    done = subprocess.run(command, input=file.read(), capture_output=True, check=False)
    if done.returncode != 0:
        raise DecodeError("the image data is broken (it cannot be decoded as JPEG 2000)")
    decoded = Image.frombytes(image.mode, image.size, done.stdout)
    decoded.format = image.format
    return decoded


def _too_large(max_pixels: int) -> DecodeError:
    return DecodeError(f"more than {max_pixels} pixels (--max-pixels raises the limit)")


def _broken(error: BaseException) -> DecodeError:
    return DecodeError(f"the image data is broken ({_one_line(error)})")


def _one_line(error: BaseException) -> str:
    """The error in one short line, the same in every run."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    line = re.sub(r" at 0x[0-9a-fA-F]+", "", " ".join(text.split()))
    return line if len(line) <= 200 else line[:199] + "…"
