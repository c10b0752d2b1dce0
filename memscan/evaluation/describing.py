"""From image files to what detectors keep of them and of their edited versions."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Callable, Iterable, Sequence

import numpy as np
from PIL import Image

from memscan import decode, engines, hashing
from memscan.errors import ImageError
from memscan.evaluation.detectors import Detector, Rows
from memscan.evaluation.edits import AS_IS, Edit, key
from memscan.records import Failure, Progress

MOST_PIXELS = 1_000_000
"""Larger images are reduced to so many before anything else."""

_EDITS_AT_ONCE = 8  # edited images in memory for each worker


@dataclass(frozen=True)
class Described:
    """What detectors keep of ``paths``, those of the files that could be read.

    For each detector, ``sources`` holds rows (n, S, ...) of the images in all forms of a source and
    ``targets`` (n, E, ...) of their edited versions. ``seconds`` (detectors, 2) is the time of one
    core for all of either.
    """

    paths: Sequence[str]
    sources: Sequence[Rows]
    targets: Sequence[Rows]
    seconds: Rows
    failures: tuple[Failure, ...]


@dataclass(frozen=True)
class _OfImage:
    sources: list[Rows]
    targets: list[Rows]
    seconds: Rows


def describe(
    paths: Sequence[str],
    detectors: Sequence[Detector],
    edits: Sequence[Edit],
    seed: int,
    *,
    max_pixels: int,
    jobs: int | None,
    progress: Progress | None,
    source_edits: Sequence[Edit] = (AS_IS,),
) -> Described:
    """Decode each image once, edit it in memory, and keep only what the detectors say of it."""

    def work(some: Iterable[str]) -> list[_OfImage | Failure]:
        return [_describe(path, detectors, source_edits, edits, seed, max_pixels) for path in some]

    kept, read, failures = [], [], []
    # Edited images can be larger than the originals, which open_image itself holds to the limit.
    with decode.pixel_limit(max(max_pixels, decode.MAX_PIXELS)):
        for done, result in enumerate(engines.map_chunks(work, paths, jobs, chunk=1), start=1):
            if isinstance(result, Failure):
                failures.append(result)
            else:
                kept.append(result)
                read.append(paths[done - 1])
            if progress is not None:
                progress("images", done, len(paths))
    several = range(len(detectors) if kept else 0)
    return Described(
        read,
        [np.stack([item.sources[number] for item in kept]) for number in several],
        [np.stack([item.targets[number] for item in kept]) for number in several],
        np.sum([item.seconds for item in kept], axis=0),
        tuple(failures),
    )


def open_rgb(path: str, max_pixels: int) -> Image.Image:
    """The image as edits and detectors get it: RGB, at most MOST_PIXELS. Raises ImageError."""
    image = hashing.rgb(decode.open_image(path, max_pixels).image)
    pixels = image.width * image.height
    if pixels > MOST_PIXELS:
        scale = (MOST_PIXELS / pixels) ** 0.5
        size = (max(1, int(image.width * scale)), max(1, int(image.height * scale)))
        image = image.resize(size, Image.Resampling.LANCZOS)
    return image


def _describe(
    path: str,
    detectors: Sequence[Detector],
    source_edits: Sequence[Edit],
    edits: Sequence[Edit],
    seed: int,
    max_pixels: int,
) -> _OfImage | Failure:
    try:
        image = open_rgb(path, max_pixels)
    except ImageError as error:
        return Failure.of(path, error)
    lots = key(image, seed)
    sides = [
        (source_edits, [detector.describe_sources for detector in detectors]),
        (edits, [detector.describe_targets for detector in detectors]),
    ]
    seconds = np.zeros((len(detectors), 2))
    found: list[list[Rows]] = []
    for side, (wanted, ways) in enumerate(sides):
        rows: list[list[Rows]] = [[] for _ in detectors]
        for start in range(0, len(wanted), _EDITS_AT_ONCE):
            edited = [edit.of(image, lots) for edit in wanted[start : start + _EDITS_AT_ONCE]]
            for number, way in enumerate(ways):
                some, spent = _timed(way, edited)
                rows[number].append(some)
                seconds[number, side] += spent
        found.append([np.concatenate(some) for some in rows])
    return _OfImage(found[0], found[1], seconds)


def _timed(
    describe: Callable[[Sequence[Image.Image]], Rows], images: Sequence[Image.Image]
) -> tuple[Rows, float]:
    """Rows, and the time that this thread was at work: others do not count."""
    start = time.thread_time()
    rows = describe(images)
    return rows, time.thread_time() - start
