"""The part of an image that is compared with a fingerprint."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from memscan.fingerprints.correlation import PERIOD
from memscan.fingerprints.residuals import Pixels

Bytes = npt.NDArray[np.uint8]


def middle(pixels: Bytes, side: int) -> Bytes:
    """The middle of an image of shape (height, width, 3), each side cut to at most ``side``.

    It begins at a multiple of :data:`PERIOD` from the upper left corner, so that the grid which a
    generator leaves has the same place in crops of images of any size.
    """
    top, left = (aligned(length - side) for length in pixels.shape[:2])
    return pixels[top : top + side, left : left + side]


def aligned(spare: int) -> int:
    """Where the middle begins when there are so many pixels to spare; 0 if there are none."""
    return max(0, spare) // 2 // PERIOD * PERIOD


def scaled(pixels: Bytes) -> Pixels:
    """From 0 to 1, float32: what a residual takes."""
    return pixels.astype(np.float32) / np.float32(255)
