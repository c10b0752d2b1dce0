"""What happens to images on their way, each of which a fingerprint may or may not survive."""

from __future__ import annotations

import io
from typing import Callable, Mapping

import numpy as np
from PIL import Image, ImageOps

from memscan import decode

Alteration = Callable[[Image.Image], Image.Image]


def unaltered(image: Image.Image) -> Image.Image:
    """The image as it is."""
    return image


def compressed(quality: int) -> Alteration:
    """JPEG at a quality from 1 to 100, as Pillow writes it."""

    def alter(image: Image.Image) -> Image.Image:
        data = io.BytesIO()
        image.save(data, "JPEG", quality=quality)
        return decode.open_bytes(data.getvalue()).image

    return alter


def halved(image: Image.Image) -> Image.Image:
    """Half the size and back, both with Pillow's bicubic filter."""
    half = tuple(max(1, length // 2) for length in image.size)
    how = Image.Resampling.BICUBIC
    return image.resize((half[0], half[1]), how).resize(image.size, how)


def shifted(pixels: int) -> Alteration:
    """Moved to the right; the first column stands for what comes in."""

    def alter(image: Image.Image) -> Image.Image:
        wider = np.pad(np.asarray(image), ((0, 0), (pixels, 0), (0, 0)), "edge")
        return Image.fromarray(wider[:, : image.width])

    return alter


NONE = "none"

ALTERATIONS: Mapping[str, Alteration] = {
    NONE: unaltered,
    "JPEG 95": compressed(95),
    "JPEG 75": compressed(75),
    "half and back": halved,
    "shift by 1 px": shifted(1),
    "shift by 8 px": shifted(8),
    "mirrored": ImageOps.mirror,
}
"""Of RGB images, by the names that reports give them."""
