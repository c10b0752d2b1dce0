"""What an evaluation is asked for: detectors, and the images that it reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable, Sequence

import numpy as np

from memscan import decode, engines
from memscan.errors import InputError
from memscan.evaluation import detectors as known_detectors
from memscan.evaluation.describing import Described, describe
from memscan.evaluation.detectors import Detector
from memscan.evaluation.edits import AS_IS, Edit
from memscan.evaluation.learned_detectors import NO_WEIGHTS, Weights
from memscan.records import Failure, Progress
from memscan.report import Source
from memscan.sources.directories import Listing, Selection
from memscan.sources.given import (
    AnyPath,
    as_paths,
    in_bytewise_order,
    list_images,
    require_files,
    require_readable,
    unlisted,
)


@dataclass(frozen=True)
class Request:
    """How an evaluation is to be made, whatever it is of.

    ``jobs`` is the number of workers (all cores by default) and changes nothing in the result;
    ``progress`` is called with a phase, the images done and their number. ``weights`` are those of
    networks, each of which is evaluated.
    """

    detectors: Sequence[str] = ("phash",)
    weights: Weights = NO_WEIGHTS
    seed: int = 0
    max_pixels: int = decode.MAX_PIXELS
    jobs: int | None = None
    progress: Progress | None = None

    def chosen(self) -> list[Detector]:
        """The detectors by their names. Raises InputError."""
        engines.check(self.jobs)
        if self.seed < 0:
            raise InputError("the seed must not be negative")
        return known_detectors.choose(self.detectors, self.weights)

    def describe(
        self,
        paths: Sequence[str],
        detectors: Sequence[Detector],
        edits: Sequence[Edit],
        source_edits: Sequence[Edit] = (AS_IS,),
    ) -> Described:
        """What the detectors keep of images and of their edited versions."""
        return describe(
            paths,
            detectors,
            edits,
            self.seed,
            max_pixels=self.max_pixels,
            jobs=self.jobs,
            progress=self.progress,
            source_edits=source_edits,
        )


DEFAULT = Request()

DIRECTLY = Selection()
"""The files of given directories, not of those below them."""


@dataclass(frozen=True)
class Listed:
    """The image files of an evaluation: those that it uses, and what is to be said of the others.

    ``left_out`` counts those that a limit left out.
    """

    paths: Sequence[str]
    left_out: int
    sources: tuple[Source, ...]
    unlisted: tuple[Failure, ...]
    _listings: Sequence[Listing]

    def require_four(self, described: Described) -> None:
        """Raise InputError unless four images could be read."""
        if not described.paths:
            require_readable(self._listings, described.failures)
        count = len(described.paths)
        if count < 4:
            raise InputError(f"an evaluation needs four images that can be read, here are {count}")


def list_some(
    images: AnyPath | Iterable[AnyPath], selection: Selection, limit: int | None, seed: int
) -> Listed:
    """The image files of these paths, or ``limit`` drawn by the seed. Raises InputError."""
    listings = list_images(as_paths(images), selection, "directory")
    require_files(listings, "evaluate")
    every = in_bytewise_order(listings)
    paths = _sample(every, limit, seed)
    return Listed(
        paths,
        sum(len(listing.paths) for listing in listings) - len(paths),
        tuple(Source(listing.root, len(listing.paths)) for listing in listings),
        unlisted(listings),
        listings,
    )


def _sample(paths: Sequence[str], limit: int | None, seed: int) -> list[str]:
    """So many of the paths, drawn by the seed, in their order."""
    if limit is None or limit >= len(paths):
        return list(paths)
    drawn = np.random.default_rng([seed, 0x11417]).permutation(len(paths))[:limit]
    return [paths[row] for row in np.sort(drawn).tolist()]
