"""Edits that move pixels: size, direction, crops. RGB in, RGB out, at least one pixel a side."""

from __future__ import annotations

import numpy as np
from PIL import Image

LANCZOS = Image.Resampling.LANCZOS


def resize(image: Image.Image, across: float, down: float | None = None) -> Image.Image:
    """Scaled by a factor, or by one factor across and another one down."""
    width = max(1, round(image.width * across))
    height = max(1, round(image.height * (across if down is None else down)))
    return image.resize((width, height), LANCZOS)


def stretch_to_square(image: Image.Image) -> Image.Image:
    """Both sides as long as the shorter one; nothing is cut off."""
    side = min(image.size)
    return image.resize((side, side), LANCZOS)


def mirror(image: Image.Image) -> Image.Image:
    """Left and right exchanged."""
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def rotate(image: Image.Image, degrees: int) -> Image.Image:
    """Turned counter-clockwise: quarters exactly, the rest in the same frame on black corners."""
    if degrees == 90:
        return image.transpose(Image.Transpose.ROTATE_90)
    return image.rotate(degrees, Image.Resampling.BICUBIC)


def crop(image: Image.Image, percent: float) -> Image.Image:
    """So much of the width and of the height cut off, half of it at each end."""
    return _window(image, percent, 0.5, 0.5)


def crop_off_centre(image: Image.Image, percent: float, random: np.random.Generator) -> Image.Image:
    """So much of the width and of the height cut off, at least three quarters of it at one end."""
    x, y = (
        float(share if at_start else 1 - share)
        for share, at_start in zip(random.uniform(0, 0.25, 2), random.integers(0, 2, 2))
    )
    return _window(image, percent, x, y)


def centre_square(image: Image.Image) -> Image.Image:
    """The square in the middle."""
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return image.crop((left, top, left + side, top + side))


def _window(image: Image.Image, percent: float, x: float, y: float) -> Image.Image:
    """What is left when so much is cut off, the shares ``x`` and ``y`` of it at left and top."""
    width = max(1, round(image.width * (1 - percent / 100)))
    height = max(1, round(image.height * (1 - percent / 100)))
    left, top = round((image.width - width) * x), round((image.height - height) * y)
    return image.crop((left, top, left + width, top + height))
