"""Images, read one at a time and reduced to their scores."""

from __future__ import annotations

import os
from typing import Collection, Iterable, Iterator, NamedTuple, Sequence, Union

import numpy as np
from PIL import Image

from memscan import decode, engines, hashed, hashing
from memscan.attribution.alterations import Alteration, unaltered
from memscan.attributions import Weakness
from memscan.errors import HashError, ImageError
from memscan.fingerprints.correlation import PERIOD, Surface
from memscan.fingerprints.scoring import Bank
from memscan.records import Failure, Progress
from memscan.report import Source
from memscan.sources import given, items
from memscan.sources.directories import Selection
from memscan.sources.given import Count
from memscan.sources.items import Item

LOSSY_FORMATS = frozenset(("JPEG", "MPO", "WEBP", "AVIF", "JPEG2000", "GIF"))
"""Formats that may have changed the pixels since they were made; as Pillow names them."""

Work = Union[str, Item]


class Settings(NamedTuple):
    """How images are read."""

    selection: Selection = Selection()
    max_pixels: int = decode.MAX_PIXELS
    jobs: int | None = None
    progress: Progress | None = None

    def tell(self, phase: str, done: int, total: int) -> None:
        """Report progress to the caller."""
        if self.progress is not None:
            self.progress(phase, done, total)


class Seen(NamedTuple):
    """One image: its scores at all phases (K, PERIOD, PERIOD), and what bears on their worth."""

    path: str
    surfaces: Surface
    format: str
    size: tuple[int, int]

    def weaknesses(self, side: int) -> Iterator[Weakness]:
        """Why its scores by fingerprints of up to ``side`` pixels a side say less than others."""
        if self.format in LOSSY_FORMATS:
            yield Weakness.LOSSY
        if any(length % PERIOD for length in self.size):
            yield Weakness.SIZE
        if min(self.size) < side:
            yield Weakness.SMALL
        if not self.surfaces.any():
            yield Weakness.BLANK


class Read(NamedTuple):
    """The images at some paths, and what could not be read; each in bytewise order.

    ``remote_places`` are the URLs of images and containers that were listed.
    """

    sources: tuple[Source, ...]
    seen: tuple[Seen, ...]
    failures: tuple[Failure, ...]
    remote_places: frozenset[str]


def read(
    paths: Sequence[str],
    role: str,
    bank: Bank,
    settings: Settings,
    alter: Alteration = unaltered,
) -> Read:
    """The scores of all images at some paths; archives and stores are read as anywhere.

    ``role`` is what a path is called in errors and in progress; ``alter`` is done to each image
    before it is scored. Raises InputError for a path
    without images, or of whose images none can be read.
    """
    listings = hashed.separate(given.list_images(paths, settings.selection, role))
    given.require_images(listings, f"a {role}")
    seen: list[Seen] = []
    failures: list[Failure] = []

    def work(some: Iterable[Work]) -> list[Seen | Failure]:
        return [_score(one, bank, settings.max_pixels, alter) for one in some]

    def take(some: Iterable[Work], total: int) -> dict[str, Seen | Failure]:
        taken = {}
        results = engines.map_chunks(work, some, settings.jobs, 1)
        for done, one in enumerate(results, 1):
            taken[one.path] = one
            if isinstance(one, Failure):
                failures.append(one)
            else:
                seen.append(one)
            settings.tell(f"{role}s", done, total)
        return taken

    with decode.pixel_limit(settings.max_pixels):
        loose = given.in_bytewise_order(listings)
        take(loose, len(loose))
        counts = {
            place: _count(take(items.read_container(place, settings.max_pixels), 0).values())
            for place in dict.fromkeys(place for one in listings for place in one.containers)
        }
        entries = {entry.url: entry for one in listings for entry in one.remote}
        remote = take(items.read_remote(list(entries.values())), len(entries))
    counts.update({url: _count([one]) for url, one in remote.items()})
    given.require_readable(listings, failures, counts)
    return Read(
        tuple(Source(one.root, given.found_in(one, counts)) for one in listings),
        tuple(sorted(seen, key=_name)),
        (*given.unlisted(listings), *sorted(failures, key=_name)),
        given.remote_places(listings),
    )


def scored(path: str, image: Image.Image, bank: Bank, alter: Alteration = unaltered) -> Seen:
    """A decoded image, altered and scored. Raises HashError."""
    with hashing.resizable(image):
        try:
            pixels = np.asarray(alter(hashing.rgb(image)))
        except OSError as error:  # Pillow's for a size that a format cannot hold
            raise HashError(f"it cannot be altered: {error}") from error
    return Seen(path, bank.surfaces(pixels), image.format or "", image.size)


def lossy_share(some: Sequence[Seen]) -> float:
    """The share of images in formats that lose, from 0 to 1."""
    return sum(one.format in LOSSY_FORMATS for one in some) / max(1, len(some))


def _score(work: Work, bank: Bank, max_pixels: int, alter: Alteration) -> Seen | Failure:
    try:
        if isinstance(work, str):
            return scored(work, decode.open_image(work, max_pixels).image, bank, alter)
        if isinstance(work.content, Failure):
            return work.content
        return scored(work.uri, items.decoded(work, max_pixels).image, bank, alter)
    except ImageError as error:
        return Failure.of(work if isinstance(work, str) else work.uri, error)


def _count(some: Collection[Seen | Failure]) -> Count:
    lost = tuple(one for one in some if isinstance(one, Failure))
    return Count(len(some), len(some) - len(lost), lost)


def _name(one: Seen | Failure) -> bytes:
    return os.fsencode(one.path)
