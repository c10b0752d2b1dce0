"""How images are hashed: a recipe, and what hashes some of them by it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Iterable, NamedTuple, Optional, Sequence, Tuple, Union

from PIL import Image

from memscan import decode, views
from memscan.encoders import KNOWN, PHASH, Encoder
from memscan.errors import DecodeError, HashError, ImageError
from memscan.records import Failure, HashedImage, Stage
from memscan.stamps import Stamp, settled
from memscan.views import ViewSet

if TYPE_CHECKING:
    from memscan.sources.items import Item

Outcome = Union[HashedImage, Failure]
Stamped = Tuple[Optional[Stamp], Outcome]
Named = Tuple[str, str, Outcome]
"""The URI of an image, how the values of a medical volume became grey levels, and its hash."""


class Recipe(NamedTuple):
    """What it takes to hash an image as others were hashed."""

    encoder: Encoder
    fast: bool
    view_set: ViewSet
    max_pixels: int

    @property
    def key(self) -> str:
        """What must be equal for a kept hash to be the one made anew."""
        return self.encoder.key(self.fast, self.view_set)

    @property
    def rest_words(self) -> int:
        """The words that are kept of an image besides the first one of its hash."""
        words = self.encoder.words * (1 + len(self.view_set.names))
        return words - 1 + self.encoder.has_quality

    @property
    def options(self) -> dict[str, Any]:
        """The same as JSON can write it."""
        return {**self._asdict(), "encoder": self.encoder.name}

    @classmethod
    def of(cls, options: dict[str, Any]) -> Recipe:
        """The recipe of :attr:`options`."""
        key, names = options["view_set"]
        return cls(
            KNOWN[options["encoder"]],
            options["fast"],
            ViewSet(key, tuple(names)),
            options["max_pixels"],
        )


def hash_decoded(
    images: Sequence[decode.Decoded], encoder: Encoder = PHASH, view_set: ViewSet = views.NONE
) -> list[HashedImage]:
    """Hash some decoded images at once. Raises HashError."""
    return encoder.finish([encoder.prepare(image, view_set) for image in images], view_set)


def hash_image(
    image: str | os.PathLike[str] | Image.Image, *, max_pixels: int = decode.MAX_PIXELS
) -> int:
    """The 64-bit pHash of an image file or a Pillow image, as an int from 0 to 2**64 - 1.

    ``f"{hash_image(image):016x}"`` is ``str(imagehash.phash(image))`` for 8-bit images. Raises
    ReadError, DecodeError or HashError.
    """
    with decode.pixel_limit(max_pixels):
        if isinstance(image, Image.Image):
            decoded = decode.load(image, max_pixels)
        else:
            decoded = decode.open_image(os.fspath(image), max_pixels)
        return hash_decoded([decoded])[0].words[0]


def hash_items(some: Iterable[Item], recipe: Recipe) -> list[Named]:
    """Hash some images; each gives its URI, its mapping, and its hash or its failure."""
    from memscan.sources import items

    chunk: list[Item] = []
    outcomes: list[Failure | None] = []
    prepared = []
    for item in some:
        chunk.append(item)
        if isinstance(item.content, Failure):
            outcomes.append(item.content)
            continue
        try:
            image = items.decoded(item, recipe.max_pixels, fast=recipe.fast)
            prepared.append(recipe.encoder.prepare(image, recipe.view_set))
            outcomes.append(None)
        except ImageError as error:
            outcomes.append(Failure(item.uri, stage_of(error), str(error)))
    hashed = iter(recipe.encoder.finish(prepared, recipe.view_set))
    return [
        (item.uri, item.mapping, next(hashed) if failure is None else failure)
        for item, failure in zip(chunk, outcomes)
    ]


def hash_files(paths: Iterable[str], recipe: Recipe) -> list[Stamped]:
    """Hash some image files; each gives its hash or its failure, in order.

    Several at a time, because the work on thumbnails is so short that threads would spend more
    time in passing the interpreter lock to each other than in it.
    """
    stamps: list[Stamp | None] = []
    outcomes: list[Failure | None] = []
    prepared = []
    for path in paths:
        stamps.append(settled(path))  # before the file is read: a change meanwhile shows
        try:
            prepared.append(_prepared(path, recipe))
            outcomes.append(None)
        except ImageError as error:
            outcomes.append(Failure(path, stage_of(error), str(error)))
    hashed = iter(recipe.encoder.finish(prepared, recipe.view_set))
    images = [next(hashed) if failure is None else failure for failure in outcomes]
    return list(zip(stamps, images))


def _prepared(path: str, recipe: Recipe) -> object:
    """What the encoder keeps of an image file.

    A function of its own so that the image is gone before the next one is decoded: its memory is
    then used again, which is a sixth faster at 3 megapixels than getting fresh pages.
    """
    image = decode.open_image(path, recipe.max_pixels, fast=recipe.fast)
    return recipe.encoder.prepare(image, recipe.view_set)


def stage_of(error: ImageError) -> Stage:
    """Where an image was lost, by what was raised."""
    if isinstance(error, HashError):
        return Stage.HASH
    return Stage.DECODE if isinstance(error, DecodeError) else Stage.READ
