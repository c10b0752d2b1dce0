"""How images are hashed: a recipe, and what hashes some of them by it."""

from __future__ import annotations

import functools
import os
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Iterable,
    Iterator,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
    Union,
)

from PIL import Image

from memscan import decode, views
from memscan.encoders import KNOWN, PHASH, Encoder
from memscan.errors import ImageError
from memscan.records import Failure, HashedImage
from memscan.stamps import Stamp, settled
from memscan.views import ViewSet

if TYPE_CHECKING:
    from memscan.sources.items import Item

Outcome = Union[HashedImage, Failure]
Stamped = Tuple[Optional[Stamp], Outcome]
Loader = Callable[[], decode.Decoded]
"""Decodes an image. Raises ImageError."""
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


def hash_all(
    some: Iterable[tuple[str, Loader | Failure]], encoder: Encoder, view_set: ViewSet
) -> list[tuple[str, Outcome]]:
    """Hash some named images; each gives its name, and its hash or its failure, in order.

    Several at a time, because the work on thumbnails is so short that threads would spend more
    time in passing the interpreter lock to each other than in it. No image is held while the next
    one is decoded: its memory is then used again, which is a sixth faster at 3 megapixels than
    getting fresh pages.
    """
    names: list[str] = []
    lost: list[Failure | None] = []
    prepared = []
    for name, load in some:
        names.append(name)
        if isinstance(load, Failure):
            lost.append(load)
            continue
        try:
            prepared.append(encoder.prepare(load(), view_set))
            lost.append(None)
        except ImageError as error:
            lost.append(Failure.of(name, error))
    hashed = iter(encoder.finish(prepared, view_set))
    outcomes = (next(hashed) if failure is None else failure for failure in lost)
    return list(zip(names, outcomes))


def hash_items(some: Iterable[Item], recipe: Recipe) -> list[Named]:
    """Hash some images; each gives its URI, its mapping, and its hash or its failure."""
    mappings: list[str] = []

    def loaders() -> Iterator[tuple[str, Loader | Failure]]:
        for item in some:
            mappings.append(item.mapping)
            yield item.uri, item_loader(item, recipe.max_pixels, fast=recipe.fast)

    hashed = hash_all(loaders(), recipe.encoder, recipe.view_set)
    return [(uri, mapping, outcome) for (uri, outcome), mapping in zip(hashed, mappings)]


def item_loader(item: Item, max_pixels: int, *, fast: bool = False) -> Loader | Failure:
    """What decodes an item, or why there is nothing to decode."""
    from memscan.sources import items  # much code for what few scans need

    if isinstance(item.content, Failure):
        return item.content
    return functools.partial(items.decoded, item, max_pixels, fast=fast)


def hash_files(paths: Iterable[str], recipe: Recipe) -> list[Stamped]:
    """Hash some image files; each gives its stamp, and its hash or its failure, in order."""
    stamps: list[Stamp | None] = []

    def loaders() -> Iterator[tuple[str, Loader | Failure]]:
        for path in paths:
            stamps.append(settled(path))  # before the file is read: a change meanwhile shows
            yield path, file_loader(path, recipe.max_pixels, fast=recipe.fast)

    hashed = hash_all(loaders(), recipe.encoder, recipe.view_set)
    return [(stamp, outcome) for stamp, (_, outcome) in zip(stamps, hashed)]


def file_loader(path: str, max_pixels: int, *, fast: bool = False) -> Loader:
    """What decodes an image file."""
    return functools.partial(decode.open_image, path, max_pixels, fast=fast)
