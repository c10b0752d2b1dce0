"""Hashes of imagehash besides pHash of 64 bits. With hashing, the only importer of imagehash.

Bits are packed into words of 64, the first bit of the row-major bit matrix most significant.
"""

from __future__ import annotations

import imagehash
import numpy as np
import numpy.typing as npt
from PIL import Image

Words = npt.NDArray[np.uint64]


def dhash(image: Image.Image) -> Words:
    """``imagehash.dhash``: 64 bits, each the sign of a horizontal difference; shape (1,)."""
    return _packed(imagehash.dhash(image))


def phash_256(image: Image.Image) -> Words:
    """``imagehash.phash`` with ``hash_size=16``: 256 bits, shape (4,)."""
    return _packed(imagehash.phash(image, hash_size=16))


def _packed(hash: imagehash.ImageHash) -> Words:
    return np.packbits(hash.hash).view(">u8").astype(np.uint64)
