"""The grid of six edits at four strengths under which LCMem was published (arXiv 2512.14421).

As there, an image is stretched to a square of 512 pixels before it is edited, so that a strength
means the same for all images. There is no measurement of false positives in the published grid;
here each edit is for right and for unrelated pairs alike.
"""

from __future__ import annotations

from typing import Callable

import numpy as np
import numpy.typing as npt
from PIL import Image

from memscan.evaluation.edits import Edit, shapes, tones

Apply = Callable[[Image.Image, np.random.Generator], Image.Image]

SIDE = 512
"""Pixels of a side of an image before it is edited."""

BLUR_TAPS = 9


def square(image: Image.Image) -> Image.Image:
    """The image as it is edited: RGB, stretched to ``SIDE`` pixels a side."""
    return image.resize((SIDE, SIDE), shapes.LANCZOS)


def blur(image: Image.Image, sigma: float) -> Image.Image:
    """A Gaussian blur of ``sigma`` pixels by a kernel cut off at 9 x 9 pixels, edges reflected."""
    offsets = np.arange(BLUR_TAPS) - BLUR_TAPS // 2
    kernel = np.exp(-0.5 * (offsets / sigma) ** 2)
    kernel /= kernel.sum()
    pixels = np.asarray(image, np.float32)
    for axis in (0, 1):
        pixels = _filtered(pixels, kernel.astype(np.float32), axis)
    return Image.fromarray(np.clip(np.rint(pixels), 0, 255).astype(np.uint8))


def _filtered(
    pixels: npt.NDArray[np.float32], kernel: npt.NDArray[np.float32], axis: int
) -> npt.NDArray[np.float32]:
    """Filtered along one axis of (height, width, channels)."""
    reach = len(kernel) // 2
    borders = [(reach, reach) if place == axis else (0, 0) for place in range(3)]
    padded = np.moveaxis(np.pad(pixels, borders, mode="reflect"), axis, 0)
    length = pixels.shape[axis]
    total = np.zeros_like(padded[:length])
    for place, weight in enumerate(kernel):
        total += weight * padded[place : place + length]
    return np.moveaxis(total, 0, axis)


def _cell(kind: str, strength: float, words: str, apply: Apply) -> Edit:
    """One strength of a kind of edit, applied to the square."""
    return Edit(
        f"grid-{kind}-{strength}",
        f"grid-{kind}",
        f"at {SIDE} pixels: {words}",
        lambda image, random: apply(square(image), random),
    )


def _blurred(sigma: float) -> Edit:
    words = f"Gaussian blur of {sigma} pixels, kernel {BLUR_TAPS}"
    return _cell("blur", sigma, words, lambda image, _: blur(image, sigma))


def _noisy(deviation: float) -> Edit:
    words = f"Gaussian noise of {deviation} of the range"
    levels = 255 * deviation
    return _cell("noise", deviation, words, lambda image, lots: tones.noise(image, levels, lots))


def _turned(degrees: int) -> Edit:
    words = f"turned by {degrees} degrees, black corners"
    return _cell("rotation", degrees, words, lambda image, _: shapes.rotate(image, degrees))


def _brighter(factor: float) -> Edit:
    words = f"brightness times {factor}"
    return _cell("brightness", factor, words, lambda image, _: tones.brightness(image, factor))


def _starker(factor: float) -> Edit:
    words = f"contrast times {factor}"
    return _cell("contrast", factor, words, lambda image, _: tones.contrast(image, factor))


def _compressed(quality: int) -> Edit:
    words = f"JPEG of quality {quality}"
    return _cell("jpeg", quality, words, lambda image, _: tones.jpeg(image, quality))


GRID = (
    *map(_blurred, (0.1, 1, 2, 6)),
    *map(_noisy, (0.01, 0.1, 0.2, 0.3)),
    *map(_turned, (5, 10, 20, 30)),
    *map(_brighter, (1.1, 1.3, 1.6, 2)),
    *map(_starker, (1.1, 1.3, 1.6, 2)),
    *map(_compressed, (95, 70, 40, 10)),
)
"""All 24 edits, those of one kind together, each kind by rising strength."""
