"""The images of some listings, one after the other: from files, containers and stores."""

from __future__ import annotations

import functools
import hashlib
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Callable, Iterable, Iterator, NamedTuple, Sequence

from PIL import Image

from memscan import csv_lists, decode, hashing
from memscan.errors import ImageError
from memscan.records import Failure
from memscan.report import Source
from memscan.sources import stores, uris
from memscan.sources.directories import Listing
from memscan.sources.given import (
    Count,
    found_in,
    in_bytewise_order,
    remote_places,
    require_readable,
    unlisted,
)

if TYPE_CHECKING:
    from memscan.sources.items import Item


class Read(NamedTuple):
    """One RGB image: its path or URI, and what is the same for images with the same pixels."""

    path: str
    image: Image.Image
    digest: str


@dataclass
class Images:
    """The images of some listings, and what became of those that could not be read.

    They are decoded while they are iterated over, one in memory at a time.
    """

    listings: Sequence[Listing]
    max_pixels: int = decode.MAX_PIXELS
    failures: list[Failure] = field(default_factory=list)
    done: int = 0
    _counts: dict[str, Count] = field(default_factory=dict)

    @property
    def paths(self) -> list[str]:
        """The loose files, whether or not they can be read."""
        return in_bytewise_order(self.listings)

    @property
    def total(self) -> int:
        """How many images there are; 0 where only reading all of them can tell."""
        if any(listing.containers for listing in self.listings):
            return 0
        return sum(len(listing.paths) + len(listing.remote) for listing in self.listings)

    @property
    def names(self) -> str:
        """The paths as given, in one line."""
        return ", ".join(stores.shown(listing.root) for listing in self.listings)

    @property
    def sources(self) -> tuple[Source, ...]:
        """The paths as given, with the number of images at each."""
        return tuple(Source(one.root, found_in(one, self._counts)) for one in self.listings)

    @property
    def remote_places(self) -> frozenset[str]:
        """The URLs of images and containers that were listed."""
        return remote_places(self.listings)

    def possible(self, places: Iterable[str]) -> set[str]:
        """Those of some real paths and URIs that may be images here.

        What a container holds is only known when it is read.
        """
        own = {csv_lists.real(path) for path in self.paths}
        own.update(entry.url for listing in self.listings for entry in listing.remote)
        containers = {path for listing in self.listings for path in listing.containers}
        return {
            place
            for place in places
            if place in own or uris.split_container(place)[1] in containers
        }

    def all_failures(self) -> tuple[Failure, ...]:
        """The directories that could not be listed, and the images that could not be read."""
        return unlisted(self.listings) + tuple(
            sorted(self.failures, key=lambda failure: os.fsencode(failure.path))
        )

    def __iter__(self) -> Iterator[Read]:
        """Raises InputError at the end, where a path gave no image that can be read."""
        for path in self.paths:
            load = functools.partial(decode.open_image, path, self.max_pixels, colour=True)
            yield from self._read(path, load)
        containers = [path for listing in self.listings for path in listing.containers]
        entries = {entry.url: entry for listing in self.listings for entry in listing.remote}
        if containers or entries:
            from memscan.sources import items  # much code for what few probes need

            for path in dict.fromkeys(containers):
                yield from self._read_items(path, items.read_container(path, self.max_pixels))
            for item in items.read_remote(list(entries.values())):
                yield from self._read_items(item.uri, [item])
        require_readable(self.listings, self.failures, self._counts)

    def _read_items(self, place: str, some: Iterable[Item]) -> Iterator[Read]:
        """The images of a container, or the one behind a URL."""
        from memscan.sources import items

        done, before = self.done, len(self.failures)
        for item in some:
            if isinstance(item.content, Failure):
                self.done += 1
                self.failures.append(item.content)
            else:
                load = functools.partial(items.decoded, item, self.max_pixels, colour=True)
                yield from self._read(item.uri, load)
        lost = tuple(self.failures[before:])
        self._counts[place] = Count(self.done - done, self.done - done - len(lost), lost)

    def _read(self, path: str, load: Callable[[], decode.Decoded]) -> Iterator[Read]:
        self.done += 1
        try:
            image = in_colour(load().image)
        except ImageError as error:
            self.failures.append(Failure.of(path, error))
            return
        pixels = hashlib.sha256(f"{image.width} {image.height} ".encode() + image.tobytes())
        yield Read(path, image, pixels.hexdigest())


def in_colour(image: Image.Image) -> Image.Image:
    """The image in 8-bit RGB, as a model takes it. Raises HashError."""
    with hashing.resizable(image):
        return hashing.rgb(image)
