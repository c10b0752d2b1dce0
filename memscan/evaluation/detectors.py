"""What can be evaluated: ways to describe images and to tell how far apart they are.

To add a detector, write a class with the members of :class:`Detector` and name it in
:data:`KNOWN`. Networks with weights are named by the cards beside them.
"""

from __future__ import annotations

from typing import Any, Callable, Protocol, Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from memscan import decode, encoders, hamming, views
from memscan.detectors.cards import KINDS
from memscan.encoders import Encoder
from memscan.errors import InputError
from memscan.evaluation.learned_detectors import (
    NO_WEIGHTS,
    RANDOM,
    Weights,
    require_weights,
    untrained,
)
from memscan.evaluation.pixels.detector import PixelDetector
from memscan.evaluation.pixels.features import FeatureSimilarity
from memscan.evaluation.pixels.measures import (
    MeanSquaredError,
    Measure,
    NormalisedCrossCorrelation,
)
from memscan.evaluation.pixels.structural import StructuralSimilarity
from memscan.protocols import Origin
from memscan.recipe import hash_decoded

Rows = npt.NDArray[Any]
Distances = npt.NDArray[np.float32]


class Detector(Protocol):
    """A way to compare images. Methods are called from several threads at once.

    Descriptions are arrays with one row per image, of any dtype and of any shape behind the first
    axis; those of sources and those of targets may differ.
    """

    @property
    def name(self) -> str:
        """What ``--detectors`` calls it."""

    @property
    def description(self) -> str:
        """One line for people."""

    @property
    def default_threshold(self) -> float:
        """The largest distance at which a scan gives a verdict other than Distinct."""

    @property
    def origin(self) -> Origin:
        """Whether it was trained, and on what."""

    def describe_sources(self, images: Sequence[Image.Image]) -> Rows:
        """All that a scan would keep of training images (RGB)."""

    def describe_targets(self, images: Sequence[Image.Image]) -> Rows:
        """What a scan makes of images under suspicion (RGB)."""

    def distances(self, targets: Rows, sources: Rows) -> Distances:
        """How far each of M targets is from each of N sources, of shape (M, N); less is closer."""

    def paired(self, targets: Rows, sources: Rows) -> Distances:
        """How far n targets are from n sources, row by row, of shape (n,)."""

    def bytes_per_source(self) -> int:
        """What a scan keeps of one training image, without its path."""


class Hash:
    """What ``memscan detect --hash --views`` compares, by distance alone.

    Verification is left out, since it reads the files of a match again: a candidate beyond the near
    threshold that it would confirm counts as not found here.
    """

    def __init__(self, encoder: Encoder, level: str) -> None:
        bits = 64 * encoder.words
        self._encoder = encoder
        self._sources = views.of_source(level)
        self._counted = views.counted(level)
        self._targets = views.of_target(level) if level != "plain" else views.NONE
        self.name = encoder.name if level == "plain" else f"{encoder.name}+{level}"
        seen = "" if level == "plain" else f" in the views of --views {level}, not verified"
        self.description = f"{bits} bits, as memscan detect --hash {encoder.name}{seen}"
        self.default_threshold = float(encoder.thresholds.near)
        self.origin = Origin()

    def describe_sources(self, images: Sequence[Image.Image]) -> Rows:
        """Words of shape (n, views, words)."""
        return self._words(images, self._sources)

    def describe_targets(self, images: Sequence[Image.Image]) -> Rows:
        """Likewise, in the views of targets that count."""
        names = ("full", *self._targets.names)
        counted = [names.index(name) for name in self._counted]
        return self._words(images, self._targets)[:, counted]

    def distances(self, targets: Rows, sources: Rows) -> Distances:
        """Bits that differ in the closest pair of views."""
        count, seen, words = sources.shape
        flat = sources.reshape(count * seen, words)
        if words == 1:
            flat, targets = flat[:, 0], targets[:, :, 0]
        found = np.empty((len(targets), count), np.float32)
        for row, target in enumerate(targets):
            tries = [hamming.distances(flat, hash).reshape(count, seen) for hash in target]
            found[row] = np.min(tries, axis=(0, 2))
        return found

    def paired(self, targets: Rows, sources: Rows) -> Distances:
        """Likewise, row by row."""
        found = [
            np.min([hamming.distances(source, word) for word in target])
            for target, source in zip(self._flat(targets), self._flat(sources))
        ]
        return np.array(found, np.float32)

    def bytes_per_source(self) -> int:
        """Eight for each word of each view."""
        return 8 * self._encoder.words * (1 + len(self._sources.names))

    def _flat(self, rows: Rows) -> Rows:
        """Hashes of one word without an axis for it."""
        return rows[:, :, 0] if self._encoder.words == 1 else rows

    def _words(self, images: Sequence[Image.Image], view_set: views.ViewSet) -> Rows:
        decoded = [decode.Decoded(image, image.size) for image in images]
        hashed = hash_decoded(decoded, self._encoder, view_set)
        words = np.array([image.words for image in hashed], np.uint64)
        return words.reshape(len(images), -1, self._encoder.words)


def _hash(encoder: Encoder, level: str) -> Callable[[], Detector]:
    return lambda: Hash(encoder, level)


def _pixels(
    name: str, title: str, measure: Measure, threshold: float, estimates_ssim: bool = False
) -> Callable[[], Detector]:
    return lambda: PixelDetector(name, title, measure, threshold, estimates_ssim)


_HASHES = {
    name if level == "plain" else f"{name}+{level}": _hash(encoder, level)
    for name, encoder in encoders.KNOWN.items()
    for level in views.LEVELS
}

KNOWN: dict[str, Callable[[], Detector]] = {
    **_HASHES,
    "mse": _pixels("mse", "mean squared error", MeanSquaredError(), 0.01),
    "ncc": _pixels("ncc", "normalised cross-correlation", NormalisedCrossCorrelation(), 0.2),
    "ssim": _pixels("ssim", "SSIM", StructuralSimilarity(), 0.15, True),
    "fsim": _pixels("fsim", "FSIM", FeatureSimilarity(), 0.2),
}
"""What makes each detector, by the name that ``--detectors`` takes.

Nobody published thresholds for the measures of pixels but SSIM; those here let fewer than one in
10,000 pairs of unrelated photographs pass.
"""


def choose(names: Sequence[str], weights: Weights = NO_WEIGHTS) -> list[Detector]:
    """The detectors of these names, in their order, then those of weights that no name is of.

    Raises InputError.
    """
    named = weights.names()
    known = ", ".join((*KNOWN, RANDOM, *KINDS))
    for name in names:
        require_weights(name, named)
        if name not in KNOWN and name not in named and name != RANDOM:
            raise InputError(f"{name}: no such detector; there are {known}")
        if names.count(name) > 1:
            raise InputError(f"{name}: given twice as a detector")
    wanted = [*names, *(name for name in named if name not in names)]
    if not wanted:
        raise InputError(f"no detector was given; there are {known}")

    def made(name: str) -> Detector:
        if name in named:
            return weights.open(name, named[name])
        return untrained(weights.device) if name == RANDOM else KNOWN[name]()

    return [made(name) for name in wanted]
