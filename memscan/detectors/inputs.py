"""From an image to the pixels that a network takes, as its card says."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageOps

from memscan import hashing
from memscan.detectors.cards import Input
from memscan.detectors.protocol import Pixels

_LEAST_DEVIATION = 1e-3  # of an image of one colour: less would make its noise the picture


_PIXELS_AT_ONCE = 1 << 20


def at_once(wanted: Input) -> int:
    """How many images a network may be given at a time, so that a card cannot exhaust memory."""
    return max(1, _PIXELS_AT_ONCE // (wanted.width * wanted.height))


def prepare(image: Image.Image, wanted: Input) -> Pixels:
    """The pixels of an image, float32 of shape (channels, height, width). Raises HashError."""
    drawn = resized(
        hashing.rgb(image) if wanted.channels == 3 else hashing.luminance(image), wanted
    )
    pixels = np.asarray(drawn, np.float32).reshape(wanted.height, wanted.width, -1)
    pixels = np.ascontiguousarray(pixels.transpose(2, 0, 1)) / np.float32(255)
    return normalised(pixels, wanted)


def resized(image: Image.Image, wanted: Input) -> Image.Image:
    """The image in the size of the input, by a filter that averages over what it leaves out."""
    size = (wanted.width, wanted.height)
    how = Image.Resampling.BICUBIC
    if wanted.fit == "crop":
        return ImageOps.fit(image, size, how)
    if wanted.fit == "pad":
        return _with_borders(image, size, how)
    return image.resize(size, how)


def _with_borders(image: Image.Image, size: tuple[int, int], how: Image.Resampling) -> Image.Image:
    """The whole image in the middle of a black one; as Pillow's pad, but never without a line."""
    scale = min(wanted / own for wanted, own in zip(size, image.size))
    width, height = (max(1, round(own * scale)) for own in image.size)
    drawn = Image.new(image.mode, size)
    place = (size[0] - width) // 2, (size[1] - height) // 2
    drawn.paste(image.resize((width, height), how), place)
    return drawn


def normalised(pixels: Pixels, wanted: Input) -> Pixels:
    """Pixels from 0 to 1, of shape (..., channels, height, width), as the network wants them."""
    if wanted.standardised:
        axes = (-3, -2, -1)
        centred = pixels - pixels.mean(axis=axes, keepdims=True)
        deviation = centred.std(axis=axes, keepdims=True)
        scaled: Pixels = (centred / np.maximum(deviation, _LEAST_DEVIATION)).astype(np.float32)
        return scaled
    if wanted.mean:
        shape = (len(wanted.mean), 1, 1)
        mean = np.array(wanted.mean, np.float32).reshape(shape)
        return ((pixels - mean) / np.array(wanted.std, np.float32).reshape(shape)).astype(
            np.float32
        )
    return pixels
