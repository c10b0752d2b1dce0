"""From a decoded image to its 64-bit hash. The only importer of imagehash.

The hash of an 8-bit image is that of ``imagehash.phash`` (64 bits, hash_size 8), bit for bit.
Images of more than 8 bits are brought to 8 bits first, where the plain call would clip them.
"""

from __future__ import annotations

import imagehash
import numpy as np
import numpy.typing as npt
import PIL
from PIL import Image

from memscan.errors import HashError

THUMBNAIL_SIDE = 32

_SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N")
_BITS_PER_SAMPLE, _LOWEST_SAMPLE, _HIGHEST_SAMPLE = 258, 340, 341  # TIFF tags


def thumbnail(image: Image.Image) -> Image.Image:
    """The 32 x 32 image of mode L that pHash transforms. Raises HashError."""
    size = (THUMBNAIL_SIDE, THUMBNAIL_SIDE)
    return _luminance(image).resize(size, Image.Resampling.LANCZOS)


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
        return Image.fromarray(_to_8_bits(pixels, *_stated_range(image, pixels)))
    try:
        return image.convert("L")
    except ValueError as error:
        raise HashError(f"images of mode {image.mode} have no grey version") from error


def _to_8_bits(
    pixels: npt.NDArray[np.generic], lowest: float, highest: float
) -> npt.NDArray[np.uint8]:
    """Scale ``lowest .. highest`` to 0 .. 255, rounded (0 .. 65535 is divided by 257)."""
    span = highest - lowest
    if span == 0:
        return np.zeros(pixels.shape, np.uint8)
    scaled = (pixels.astype(np.float64) - lowest) * (255 / span)
    return np.rint(np.clip(scaled, 0, 255)).astype(np.uint8)


def _stated_range(image: Image.Image, pixels: npt.NDArray[np.generic]) -> tuple[float, float]:
    """The values that mean black and white.

    What the file states comes first (the sample range and depth of a TIFF); 16-bit formats use
    their whole range; otherwise the smallest usual range that holds all values (1, 255 or 65535
    from zero) and, failing that, the values themselves.
    """
    tags = getattr(image, "tag_v2", {})
    lowest, highest = tags.get(_LOWEST_SAMPLE), tags.get(_HIGHEST_SAMPLE)
    if image.mode in _SIXTEEN_BITS:
        depth = max(np.atleast_1d(tags.get(_BITS_PER_SAMPLE, 16)))
        return 0.0, float(2 ** int(depth) - 1)
    if lowest is not None and highest is not None:
        return float(np.min(lowest)), float(np.max(highest))
    if image.mode == "I" and image.format in ("PNG", "PPM"):
        return 0.0, 65535.0
    least, most = float(pixels.min()), float(pixels.max())
    for usual in (1.0, 255.0, 65535.0) if image.mode == "F" else (255.0, 65535.0):
        if least >= 0 and most <= usual:
            return 0.0, usual
    return least, most
