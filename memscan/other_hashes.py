"""Hashes of imagehash besides pHash, for comparison. With hashing, the only importer of imagehash.

Bits are packed into words of 64, the first bit of the row-major bit matrix most significant.
"""

from __future__ import annotations

from typing import Callable, Sequence

import imagehash
import numpy as np
import numpy.typing as npt
from PIL import Image

Words = npt.NDArray[np.uint64]


def dhash(images: Sequence[Image.Image]) -> Words:
    """``imagehash.dhash``: 64 bits, each the sign of a horizontal difference; shape (n, 1)."""
    return _packed(images, imagehash.dhash)


def phash_256(images: Sequence[Image.Image]) -> Words:
    """``imagehash.phash`` with ``hash_size=16``: 256 bits, shape (n, 4)."""
    return _packed(images, lambda image: imagehash.phash(image, hash_size=16))


def _packed(
    images: Sequence[Image.Image], hash: Callable[[Image.Image], imagehash.ImageHash]
) -> Words:
    bits = np.stack([hash(image).hash.ravel() for image in images])
    return np.packbits(bits, axis=1).view(">u8").astype(np.uint64)
