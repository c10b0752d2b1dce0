"""A pair of images as a picture: as they are, and below with the heat of where they agree."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from memscan import hashing
from memscan.detectors.cards import Input
from memscan.detectors.occlusion import Heat

SIDE = 320
"""Pixels: the longer side of an image in the picture."""

_GUTTER = 8
_STRENGTH = 0.75  # how much of the image the hottest colour hides

# Dark blue to yellow by way of red, each step lighter than the one before, so that it reads in
# grey as well.
_COLOURS = np.array(
    [(10, 10, 60), (85, 15, 110), (175, 40, 95), (235, 95, 45), (252, 175, 45), (252, 252, 165)],
    np.float32,
)


def side_by_side(
    target: Image.Image, source: Image.Image, heats: tuple[Heat, Heat], taken: Input
) -> Image.Image:
    """The target to the left of the source, and below both with their heat, as RGB.

    Heat has the height and width that the network takes, made from an image as ``taken`` says.
    Raises HashError for pixels that cannot be shown.
    """
    columns = []
    for image, heat in zip((target, source), heats):
        small = resized(image)
        columns.append((small, overlaid(small, placed(heat, taken, small.size))))
    widths = [small.width for small, _ in columns]
    height = max(small.height for small, _ in columns)
    picture = Image.new("RGB", (sum(widths) + 3 * _GUTTER, 2 * height + 3 * _GUTTER), "white")
    left = _GUTTER
    for width, column in zip(widths, columns):
        for row, image in enumerate(column):
            picture.paste(image, (left, _GUTTER + row * (height + _GUTTER)))
        left += width + _GUTTER
    return picture


def resized(image: Image.Image) -> Image.Image:
    """The image in RGB, its longer side SIDE pixels."""
    with hashing.resizable(image):
        scale = SIDE / max(image.size)
        size = max(1, round(scale * image.width)), max(1, round(scale * image.height))
        return hashing.rgb(image).resize(size, Image.Resampling.LANCZOS)


def placed(heat: Heat, taken: Input, size: tuple[int, int]) -> Heat:
    """The heat of an image of this size (width, height): what the network did not see is cold."""
    width, height = size
    whole = Image.fromarray(heat)
    if taken.fit == "stretch":
        return np.asarray(whole.resize(size, Image.Resampling.BILINEAR))
    shares = taken.width / width, taken.height / height
    if taken.fit == "pad":  # the image lies in the middle of what the network took
        scale = min(shares)
        inner = _middle((taken.width, taken.height), (width * scale, height * scale))
        return np.asarray(whole.resize(size, Image.Resampling.BILINEAR, box=inner))
    scale = max(shares)
    left, upper, right, lower = (
        round(edge) for edge in _middle(size, (taken.width / scale, taken.height / scale))
    )
    seen = whole.resize((right - left, lower - upper), Image.Resampling.BILINEAR)
    all_of_it = np.zeros((height, width), np.float32)
    all_of_it[upper:lower, left:right] = np.asarray(seen)
    return all_of_it


def overlaid(image: Image.Image, heat: Heat) -> Image.Image:
    """The image in grey, under colours that hide the more of it the hotter they are."""
    grey = np.asarray(image.convert("L"), np.float32)[..., None]
    clipped = np.clip(heat, 0, 1)
    share = _STRENGTH * clipped[..., None]
    mixed = (1 - share) * grey + share * _coloured(clipped)
    return Image.fromarray(np.rint(mixed).astype(np.uint8))


def _coloured(heat: Heat) -> npt.NDArray[np.float64]:
    places = np.linspace(0, 1, len(_COLOURS))
    return np.stack([np.interp(heat, places, channel) for channel in _COLOURS.T], axis=-1)


def _middle(
    outer: tuple[int, int], inner: tuple[float, float]
) -> tuple[float, float, float, float]:
    """The edges of a box of a size in the middle of another: left, upper, right, lower."""
    left, upper = (max(0.0, (whole - part) / 2) for whole, part in zip(outer, inner))
    return left, upper, outer[0] - left, outer[1] - upper
