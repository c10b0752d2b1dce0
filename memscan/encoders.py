"""The hashes that a scan can work with.

An encoder turns a decoded image into the words of its hash, in the full view and in others. To add
one, write what :class:`Encoder` asks for and name it in :data:`KNOWN`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, NamedTuple, Protocol, Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from memscan import engines, hashing, other_hashes, resampling, turns, views
from memscan.decode import Decoded
from memscan.errors import InputError
from memscan.evidence import detail
from memscan.metric import HAMMING, Metric
from memscan.records import HashedImage, Thresholds
from memscan.views import ViewSet

DRAWN_SIDE = 256
"""Pixels of the shorter side of the reduction that views are drawn on, unless they are made of a
transform."""


class Encoder(Protocol):
    """A way to turn images into hashes. Methods are called from several threads at once."""

    @property
    def name(self) -> str:
        """What ``--hash`` calls it."""

    @property
    def words(self) -> int:
        """The number of 64-bit words of a hash."""

    @property
    def thresholds(self) -> Thresholds:
        """The distances that a scan judges by unless it is told others."""

    @property
    def has_quality(self) -> bool:
        """Whether hashes come with a quality."""

    @property
    def is_modelled(self) -> bool:
        """Whether :mod:`memscan.evidence.chance` describes the distances of unrelated images."""

    @property
    def fast_error(self) -> int | None:
        """The bits by which the hash of a JPEG decoded at reduced scale may differ, if known."""

    @property
    def metric(self) -> Metric:
        """How far two hashes are from each other."""

    @property
    def in_processes(self) -> bool:
        """Whether other processes can make the hashes, which find the encoder by its name."""

    def chunk(self, view_set: ViewSet) -> int:
        """The images that are best hashed at a time."""

    def fingerprint(self, fast: bool) -> str:
        """What must be equal for two hashes to be comparable; ``fast`` is the way of decoding."""

    def key(self, fast: bool, view_set: ViewSet) -> str:
        """What must be equal for a kept :class:`HashedImage` to be the one made anew."""

    def prepare(self, image: Decoded, view_set: ViewSet) -> Any:
        """What is kept of a decoded image until its chunk is hashed. Raises HashError."""

    def finish(self, prepared: Sequence[Any], view_set: ViewSet) -> list[HashedImage]:
        """The hashes of a chunk of prepared images."""


class _Ingredients(NamedTuple):
    """What is kept of an image until its chunk is hashed."""

    thumbnail: npt.NDArray[np.uint8]
    size: tuple[int, int]
    material: views.Material | None


class PHash:
    """imagehash's pHash of 64 bits. Thumbnails are transformed a chunk at a time."""

    name = "phash"
    words = 1
    thresholds = Thresholds()
    has_quality = False
    is_modelled = True
    fast_error: int | None = hashing.FAST_ERROR
    metric: Metric = HAMMING
    in_processes = True

    def chunk(self, view_set: ViewSet) -> int:
        """As in :class:`Encoder`."""
        return engines.CHUNK

    def fingerprint(self, fast: bool) -> str:
        """As in :class:`Encoder`."""
        return hashing.fingerprint(fast)

    def key(self, fast: bool, view_set: ViewSet) -> str:
        """As in :class:`Encoder`."""
        return f"{self.fingerprint(fast)} {detail.fingerprint()} {view_set.key}".rstrip()

    def prepare(self, image: Decoded, view_set: ViewSet) -> _Ingredients:
        """The thumbnail, and what views are made of."""
        with hashing.resizable(image.image):
            grey = hashing.luminance(image.image)
            material = views.material(image.image, grey, view_set) if view_set.names else None
            return _Ingredients(resampling.reduce(grey), image.size, material)

    def finish(self, prepared: Sequence[_Ingredients], view_set: ViewSet) -> list[HashedImage]:
        """As in :class:`Encoder`."""
        if not prepared:
            return []
        stack = np.stack([one.thumbnail for one in prepared])
        coefficients = hashing.transform(stack)
        hashes = hashing.phashes(stack, coefficients)
        flags = detail.low_information(stack, coefficients).tolist()
        words = hashes[:, None]
        materials = [one.material for one in prepared if one.material is not None]
        if materials:
            others = views.hashes(view_set, coefficients, hashes, materials)
            words = np.concatenate([words, others], axis=1)
        return [
            HashedImage(tuple(row), flag, one.size)
            for row, flag, one in zip(words.tolist(), flags, prepared)
        ]


class _Described(NamedTuple):
    """The words of one hash, and whether the image has too little detail for it to mean much."""

    words: tuple[int, ...]
    low_information: bool
    quality: int | None = None


@dataclass(frozen=True)
class Drawn:
    """A hash that is computed image by image; its views are drawn and hashed like images."""

    name: str
    algorithm: str
    words: int
    thresholds: Thresholds
    libraries: tuple[str, ...]
    describe: Callable[[Image.Image], _Described]
    has_quality: bool = False
    is_modelled: bool = False
    fast_error: int | None = None
    metric: Metric = HAMMING
    in_processes: bool = True

    def chunk(self, view_set: ViewSet) -> int:
        """As in :class:`Encoder`."""
        return engines.CHUNK

    def fingerprint(self, fast: bool) -> str:
        """As in :class:`Encoder`."""
        return hashing.fingerprint(fast, self.algorithm, self.libraries)

    def key(self, fast: bool, view_set: ViewSet) -> str:
        """As in :class:`Encoder`."""
        key = f"{self.fingerprint(fast)} {detail.fingerprint()}"
        return f"{key} {view_set.key} drawn={DRAWN_SIDE}" if view_set.names else key

    def prepare(self, image: Decoded, view_set: ViewSet) -> HashedImage:
        """The hashes themselves: they are smaller than anything that they could be made of."""
        with hashing.resizable(image.image):
            full = self.describe(image.image)
            words = list(full.words)
            if view_set.names:
                upright, small = turns.upright(image.image), _reduced(image.image)
                for name in view_set.names:
                    drawn = views.draw(small, upright if name == views.UPRIGHT else name)
                    view = full if drawn is small else self.describe(drawn)
                    words += full.words if view.low_information else view.words
            return HashedImage(tuple(words), full.low_information, image.size, full.quality)

    def finish(self, prepared: Sequence[HashedImage], view_set: ViewSet) -> list[HashedImage]:
        """As in :class:`Encoder`."""
        return list(prepared)


def _reduced(image: Image.Image) -> Image.Image:
    grey = hashing.luminance(image)
    scale = min(grey.size) / DRAWN_SIDE
    if scale <= 1:
        return grey
    return grey.resize(
        (round(grey.width / scale), round(grey.height / scale)), Image.Resampling.BOX
    )


def _by_detail(
    hash: Callable[[Image.Image], npt.NDArray[np.uint64]],
) -> Callable[[Image.Image], _Described]:
    """A hash without a quality of its own: detail is judged as it is for pHash."""

    def describe(image: Image.Image) -> _Described:
        grey = hashing.luminance(image)
        thumbnail = resampling.reduce(grey)[None]
        flag = detail.low_information(thumbnail, hashing.transform(thumbnail))[0]
        return _Described(tuple(hash(grey).tolist()), bool(flag))

    return describe


def _by_quality(image: Image.Image) -> _Described:
    from memscan import pdq  # code that most scans need not load

    words, quality = pdq.pdq(image)
    return _Described(tuple(words.tolist()), quality < pdq.LEAST_QUALITY, quality)


PHASH = PHash()

# Thresholds let through no more unrelated pairs than 5 and 10 bits of pHash do, as far as that can
# be had (see DESIGN.md).
KNOWN: dict[str, Encoder] = {
    "phash": PHASH,
    "dhash": Drawn(
        "dhash", "dhash-64", 1, Thresholds(4, 6), ("imagehash",), _by_detail(other_hashes.dhash)
    ),
    "phash-256": Drawn(
        "phash-256",
        "phash-256",
        4,
        Thresholds(48, 80),
        ("imagehash",),
        _by_detail(other_hashes.phash_256),
    ),
    "pdq": Drawn("pdq", "pdq-256", 4, Thresholds(74, 86), (), _by_quality, has_quality=True),
}
"""The encoders by the name that ``--hash`` takes."""


def choose(name: str) -> Encoder:
    """The encoder of this name. Raises InputError."""
    if name not in KNOWN:
        raise InputError(f"{name}: no such hash; there are {', '.join(KNOWN)}")
    return KNOWN[name]
