"""Targets and sources, embedded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable

import numpy as np
import numpy.typing as npt

from memscan import hashed, vectors, views
from memscan.detectors.protocol import Embeddings
from memscan.intake import Intake
from memscan.learned import LearnedEncoder
from memscan.reference import Reference
from memscan.sources.directories import Selection
from memscan.sources.given import (
    AnyPath,
    as_paths,
    list_images,
    remote_places,
    require_images,
)


@dataclass(frozen=True)
class Collections:
    """The images of both sides that could be read, with what became of the others."""

    encoder: LearnedEncoder
    targets: Reference
    sources: Reference

    @property
    def target_embeddings(self) -> Embeddings:
        """Of shape (M, D), in bytewise order of the names."""
        return vectors.unpack(self.targets.table.hashes, self.encoder.card.dimensions)

    @property
    def source_embeddings(self) -> Embeddings:
        """Of shape (N, D), in bytewise order of the names."""
        return vectors.unpack(self.sources.table.hashes, self.encoder.card.dimensions)

    @property
    def remote_places(self) -> frozenset[str]:
        """The URLs of images and containers on stores that were listed."""
        return remote_places([*self.targets.listings, *self.sources.listings])

    def own_rows(self) -> npt.NDArray[np.int64]:
        """For each target, the row of the source that is the same file, or -1."""
        return self.sources.own_rows(self.targets.table.paths)


def collect(
    targets: AnyPath | Iterable[AnyPath],
    sources: AnyPath | Iterable[AnyPath],
    encoder: LearnedEncoder,
    selection: Selection,
    intake: Intake,
) -> Collections:
    """Embed all images, those of targets that are in the cache or not; what fails is kept, too.

    Raises InputError for a path without images, or of whose images none can be read.
    """
    listings = [
        hashed.separate(list_images(as_paths(paths), selection, role))
        for paths, role in ((targets, "target"), (sources, "source"))
    ]
    require_images(listings[0], "a target")
    both = [
        Reference.hashed(some, intake, phase, views.NONE, encoder)
        for some, phase in zip(listings, ("targets", "source"))
    ]
    return Collections(encoder, *both)
