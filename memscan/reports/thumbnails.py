"""Images reduced to what a page can carry: a few kilobytes each, whatever the file holds."""

from __future__ import annotations

import base64
import io
from typing import Collection, Iterable, Iterator, NamedTuple, Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, features

from memscan import decode, engines, hashing, opening, views
from memscan.errors import ImageError

SIDE = 240
"""Pixels: the longest side."""

MAX_BYTES = 6000
"""Of the encoded picture, before base64."""

FORMAT = "WEBP" if features.check("webp") else "JPEG"  # a Pillow may be built without the former

_LEAST_SIDE = 120  # pixels: of the longest side, where a model's images are tiny
_GROUND = (128, 128, 128, 255)  # shows through where an image is transparent
_DEEP = ("I", "F", "I;16", "I;16L", "I;16B", "I;16N")
_TRANSPARENT = ("RGBA", "LA", "PA", "RGBa", "La")
_QUALITIES = (75, 65, 55, 45, 35, 20)


class Thumbnail(NamedTuple):
    """The size of the picture in pixels, and the picture itself in base64."""

    width: int
    height: int
    data: str


class Drawing(NamedTuple):
    """An image file, and the view in which it is to be shown (see :mod:`memscan.views`)."""

    path: str
    view: str = "full"


def thumbnails(
    drawings: Sequence[Drawing], max_pixels: int, remote_places: Collection[str] = ()
) -> Iterator[Thumbnail | None]:
    """The thumbnail of each drawing in order; None for an image that cannot be shown.

    Of stores, only the URLs ``remote_places`` of images and containers are asked.
    """

    def reduce_some(some: Iterable[Drawing]) -> list[Thumbnail | None]:
        return [_thumbnail(drawing, max_pixels, remote_places) for drawing in some]

    with decode.pixel_limit(max_pixels):
        yield from engines.map_chunks(reduce_some, drawings)


def _thumbnail(
    drawing: Drawing, max_pixels: int, remote_places: Collection[str]
) -> Thumbnail | None:
    try:
        image = opening.open_any(
            drawing.path, max_pixels, fast=True, colour=True, remote_places=remote_places
        ).image
        small = _reduced(views.draw(image, drawing.view))
        data = _encode(small)
    except (ImageError, OSError, ValueError, MemoryError):  # Pillow's for modes and sizes, too
        return None
    return Thumbnail(small.width, small.height, base64.b64encode(data).decode("ascii"))


def of_pixels(pixels: npt.NDArray[np.uint8]) -> Thumbnail:
    """The thumbnail of an RGB image of shape (height, width, 3); each pixel of a tiny one shows."""
    image = Image.fromarray(pixels)
    enlarged = _LEAST_SIDE // max(image.size)
    if enlarged > 1:
        size = image.width * enlarged, image.height * enlarged
        image = image.resize(size, Image.Resampling.NEAREST)
    small = _reduced(image)
    return Thumbnail(small.width, small.height, base64.b64encode(_encode(small)).decode("ascii"))


def _reduced(image: Image.Image) -> Image.Image:
    if image.mode in _DEEP:
        image = hashing.luminance(image)
    transparent = image.mode in _TRANSPARENT or "transparency" in image.info
    small = image.convert("RGBA" if transparent else "RGB")
    small.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS, reducing_gap=3.0)
    if not transparent:
        return small
    ground = Image.new("RGBA", small.size, _GROUND)
    ground.alpha_composite(small)
    return ground.convert("RGB")


def _encode(image: Image.Image) -> bytes:
    """The picture at the best quality that stays within MAX_BYTES, smaller if none does."""
    for quality in _QUALITIES:
        data = io.BytesIO()
        image.save(data, FORMAT, quality=quality, method=2)
        if data.tell() <= MAX_BYTES:
            return data.getvalue()
    return _encode(image.reduce(2))
