"""Where two images agree, asked of any detector: by how much hiding a part lowers their score.

After Zeiler and Fergus (Visualizing and Understanding Convolutional Networks, 2014). A square is
filled with the mean colour of its image and slid over it; each pixel gets the fall of the score
from the squares that hid it, most from those in whose middle it lies.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from memscan.detectors.protocol import Detector, Pixels

Heat = npt.NDArray[np.float32]
"""Of shape (height, width), from 0 to 1: how much each pixel has to do with the score."""

Floats = npt.NDArray[np.floating]

STEPS = 7
"""Places of the square along each side; it is twice as wide as its steps."""


def occlusion(detector: Detector, target: Pixels, source: Pixels) -> tuple[Heat, Heat]:
    """The heat of a target and of a source, both of shape (channels, height, width).

    Each has its greatest value at 1; it is 0 throughout where nothing that is hidden lowers the
    score.
    """
    pair = detector.embed(np.stack([target, source]))
    score = float(detector.paired(pair[:1], pair[1:])[0])
    heats = []
    for image, other in ((target, pair[1:]), (source, pair[:1])):
        hidden = detector.embed(_hidden(image))
        falls = score - detector.paired(hidden, np.repeat(other, len(hidden), axis=0))
        heats.append(scaled(_spread(np.maximum(falls, 0), image.shape[-2:])))
    return heats[0], heats[1]


def scaled(heat: Floats) -> Heat:
    """The heat with its greatest value at 1; zeros stay zeros."""
    greatest = float(heat.max())
    return (heat / greatest).astype(np.float32) if greatest > 0 else np.zeros_like(heat, np.float32)


def _hidden(image: Pixels) -> Pixels:
    """The image with each of the squares filled, of shape (STEPS ** 2, channels, height, width)."""
    rows, columns = (_nearness(length) > 0 for length in image.shape[-2:])
    squares = (rows[:, None, :, None] & columns[None, :, None, :]).reshape(-1, 1, *image.shape[-2:])
    filled: Pixels = np.where(squares, image.mean(axis=(1, 2), keepdims=True), image)
    return filled


def _spread(falls: Floats, shape: tuple[int, ...]) -> Floats:
    """The falls of the squares as heat, which rises and falls in straight lines."""
    rows, columns = (_nearness(length) for length in shape)
    sums = rows.T @ falls.reshape(STEPS, STEPS).astype(np.float64) @ columns
    heat: Floats = sums / np.outer(rows.sum(axis=0), columns.sum(axis=0))
    return heat


def _nearness(length: int) -> Floats:
    """How near each pixel of a side is to the middle of each square: 1 there, 0 outside of it.

    Of shape (STEPS, length). Squares overlap by half, and each pixel is in one or two.
    """
    half = length / (STEPS + 1)
    middles = half * np.arange(1, STEPS + 1)
    return np.maximum(0, 1 - np.abs(np.arange(length) + 0.5 - middles[:, None]) / half)
