"""What can be evaluated: ways to describe images and to tell how far apart they are.

To add a detector, write a class with the members of :class:`Detector` and name it in
:data:`KNOWN`.
"""

from __future__ import annotations

from typing import Any, Callable, Protocol, Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from memscan import decode, hamming, hashing, intake, other_hashes, views
from memscan.errors import InputError

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

    def describe_sources(self, images: Sequence[Image.Image]) -> Rows:
        """All that a scan would keep of training images (RGB)."""

    def describe_targets(self, images: Sequence[Image.Image]) -> Rows:
        """What a scan makes of images under suspicion (RGB)."""

    def distances(self, targets: Rows, sources: Rows) -> Distances:
        """How far each of M targets is from each of N sources, of shape (M, N); less is closer."""

    def bytes_per_source(self) -> int:
        """What a scan keeps of one training image, without its path."""


class PHash:
    """What ``memscan detect`` compares."""

    name = "phash"
    description = "pHash of 64 bits, as memscan detect computes it"
    default_threshold = 5.0

    def describe_sources(self, images: Sequence[Image.Image]) -> Rows:
        """Hashes of shape (n,)."""
        thumbnails = np.stack([hashing.thumbnail(image) for image in images])
        return hashing.phashes(thumbnails, hashing.transform(thumbnails))

    def describe_targets(self, images: Sequence[Image.Image]) -> Rows:
        """The same as of sources."""
        return self.describe_sources(images)

    def distances(self, targets: Rows, sources: Rows) -> Distances:
        """Bits that differ, 0 to 64."""
        rows = [hamming.distances(sources, target) for target in targets]
        return np.array(rows, np.float32).reshape(len(targets), len(sources))

    def bytes_per_source(self) -> int:
        """64 bits."""
        return 8


class PHashViews:
    """What ``memscan detect --views`` compares, by distance alone.

    Verification is left out, since it reads the files of a match again: a candidate at 6 to 10
    bits that it would confirm counts as not found here.
    """

    default_threshold = 5.0

    def __init__(self, level: str) -> None:
        self.name = f"phash+{level}"
        self.description = f"pHash in the views of memscan detect --views {level}, not verified"
        self._sources, self._targets = views.of_source(level), views.of_target(level)
        names = ("full", *self._targets.names)
        self._counted = [names.index(name) for name in views.counted(level)]

    def describe_sources(self, images: Sequence[Image.Image]) -> Rows:
        """Hashes of shape (n, views)."""
        return self._hashes(images, self._sources)

    def describe_targets(self, images: Sequence[Image.Image]) -> Rows:
        """Likewise, in the views of targets that count."""
        return self._hashes(images, self._targets)[:, self._counted]

    def distances(self, targets: Rows, sources: Rows) -> Distances:
        """Bits that differ in the closest pair of views, 0 to 64."""
        found = np.empty((len(targets), len(sources)), np.float32)
        for row, target in enumerate(targets):
            closest = np.full(sources.shape, hamming.NO_DISTANCE, np.uint8)
            for hash in target:
                np.minimum(closest, hamming.distances(sources, hash), out=closest)
            found[row] = closest.min(axis=1)
        return found

    def bytes_per_source(self) -> int:
        """Eight for each view."""
        return 8 * (1 + len(self._sources.names))

    def _hashes(self, images: Sequence[Image.Image], view_set: views.ViewSet) -> Rows:
        decoded = [decode.Decoded(image, image.width * image.height) for image in images]
        hashed = intake.hash_decoded(decoded, view_set)
        return np.array([(image.hash, *image.views) for image in hashed], np.uint64)


class _Words:
    """A hash of several 64-bit words, compared by the bits that differ."""

    def __init__(
        self,
        name: str,
        description: str,
        words: int,
        hash: Callable[[Sequence[Image.Image]], other_hashes.Words],
    ) -> None:
        self.name = name
        self.description = description
        self.default_threshold = 5.0 * words  # pHash's share of the bits
        self._words = words
        self._hash = hash

    def describe_sources(self, images: Sequence[Image.Image]) -> Rows:
        """Words of shape (n, words)."""
        return self._hash(images)

    def describe_targets(self, images: Sequence[Image.Image]) -> Rows:
        """The same as of sources."""
        return self._hash(images)

    def distances(self, targets: Rows, sources: Rows) -> Distances:
        """Bits that differ, 0 to 64 times the words."""
        found = np.zeros((len(targets), len(sources)), np.float32)
        for row, target in enumerate(targets):
            for word in range(self._words):
                found[row] += hamming.distances(sources[:, word], target[word])
        return found

    def bytes_per_source(self) -> int:
        """Eight for each word."""
        return 8 * self._words


KNOWN: dict[str, Callable[[], Detector]] = {
    "phash": PHash,
    "phash+training": lambda: PHashViews("training"),
    "phash+thorough": lambda: PHashViews("thorough"),
    "phash-256": lambda: _Words(
        "phash-256", "pHash of 256 bits (imagehash, hash_size=16)", 4, other_hashes.phash_256
    ),
    "dhash": lambda: _Words("dhash", "dHash of 64 bits (imagehash)", 1, other_hashes.dhash),
}
"""What makes each detector, by the name that ``--detectors`` takes."""


def choose(names: Sequence[str]) -> list[Detector]:
    """The detectors of these names, in their order. Raises InputError."""
    for name in names:
        if name not in KNOWN:
            raise InputError(f"{name}: no such detector; there are {', '.join(KNOWN)}")
        if names.count(name) > 1:
            raise InputError(f"{name}: given twice as a detector")
    if not names:
        raise InputError(f"no detector was given; there are {', '.join(KNOWN)}")
    return [KNOWN[name]() for name in names]
