"""How alike two grey images are, pixel by pixel: what the measures have in common.

Images are float64 arrays of shape (n, height, width) with values from 0 to 255. What a measure
needs of each image alone is worked out once, so that pairs cost less.
"""

from __future__ import annotations

from typing import Protocol, Tuple

import numpy as np
import numpy.typing as npt

LEVELS = 255
"""The largest value of a pixel."""

Images = npt.NDArray[np.float64]

Features = Tuple[npt.NDArray[np.float64], ...]
"""What a measure keeps of images: arrays with one item per image along the first axis."""


class Measure(Protocol):
    """A similarity of two images of one size; 1 of an image with itself."""

    def features(self, images: Images) -> Features:
        """What is needed of each image alone."""

    def similarities(self, one: Features, other: Features) -> Images:
        """Those of n pairs, of shape (n,); features of one image are compared with all n."""


class MeanSquaredError:
    """1 less the mean squared difference of values brought to 0 to 1."""

    def features(self, images: Images) -> Features:
        """The values from 0 to 1."""
        return (images / LEVELS,)

    def similarities(self, one: Features, other: Features) -> Images:
        """From 0 to 1."""
        squares = (one[0] - other[0]) ** 2
        similar: Images = 1 - squares.mean(axis=(1, 2))
        return similar


class NormalisedCrossCorrelation:
    """Pearson's correlation of the pixels; 0 where an image has only one value."""

    def features(self, images: Images) -> Features:
        """The images with mean 0 and length 1."""
        centred = images - images.mean(axis=(1, 2), keepdims=True)
        lengths = np.sqrt((centred**2).sum(axis=(1, 2), keepdims=True))
        flat = lengths < 1e-9 * LEVELS
        return (np.where(flat, 0, centred / np.where(flat, 1, lengths)),)

    def similarities(self, one: Features, other: Features) -> Images:
        """From -1 to 1."""
        correlation: Images = (one[0] * other[0]).sum(axis=(1, 2))
        return correlation
