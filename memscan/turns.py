"""The eight ways to mirror and turn an image, on its pixels and on its transform."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

Coefficients = npt.NDArray[np.float64]

_ORIENTATION = 0x0112  # the EXIF tag

# Each turn as (transposed first, then flipped left to right, then upside down), in the order in
# which equally close matches are told.
TURNS = {
    "full": (False, False, False),
    "mirrored": (False, True, False),
    "turned by 180": (False, True, True),
    "mirrored, turned by 180": (False, False, True),
    "turned by 90": (True, False, True),
    "turned by 270": (True, True, False),
    "mirrored, turned by 90": (True, False, False),
    "mirrored, turned by 270": (True, True, True),
}
_BY_ORIENTATION = {
    2: "mirrored",
    3: "turned by 180",
    4: "mirrored, turned by 180",
    5: "mirrored, turned by 90",
    6: "turned by 270",
    7: "mirrored, turned by 270",
    8: "turned by 90",
}


def turned(coefficients: Coefficients, turn: str) -> Coefficients:
    """The transforms, of shape (n, 8, 8), of images turned as :data:`TURNS` says."""
    transposed, left_to_right, upside_down = TURNS[turn]
    result = coefficients.swapaxes(1, 2) if transposed else coefficients
    signs = (-1.0) ** np.arange(8)
    if left_to_right:
        result = result * signs
    if upside_down:
        result = result * signs[:, None]
    return result


def draw(image: Image.Image, turn: str) -> Image.Image:
    """The image turned as :data:`TURNS` says."""
    transposed, left_to_right, upside_down = TURNS[turn]
    steps = (
        (transposed, Image.Transpose.TRANSPOSE),
        (left_to_right, Image.Transpose.FLIP_LEFT_RIGHT),
        (upside_down, Image.Transpose.FLIP_TOP_BOTTOM),
    )
    for wanted, step in steps:
        if wanted:
            image = image.transpose(step)
    return image


def upright(image: Image.Image) -> str:
    """The turn that EXIF asks for; none where it says nothing that can be read."""
    try:
        return _BY_ORIENTATION.get(image.getexif().get(_ORIENTATION, 1), "full")
    except Exception:  # whatever a parser makes of bytes that are no EXIF
        return "full"
