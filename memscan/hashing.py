"""From a decoded image to its 64-bit hash. The only importer of imagehash.

The hash of an 8-bit image is that of ``imagehash.phash`` (64 bits, hash_size 8), bit for bit.
Images of more than 8 bits are brought to 8 bits first, where the plain call would clip them.
"""

from __future__ import annotations

import contextlib
import math
from typing import Any, Iterator, Sequence

import imagehash
import numpy as np
import numpy.typing as npt
import PIL
from PIL import Image

from memscan import resampling
from memscan.errors import HashError

FAST_ERROR = 6
"""Bits by which the hash of a JPEG decoded at reduced scale may differ from its exact hash: two
more than the largest difference seen (see DESIGN.md)."""

_SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N")
_BITS_PER_SAMPLE, _LOWEST_SAMPLE, _HIGHEST_SAMPLE = 258, 340, 341  # TIFF tags
_BLOCK = 1 << 18  # pixels

_FREQUENCIES, _PIXELS = np.arange(8)[:, None], np.arange(32)[None, :]
DCT = 2.0 * np.cos(np.pi * _FREQUENCIES * (2 * _PIXELS + 1) / 64)
"""The 8 lowest rows of the unnormalised DCT-II of 32 pixels."""

# Coefficients reach 4 * 1024 * 255, about 10 ** 6, and are right to some 10 ** -9.
_SURE = 1e-4


def thumbnail(image: Image.Image) -> npt.NDArray[np.uint8]:
    """The 32 x 32 grey pixels that pHash transforms. Raises HashError."""
    with resizable(image):
        return resampling.reduce(luminance(image))


@contextlib.contextmanager
def resizable(image: Image.Image) -> Iterator[None]:
    """Turn the end of memory while an image is resized into a HashError."""
    try:
        yield
    except MemoryError as error:  # Pillow's answer to a side of some 10 ** 8 pixels, too
        raise HashError(f"{image.width} x {image.height} pixels are too many to resize") from error


def transform(thumbnails: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """The 8 x 8 lowest coefficients of the unnormalised DCT-II, of shape (n, 8, 8).

    ``thumbnails`` has shape (n, 32, 32). Those that imagehash gets from scipy, but for rounding.
    """
    return DCT @ thumbnails @ DCT.T


def phashes(
    thumbnails: npt.NDArray[np.uint8], coefficients: npt.NDArray[np.float64]
) -> npt.NDArray[np.uint64]:
    """The pHash of each image by its thumbnail (n, 32, 32) and its transform (n, 8, 8).

    ``f"{hash:016x}"`` is ``str(imagehash.phash(image))``. A bit says whether a coefficient is
    greater than the median. Where one is so close to it that rounding could decide, imagehash
    itself is asked; it leaves a grey image of 32 x 32 pixels as it is.
    """
    margins = _margins(coefficients)
    bits = margins > 0
    for row in np.flatnonzero((np.abs(margins) < _SURE).any(axis=1)):
        bits[row] = imagehash.phash(Image.fromarray(thumbnails[row])).hash.ravel()
    return _packed(bits)


def pack(coefficients: npt.NDArray[np.float64]) -> npt.NDArray[np.uint64]:
    """The hashes of transforms of shape (n, 8, 8) that imagehash need not confirm."""
    return _packed(_margins(coefficients) > 0)


def _margins(coefficients: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    flat = coefficients.reshape(-1, 64)
    margins: npt.NDArray[np.float64] = flat - np.median(flat, axis=1, keepdims=True)
    return margins


def _packed(bits: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint64]:
    return np.packbits(bits, axis=1).view(">u8").astype(np.uint64).ravel()


def library_versions() -> dict[str, str]:
    """The versions of the libraries whose change can change a hash."""
    return {"Pillow": PIL.__version__, "imagehash": imagehash.__version__, "numpy": np.__version__}


def fingerprint(
    fast: bool = False, algorithm: str = "phash-64", libraries: Sequence[str] = ("imagehash",)
) -> str:
    """What must be equal for two hashes to be comparable; ``fast`` is the way of decoding.

    ``libraries`` are those that take part besides Pillow.
    """
    versions = library_versions()
    major = [f"{name}={versions[name].split('.')[0]}" for name in ("Pillow", *libraries)]
    return " ".join((algorithm, f"decode={'fast' if fast else 'exact'}", *major))


def luminance(image: Image.Image) -> Image.Image:
    """The image in 8-bit grey; more than 8 bits are scaled, not clipped. Raises HashError."""
    if image.mode in _SIXTEEN_BITS or image.mode in ("I", "F"):
        pixels = np.asarray(image)
        if not np.isfinite(pixels).all():
            raise HashError("it holds pixels that are not finite numbers")
        return Image.fromarray(_to_8_bits(pixels, *_range(image, pixels)))
    try:
        return image.convert("L")
    except ValueError as error:
        raise HashError(f"images of mode {image.mode} have no grey version") from error


def rgb(image: Image.Image) -> Image.Image:
    """The image in 8-bit RGB; more than 8 bits are scaled as in :func:`luminance`, and grey.

    Raises HashError.
    """
    if image.mode in _SIXTEEN_BITS or image.mode in ("I", "F"):
        image = luminance(image)
    try:
        return image.convert("RGB")
    except ValueError as error:
        raise HashError(f"images of mode {image.mode} have no RGB version") from error


def _to_8_bits(
    pixels: npt.NDArray[np.generic], lowest: float, highest: float
) -> npt.NDArray[np.uint8]:
    """Scale ``lowest .. highest`` to 0 .. 255, rounded (0 .. 65535 is divided by 257)."""
    grey = np.zeros(pixels.size, np.uint8)
    if lowest < highest:
        values = pixels.reshape(-1)
        for start in range(0, len(values), _BLOCK):  # in blocks, for the memory of float64 values
            block = values[start : start + _BLOCK].astype(np.float64)
            scaled = (block - lowest) * (255 / (highest - lowest))
            grey[start : start + _BLOCK] = np.rint(np.clip(scaled, 0, 255))
    return grey.reshape(pixels.shape)


def _range(image: Image.Image, pixels: npt.NDArray[np.generic]) -> tuple[float, float]:
    """The values that mean black and white.

    16-bit formats use their whole range, or the depth that a TIFF states. Otherwise the range that
    the file states comes first, then the smallest usual one that holds all values (1, 255 or 65535
    from zero) and, failing that, the values themselves.
    """
    if image.mode in _SIXTEEN_BITS:
        depth = _stated(image, _BITS_PER_SAMPLE)
        return 0.0, 2.0 ** (depth if depth is not None and 8 < depth <= 16 else 16) - 1
    lowest, highest = _stated(image, _LOWEST_SAMPLE), _stated(image, _HIGHEST_SAMPLE)
    if lowest is not None and highest is not None and lowest < highest:
        return lowest, highest
    if image.mode == "I" and image.format in ("PNG", "PPM"):
        return 0.0, 65535.0
    least, most = float(pixels.min()), float(pixels.max())
    for usual in (1.0, 255.0, 65535.0) if image.mode == "F" else (255.0, 65535.0):
        if least >= 0 and most <= usual:
            return 0.0, usual
    return least, most


def _stated(image: Image.Image, tag: int) -> float | None:
    """The number that a TIFF tag states; None where there is none or it is no finite number."""
    value: Any = getattr(image, "tag_v2", {}).get(tag)
    if isinstance(value, tuple) and value:
        value = value[0]
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return number if math.isfinite(number) else None
