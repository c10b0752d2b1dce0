"""Plain borders and letterbox bars around a picture."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from PIL import Image

_SIDE = 512  # pixels: larger images are reduced before their border is looked for
_CONTRAST = 12  # grey levels, 2nd to 98th percentile, within a line of a plain border
_STEP = 6  # grey levels by which neighbouring lines of a border may differ
_LEAST, _MOST = 0.01, 0.4  # of a side


def content_box(grey: Image.Image) -> tuple[int, int, int, int] | None:
    """The part of an image inside its plain border or letterbox bars; None if it has neither.

    A border is a run of lines from an edge of which none has contrast and none differs much from
    the one before. Sides without one keep their edge.
    """
    scale = max(1, max(grey.size) // _SIDE)
    pixels = np.asarray(grey.reduce(scale))
    upper, lower = _content(pixels)
    left, right = _content(pixels[upper:lower].T)
    height, width = pixels.shape
    if (left, upper, right, lower) == (0, 0, width, height):
        return None
    return (
        left * scale,
        upper * scale,
        grey.width if right == width else right * scale,
        grey.height if lower == height else lower * scale,
    )


def _content(lines: npt.NDArray[np.uint8]) -> tuple[int, int]:
    """The first line of an image after a border, and the first one of the border after it."""
    count = len(lines)
    least, most = math.ceil(_LEAST * count), int(_MOST * count)
    ends = [_border(lines[:most]), _border(lines[::-1][:most])]
    before, after = (end if least <= end < most else 0 for end in ends)
    return before, count - after


def _border(lines: npt.NDArray[np.uint8]) -> int:
    """How many lines from the first one on are plain."""
    if lines.size == 0:
        return 0
    low, middle, high = np.percentile(lines, (2, 50, 98), axis=1)
    plain = (high - low < _CONTRAST) & (abs(middle - middle[0]) <= _STEP)
    return len(lines) if plain.all() else int(plain.argmin())
