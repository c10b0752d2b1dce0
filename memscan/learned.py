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
from memscan.cosine import Cosine
from memscan.decode import Decoded
from memscan.detectors.cards import Card
from memscan.detectors.protocol import Detector, Embeddings, Pixels
from memscan.errors import InputError
from memscan.evidence import detail
from memscan.records import HashedImage, Thresholds
from memscan.report import Network
from memscan.views import ViewSet

BATCH = 32
"""Images that a network is given at a time, and that are worth waiting for (see DESIGN.md)."""


class _Ingredients(NamedTuple):
    """What is kept of an image until its batch is embedded.

    ``pixels`` are those of its different renderings, ``renderings`` says for each view which one.
    """

    thumbnail: npt.NDArray[np.uint8]
    size: tuple[int, int]
    pixels: Pixels
    renderings: tuple[int, ...]


def network_of(detector: Detector) -> Network:
    """What a report says of a detector, whose card knows the sha256 of its weights once opened."""
    card = detector.card
    calibration = card.calibration if card.is_calibrated else None
    return Network(card.kind, card.name, card.sha256 or "unknown", card.cuts, calibration)


@dataclass(frozen=True)
class LearnedEncoder:
    """Implements :class:`memscan.encoders.Encoder` for a detector whose scores are cosines.

    Embeddings are made by one thread at a time, since a network uses all cores by itself; images
    are decoded by the others meanwhile. Batches are those of the files' order, whatever the number
    of threads, because the numbers of a network depend on what else is in a batch, if only in
    their last digits. With ``has_cosines``, a network whose rows are not of length 1 is refused.
    """

    detector: Detector
    has_cosines: bool = True
    has_quality: bool = False
    is_modelled: bool = False
    in_processes: bool = False
    fast_error: int | None = None
    _turn: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    @property
    def card(self) -> Card:
        """What is known about the network."""
        return self.detector.card

    @property
    def network(self) -> Network:
        """What a report says of the detector."""
        return network_of(self.detector)

    @property
    def name(self) -> str:
        """The kind of the network."""
        return self.card.kind

    @property
    def words(self) -> int:
        """As in :class:`memscan.encoders.Encoder`: of pHash and embedding."""
        return vectors.words_of(self.card.dimensions)

    @property
    def metric(self) -> Cosine:
        """As in :class:`memscan.encoders.Encoder`."""
        return Cosine(self.card.dimensions)

    @property
    def thresholds(self) -> Thresholds:
        """The cuts of the card, as distances."""
        return self.network.thresholds

    def chunk(self, view_set: ViewSet) -> int:
        """As in :class:`memscan.encoders.Encoder`: about a batch, with all views."""
        return max(1, BATCH // (1 + len(view_set.names)))

    def fingerprint(self, fast: bool) -> str:
        """As in :class:`memscan.encoders.Encoder`."""
        return hashing.fingerprint(fast, self.detector.fingerprint)

    def key(self, fast: bool, view_set: ViewSet) -> str:
        """As in :class:`memscan.encoders.Encoder`."""
        return f"{self.fingerprint(fast)} {detail.fingerprint()} {view_set.key}".rstrip()

    def prepare(self, image: Decoded, view_set: ViewSet) -> _Ingredients:
        """The thumbnail of the pHash, and the pixels of each view."""
        with hashing.resizable(image.image):
            full = self.detector.prepare(image.image)
            different, renderings = {full.tobytes(): full}, [0]
            if view_set.names:
                small = self._reduced(image.image)
                for name in view_set.names:
                    # Of whole images no digit is lost, so that a mirrored copy is at distance 0.
                    whole = image.image if name in (*turns.TURNS, views.UPRIGHT) else small
                    drawn = views.draw(whole, name)
                    # A view that this image does not have is the full image, to the last digit.
                    pixels = full if drawn is whole else self.detector.prepare(drawn)
                    different.setdefault(pixels.tobytes(), pixels)
                    renderings.append(list(different).index(pixels.tobytes()))
            thumbnail, stacked = hashing.thumbnail(image.image), np.stack(list(different.values()))
            return _Ingredients(thumbnail, image.size, stacked, tuple(renderings))

    def finish(self, prepared: Sequence[_Ingredients], view_set: ViewSet) -> list[HashedImage]:
        """The words of a batch of prepared images."""
        if not prepared:
            return []
        stack = np.stack([one.thumbnail for one in prepared])
        coefficients = hashing.transform(stack)
        hashes = hashing.phashes(stack, coefficients)
        flags = detail.low_information(stack, coefficients).tolist()
        firsts = np.cumsum([0, *(len(one.pixels) for one in prepared[:-1])])
        rows = [first + np.array(one.renderings) for first, one in zip(firsts, prepared)]
        embeddings = self._embed(np.concatenate([one.pixels for one in prepared]))
        packed = vectors.pack(
            np.repeat(hashes, 1 + len(view_set.names)), embeddings[np.concatenate(rows)]
        )
        return [
            HashedImage(tuple(words), flag, one.size)
            for words, flag, one in zip(packed.reshape(len(prepared), -1).tolist(), flags, prepared)
        ]

    def _embed(self, pixels: Pixels) -> Embeddings:
        """The embeddings of any number of images, a batch at a time."""
        with self._turn:
            embeddings = np.concatenate(
                [
                    self.detector.embed(pixels[start : start + BATCH])
                    for start in range(0, len(pixels), BATCH)
                ]
            )
        if self.has_cosines and not vectors.have_cosines(embeddings).all():
            raise InputError(f"{self.card.name}: the network gives rows that are not of length 1")
        return embeddings

    def _reduced(self, image: Image.Image) -> Image.Image:
        """A smaller image that the views are cut from: twice what the network takes."""
        taken = self.card.input
        colour = hashing.rgb(image) if taken.channels == 3 else hashing.luminance(image)
        scale = min(colour.size) / (2 * max(taken.width, taken.height))
        if scale <= 1:
            return colour
        size = (round(colour.width / scale), round(colour.height / scale))
        return colour.resize(size, Image.Resampling.BOX)
