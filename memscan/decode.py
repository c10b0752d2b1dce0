"""From a path to a decoded Pillow image, or one typed error. The only caller of Image.open.

The bytes come from strangers, so only raster formats that Pillow decodes by itself are opened:
no file reaches Ghostscript or a video reader, and nothing but a regular file is read.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import stat
import struct
from typing import BinaryIO, Iterator

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

_SNIFFED_BYTES = 32


@contextlib.contextmanager
def pixel_limit(max_pixels: int) -> Iterator[None]:
    """Make Pillow accept images of up to ``max_pixels`` inside the block.

    Pillow keeps its limit in one variable for the whole process, and so does this.
    """
    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = max_pixels
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


def open_image(path: str, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Decode the first frame of the image file at ``path``.

    Raises ReadError if its bytes cannot be read and DecodeError if they are no whole image in one
    of :data:`FORMATS` or more than ``max_pixels`` pixels. The image is loaded, its file closed.
    """
    with _open_regular(path) as file:
        try:
            image = Image.open(file, formats=_available_formats())
            if image.width * image.height > max_pixels:
                raise _too_large(max_pixels)
            image.load()
        except ImageError:
            raise
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise _too_large(max_pixels) from error
        except UnidentifiedImageError as error:
            raise DecodeError(_unidentified(file)) from error
        except OSError as error:
            if error.errno is not None:
                raise ReadError(_reason(error)) from error
            raise DecodeError(_reason(error)) from error
        except Exception as error:  # decoders meet hostile bytes with every kind of exception
            raise DecodeError(_reason(error)) from error
    return image


def looks_like_image(path: str) -> bool:
    """Whether the first bytes are those of one of :data:`FORMATS`.

    True as well for a regular file that cannot be opened, so that reading it tells why. TGA has
    no mark of its own and is never recognised.
    """
    try:
        with _open_regular(path) as file:
            prefix = file.read(_SNIFFED_BYTES)
    except ReadError:
        return os.path.isfile(path)
    return any(_accepts(name, prefix) for name in _available_formats())


def _open_regular(path: str) -> BinaryIO:
    """Open a regular file for reading; never wait for the writer of a pipe or touch a device."""
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        descriptor = os.open(path, flags)
    except (OSError, ValueError) as error:
        raise ReadError(_reason(error)) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ReadError("not a regular file")
    return os.fdopen(descriptor, "rb")


def _accepts(name: str, prefix: bytes) -> bool:
    accept = Image.OPEN[name][1]
    try:
        return accept is not None and accept(prefix) is True
    except (IndexError, struct.error):  # a prefix too short for the mark that is looked for
        return False


@functools.lru_cache(maxsize=None)
def _available_formats() -> tuple[str, ...]:
    """Those of FORMATS that the installed Pillow knows (AVIF came with version 11.3)."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def _too_large(max_pixels: int) -> DecodeError:
    return DecodeError(f"more than {max_pixels} pixels (--max-pixels raises the limit)")


def _unidentified(file: BinaryIO) -> str:
    if os.fstat(file.fileno()).st_size == 0:
        return "the file is empty"
    return "not an image in a format that memscan opens"


def _reason(error: BaseException) -> str:
    """The error in one short line, the same in every run."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    line = re.sub(r" at 0x[0-9a-fA-F]+", "", " ".join(text.split()))
    return line if len(line) <= 200 else line[:199] + "…"
