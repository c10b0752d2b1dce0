"""From a decoded image to its 64-bit hash. The only importer of imagehash.

The hash of an 8-bit image is that of ``imagehash.phash`` (64 bits, hash_size 8), bit for bit.
Images of more than 8 bits are brought to 8 bits first, where the plain call would clip them.
"""

from __future__ import annotations

import math
from typing import Any

import imagehash
import numpy as np
import numpy.typing as npt
import PIL
from PIL import Image

from memscan.errors import HashError

THUMBNAIL_SIDE = 32

_SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N")
_BITS_PER_SAMPLE, _LOWEST_SAMPLE, _HIGHEST_SAMPLE = 258, 340, 341  # TIFF tags
_BLOCK = 1 << 18  # pixels


def thumbnail(image: Image.Image) -> Image.Image:
    """The 32 x 32 image of mode L that pHash transforms. Raises HashError."""
    size = (THUMBNAIL_SIDE, THUMBNAIL_SIDE)
    try:
        return _luminance(image).resize(size, Image.Resampling.LANCZOS)
    except MemoryError as error:  # Pillow's answer to a side of some 10 ** 8 pixels, too
        raise HashError(f"{image.width} x {image.height} pixels are too many to resize") from error


def phash(thumbnail: Image.Image) -> int:
    """The 64-bit pHash of the image that a thumbnail was made from.

    ``f"{phash(thumbnail(image)):016x}"`` is ``str(imagehash.phash(image))``: imagehash leaves a
    grey image of 32 x 32 pixels as it is, so the thumbnail takes the place of the whole image.
    """
    bits = imagehash.phash(thumbnail).hash
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def library_versions() -> dict[str, str]:
    """The versions of the libraries whose change can change a hash."""
    return {"Pillow": PIL.__version__, "imagehash": imagehash.__version__, "numpy": np.__version__}


def fingerprint() -> str:
    """What must be equal for two hashes to be comparable."""
    major = {name: version.split(".")[0] for name, version in library_versions().items()}
    return f"phash-64 decode=exact Pillow={major['Pillow']} imagehash={major['imagehash']}"


def _luminance(image: Image.Image) -> Image.Image:
    if image.mode in _SIXTEEN_BITS or image.mode in ("I", "F"):
        pixels = np.asarray(image)
        if not np.isfinite(pixels).all():
            raise HashError("it holds pixels that are not finite numbers")
        return Image.fromarray(_to_8_bits(pixels, *_range(image, pixels)))
    try:
        return image.convert("L")
    except ValueError as error:
        raise HashError(f"images of mode {image.mode} have no grey version") from error


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
