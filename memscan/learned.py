"""A learned detector as an encoder of the scan: images become their pHash and their embedding.

The pHash stays the name of an image in reports and baselines; distances are 1 minus the cosine.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import NamedTuple, Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from memscan import hashing, turns, vectors, views
from memscan.decode import Decoded
from memscan.detectors.cards import Card
from memscan.detectors.protocol import Detector, Pixels
from memscan.evidence import detail
from memscan.records import HashedImage, Thresholds
from memscan.views import ViewSet


class _Ingredients(NamedTuple):
    """What is kept of an image until its batch is embedded: its pixels in all views."""

    thumbnail: npt.NDArray[np.uint8]
    size: tuple[int, int]
    pixels: Pixels


@dataclass(frozen=True)
class LearnedEncoder:
    """Implements :class:`memscan.encoders.Encoder` for a detector whose scores are cosines.

    Embeddings are made by one thread at a time, since a network uses all cores by itself; images
    are decoded by the others meanwhile.
    """

    detector: Detector
    has_quality: bool = False
    is_modelled: bool = False
    fast_error: int | None = None
    _turn: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    @property
    def card(self) -> Card:
        """What is known about the network."""
        return self.detector.card

    @property
    def name(self) -> str:
        """The kind of the network."""
        return self.card.kind

    @property
    def words(self) -> int:
        """As in :class:`memscan.encoders.Encoder`: of pHash and embedding."""
        return vectors.words_of(self.card.dimensions)

    @property
    def thresholds(self) -> Thresholds:
        """The cuts of the card, as distances."""
        cuts = self.card.cuts
        return Thresholds(round(1 - cuts.duplicate, 6), round(1 - cuts.similar, 6))

    def fingerprint(self, fast: bool) -> str:
        """As in :class:`memscan.encoders.Encoder`."""
        return hashing.fingerprint(fast, self.detector.fingerprint)

    def key(self, fast: bool, view_set: ViewSet) -> str:
        """As in :class:`memscan.encoders.Encoder`."""
        return f"{self.fingerprint(fast)} {detail.fingerprint()} {view_set.key}".rstrip()

    def prepare(self, image: Decoded, view_set: ViewSet) -> _Ingredients:
        """The thumbnail of the pHash, and the pixels of each view."""
        with hashing.resizable(image.image):
            drawn = [image.image]
            if view_set.names:
                upright, small = turns.upright(image.image), self._reduced(image.image)
                for name in view_set.names:
                    drawn.append(views.draw(small, upright if name == views.UPRIGHT else name))
            pixels = np.stack([self.detector.prepare(one) for one in drawn])
            return _Ingredients(hashing.thumbnail(image.image), image.size, pixels)

    def finish(self, prepared: Sequence[_Ingredients], view_set: ViewSet) -> list[HashedImage]:
        """The words of a batch of prepared images."""
        if not prepared:
            return []
        stack = np.stack([one.thumbnail for one in prepared])
        coefficients = hashing.transform(stack)
        hashes = hashing.phashes(stack, coefficients)
        flags = detail.low_information(stack, coefficients).tolist()
        with self._turn:
            embeddings = self.detector.embed(np.concatenate([one.pixels for one in prepared]))
        seen = 1 + len(view_set.names)
        words = vectors.pack(np.repeat(hashes, seen), embeddings).reshape(len(prepared), -1)
        return [
            HashedImage(tuple(row), flag, one.size)
            for row, flag, one in zip(words.tolist(), flags, prepared)
        ]

    def _reduced(self, image: Image.Image) -> Image.Image:
        """A smaller image that the views are cut from: twice what the network takes."""
        taken = self.card.input
        colour = hashing.rgb(image) if taken.channels == 3 else hashing.luminance(image)
        scale = min(colour.size) / (2 * max(taken.width, taken.height))
        if scale <= 1:
            return colour
        size = (round(colour.width / scale), round(colour.height / scale))
        return colour.resize(size, Image.Resampling.BOX)
