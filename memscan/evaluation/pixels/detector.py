"""The measures of pixels as detectors, on thumbnails."""

from __future__ import annotations

from typing import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from memscan import hashing
from memscan.evaluation.pixels.measures import Features, Measure
from memscan.protocols import Origin

SIDE = 64
"""Pixels of a side of the thumbnails that are compared, whatever the form of the images."""

_AT_ONCE = 128  # pairs: their features stay in the cache

Thumbnails = npt.NDArray[np.uint8]
Distances = npt.NDArray[np.float32]


def thumbnail(image: Image.Image) -> Thumbnails:
    """The image in grey, stretched to (SIDE, SIDE)."""
    grey = hashing.luminance(image).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    return np.asarray(grey, np.uint8)


class PixelDetector:
    """A measure on thumbnails; implements :class:`memscan.evaluation.detectors.Detector`.

    The distance is 1 less the similarity.
    """

    def __init__(
        self, name: str, title: str, measure: Measure, threshold: float, estimates_ssim: bool
    ) -> None:
        self.name = name
        self.description = f"{title} of grey thumbnails, {SIDE} x {SIDE} pixels"
        self.default_threshold = threshold
        self.origin = Origin(estimates_ssim=estimates_ssim)
        self._measure = measure

    def describe_sources(self, images: Sequence[Image.Image]) -> Thumbnails:
        """Thumbnails of shape (n, SIDE, SIDE)."""
        return np.stack([thumbnail(image) for image in images])

    def describe_targets(self, images: Sequence[Image.Image]) -> Thumbnails:
        """Likewise."""
        return self.describe_sources(images)

    def distances(self, targets: Thumbnails, sources: Thumbnails) -> Distances:
        """Those of all pairs: slow, as these measures are."""
        found = np.empty((len(targets), len(sources)), np.float32)
        for start in range(0, len(sources), _AT_ONCE):
            end = start + _AT_ONCE
            others = self._features(sources[start:end])
            for row in range(len(targets)):
                one = self._features(targets[row : row + 1])
                found[row, start:end] = 1 - self._measure.similarities(one, others)
        return found

    def paired(self, targets: Thumbnails, sources: Thumbnails) -> Distances:
        """Those of n targets and n sources, row by row."""
        found = np.empty(len(targets), np.float32)
        for start in range(0, len(targets), _AT_ONCE):
            end = start + _AT_ONCE
            both = (self._features(images[start:end]) for images in (targets, sources))
            found[start:end] = 1 - self._measure.similarities(*both)
        return found

    def bytes_per_source(self) -> int:
        """One for each pixel of a thumbnail."""
        return SIDE * SIDE

    def _features(self, thumbnails: Thumbnails) -> Features:
        return self._measure.features(thumbnails.astype(np.float64))
