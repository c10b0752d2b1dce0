"""The crops that a fingerprint is learned from, and those that tell how good it is."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Mapping, NamedTuple, Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from memscan import decode, hashing
from memscan.detectors.dif.recipe import Recipe
from memscan.errors import HashError, ImageError, InputError
from memscan.fingerprints import crops
from memscan.fingerprints.correlation import standardised
from memscan.fingerprints.crops import Bytes
from memscan.fingerprints.residuals import Residual
from memscan.records import Failure, Progress

LEAST = 4
"""Images of a class: two to compare, and some to measure with."""


@dataclass(frozen=True)
class Class:
    """Images of one class, those held out apart from those learned from.

    Crops are uint8 of shape (n, side, side, 3); ``formats`` counts the file formats of all.
    """

    learned: Bytes
    held_out: Bytes
    formats: Mapping[str, int]
    failures: Sequence[Failure]


class Residuals(NamedTuple):
    """Residuals of both classes, float32 of shape (n, side * side * 3), standardised each."""

    real: npt.NDArray[np.float32]
    fake: npt.NDArray[np.float32]


def read(
    paths: Sequence[str],
    role: str,
    recipe: Recipe,
    max_pixels: int = decode.MAX_PIXELS,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> Class:
    """The crops of a class, drawn from the images at ``paths``.

    ``role`` is what the images are called in the sentence about too few of them. Raises InputError
    for that.
    """
    drawn = np.random.default_rng([recipe.seed, 0xD1F]).permutation(len(paths))[: recipe.images]

    def attempt(row: int) -> tuple[Bytes, str] | Failure:
        try:
            image = decode.open_image(paths[row], max_pixels).image
            return _crop(image, recipe.crop), image.format or ""
        except ImageError as error:
            return Failure.of(paths[row], error)

    found, formats, failures = [], [], []
    with ThreadPoolExecutor(jobs) as pool:
        for done, one in enumerate(pool.map(attempt, drawn.tolist()), 1):
            if isinstance(one, Failure):
                failures.append(one)
            else:
                found.append(one[0])
                formats.append(one[1])
            if progress is not None:
                progress("images", done, len(drawn))
    if len(found) < LEAST:
        first = f" (first {failures[0].path}: {failures[0].message})" if failures else ""
        raise InputError(
            f"of the {role} images {len(found)} can be used, and at least {LEAST} are needed{first}"
        )
    apart = min(max(1, round(recipe.held_out * len(found))), len(found) - 2)
    return Class(
        np.stack(found[apart:]),
        np.stack(found[:apart]),
        {name: formats.count(name) for name in sorted(set(formats))},
        failures,
    )


def _crop(image: Image.Image, side: int) -> Bytes:
    """A square in the middle. Raises HashError where the image is smaller."""
    if min(image.size) < side:
        raise HashError(
            f"{image.width} x {image.height} pixels are less than the crop of {side} x {side}"
        )
    with hashing.resizable(image):
        return crops.middle(np.asarray(hashing.rgb(image)), side).copy()  # the rest can go


def residuals(images: Bytes, residual: Residual) -> npt.NDArray[np.float32]:
    """The standardised residuals of crops, each as one row."""
    rows = np.empty((len(images), images[0].size), np.float32)
    for row, image in zip(rows, images):
        row[:] = standardised(residual(crops.scaled(image))).ravel()
    return rows


def format_warnings(real: Mapping[str, int], fake: Mapping[str, int]) -> list[str]:
    """What to say of file formats by which the classes could be told apart instead."""
    if set(real) != set(fake):
        return [
            f"the real images are {_listed(real)} and the generated ones {_listed(fake)}: what a "
            "format does to images may be learned instead of what the generator leaves; give both "
            "in one format, and with one history of compression"
        ]
    if "JPEG" in real:
        return ["there are JPEG images, and JPEG takes away most of what a generator leaves"]
    return []


def _listed(formats: Mapping[str, int]) -> str:
    return ", ".join(f"{name} ({count})" for name, count in formats.items())
