"""The part of an image that is compared with a fingerprint."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from memscan import hashing
from memscan.errors import HashError
from memscan.fingerprints.correlation import PERIOD
from memscan.fingerprints.residuals import Pixels

Bytes = npt.NDArray[np.uint8]


def middle_bytes(image: Image.Image, side: int) -> Bytes:
    """A square of ``side`` pixels near the middle, uint8 of shape (side, side, 3).

    It begins at a multiple of :data:`PERIOD` from the upper left corner, so that the grid which a
    generator leaves has the same place in crops of images of any size. Raises HashError where the
    image is smaller.
    """
    if min(image.size) < side:
        raise HashError(
            f"{image.width} x {image.height} pixels are less than the crop of {side} x {side}"
        )
    left, upper = ((length - side) // (2 * PERIOD) * PERIOD for length in image.size)
    cropped = image.crop((left, upper, left + side, upper + side))
    return np.asarray(hashing.rgb(cropped), np.uint8)


def middle(image: Image.Image, side: int) -> Pixels:
    """The same from 0 to 1, float32: what a residual takes. Raises HashError."""
    return middle_bytes(image, side).astype(np.float32) / np.float32(255)
