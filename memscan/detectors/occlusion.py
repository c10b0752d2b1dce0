"""Where two images agree, asked of any detector: by how much hiding a part lowers their score.

After Zeiler and Fergus (Visualizing and Understanding Convolutional Networks, 2014). A square is
filled with the mean colour of its image and slid over it; each pixel gets the mean fall of the
score over the squares that hid it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from memscan.detectors.protocol import Detector, Pixels

Heat = npt.NDArray[np.float32]
"""Of shape (height, width), from 0 to 1: how much each pixel has to do with the score."""

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
        squares = _squares(image.shape[-2:])
        hidden = detector.embed(_hidden(image, squares))
        falls = score - detector.paired(hidden, np.repeat(other, len(hidden), axis=0))
        heats.append(scaled(_spread(np.maximum(falls, 0), squares)))
    return heats[0], heats[1]


def scaled(heat: npt.NDArray[np.floating]) -> Heat:
    """The heat with its greatest value at 1; zeros stay zeros."""
    greatest = float(heat.max())
    return (heat / greatest).astype(np.float32) if greatest > 0 else np.zeros_like(heat, np.float32)


def _squares(shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """Which pixels each square hides, of shape (STEPS ** 2, height, width)."""
    rows, columns = (_bands(length) for length in shape)
    return (rows[:, None, :, None] & columns[None, :, None, :]).reshape(-1, *shape)


def _bands(length: int) -> npt.NDArray[np.bool_]:
    """Overlapping bands that cover a side, each two of STEPS + 1 equal parts."""
    edges = np.linspace(0, length, STEPS + 2)
    middles = np.arange(length) + 0.5
    return (middles >= edges[:-2, None]) & (middles < edges[2:, None])


def _hidden(image: Pixels, squares: npt.NDArray[np.bool_]) -> Pixels:
    mean = image.mean(axis=(1, 2), keepdims=True)
    filled: Pixels = np.where(squares[:, None], mean, image).astype(np.float32)
    return filled


def _spread(
    falls: npt.NDArray[np.floating], squares: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64]:
    sums = np.tensordot(falls.astype(np.float64), squares, 1)
    means: npt.NDArray[np.float64] = sums / squares.sum(axis=0)
    return means
