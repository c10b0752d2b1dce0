"""From image files, and edited versions of them, to the embeddings of a learned detector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable, Sequence, Union

import numpy as np

from memscan import decode, engines, hashing
from memscan.detectors.protocol import Detector, Embeddings, Pixels
from memscan.errors import ImageError
from memscan.evaluation.describing import open_rgb
from memscan.evaluation.edits import Edit, key
from memscan.records import Failure, Progress

_AT_ONCE = 64  # images, edited ones too, that the network gets together

_Prepared = Union[Pixels, Failure]


@dataclass(frozen=True)
class Embedded:
    """The embeddings of ``paths``, those of the files that could be read.

    ``rows`` has shape (n, 1 + E, D): each image as it is, then in its E edited versions.
    """

    paths: Sequence[str]
    rows: Embeddings
    failures: tuple[Failure, ...]


def embed(
    paths: Sequence[str],
    detector: Detector,
    edits: Sequence[Edit] = (),
    seed: int = 0,
    *,
    max_pixels: int = decode.MAX_PIXELS,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> Embedded:
    """Decode each image once, in ``jobs`` threads, and embed it and its edited versions."""

    def work(some: Iterable[str]) -> list[_Prepared]:
        return [_prepared(path, detector, edits, seed, max_pixels) for path in some]

    seen = 1 + len(edits)
    kept: list[str] = []
    failures: list[Failure] = []
    waiting: list[Pixels] = []
    found: list[Embeddings] = []
    # Edited images can be larger than the originals, which open_image itself holds to the limit.
    with decode.pixel_limit(max(max_pixels, decode.MAX_PIXELS)):
        prepared = engines.map_chunks(work, paths, jobs, chunk=1, ahead=2 * _AT_ONCE // seen)
        for done, result in enumerate(prepared, start=1):
            if isinstance(result, Failure):
                failures.append(result)
            else:
                kept.append(paths[done - 1])
                waiting.append(result)
            if len(waiting) * seen >= _AT_ONCE or (waiting and done == len(paths)):
                found.append(detector.embed(np.concatenate(waiting)))
                waiting.clear()
            if progress is not None:
                progress("images", done, len(paths))
    flat = np.concatenate(found) if found else np.empty((0, detector.card.dimensions), np.float32)
    return Embedded(kept, flat.reshape(len(kept), seen, flat.shape[1]), tuple(failures))


def _prepared(
    path: str, detector: Detector, edits: Sequence[Edit], seed: int, max_pixels: int
) -> _Prepared:
    """The pixels of an image and of its edited versions, of shape (1 + E, ...)."""
    try:
        if edits:
            image = open_rgb(path, max_pixels)
            lots = key(image, seed)
            drawn = [image, *(edit.of(image, lots) for edit in edits)]
        else:
            drawn = [decode.open_image(path, max_pixels).image]
        with hashing.resizable(drawn[0]):
            return np.stack([detector.prepare(one) for one in drawn])
    except ImageError as error:
        return Failure.of(path, error)
