"""Parts of photographs in memory: what training pairs are cut from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from memscan import decode, engines, hashing
from memscan.errors import ImageError, InputError
from memscan.records import Failure, Progress

MARGIN = 1.5
"""The side of a tile by that of the windows that are cut from it."""

MOST_BYTES = 1 << 32
"""Of the tiles of all photographs together: with very many of these, each has fewer."""

_LEAST_AREA = 0.15  # of a photograph
_LONGEST = 4 / 3  # the aspect of a part by that of its photograph, or the other way round

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Tiles:
    """Grey parts of photographs, uint8 of shape (photographs, tiles, side, side).

    The first tile of each photograph is the whole of it. ``paths`` are the photographs.
    """

    pixels: torch.Tensor
    paths: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.paths)

    def of(self, chosen: npt.NDArray[np.int64]) -> Tiles:
        """The tiles of some photographs."""
        rows = chosen.tolist()
        return Tiles(self.pixels[rows], tuple(self.paths[row] for row in rows))

    def to(self, device: torch.device) -> Tiles:
        """The same on another device."""
        return Tiles(self.pixels.to(device), self.paths)


def read(
    paths: Sequence[str],
    window: int,
    count: int,
    seed: int,
    *,
    max_pixels: int = decode.MAX_PIXELS,
    progress: Progress | None = None,
) -> tuple[Tiles, tuple[Failure, ...]]:
    """``count`` tiles of each photograph, for windows of a side, and what could not be read.

    They are fewer where so many would have more than :data:`MOST_BYTES`, but at least one. The same
    photographs, in any order, with the same seed give the same tiles each. Raises InputError where
    fewer than two can be read.
    """
    side = round(MARGIN * window)
    count = max(1, min(count, MOST_BYTES // (max(1, len(paths)) * side**2)))

    def tiles_of(some: Iterable[str]) -> list[Bytes | Failure]:
        return [_tiles_of(path, side, count, seed, max_pixels) for path in some]

    pixels = np.empty((len(paths), count, side, side), np.uint8)
    read: list[str] = []
    failures: list[Failure] = []
    for done, (path, result) in enumerate(zip(paths, engines.map_chunks(tiles_of, paths)), 1):
        if isinstance(result, Failure):
            failures.append(result)
        else:
            pixels[len(read)] = result
            read.append(path)
        if progress is not None:
            progress("reading", done, len(paths))
    if len(read) < 2:
        raise InputError(f"training needs two images or more, and {len(read)} could be read")
    return Tiles(torch.from_numpy(pixels[: len(read)]), tuple(read)), tuple(failures)


def _tiles_of(path: str, side: int, count: int, seed: int, max_pixels: int) -> Bytes | Failure:
    try:
        image = hashing.luminance(decode.open_image(path, max_pixels).image)
    except ImageError as error:
        return Failure.of(path, error)
    rng = np.random.default_rng([seed, image.width, image.height, *_content(image)])
    boxes = [(0.0, 0.0, float(image.width), float(image.height))]
    boxes += [_part(rng, image.width, image.height) for _ in range(count - 1)]
    drawn = [image.resize((side, side), Image.Resampling.BICUBIC, box) for box in boxes]
    return np.stack([np.asarray(tile, np.uint8) for tile in drawn])


def _content(image: Image.Image) -> list[int]:
    """Numbers that belong to the pixels, so that parts depend on no order or name."""
    return list(image.resize((4, 4), Image.Resampling.BOX).tobytes())


def _part(rng: np.random.Generator, width: int, height: int) -> tuple[float, float, float, float]:
    share = np.sqrt(rng.uniform(_LEAST_AREA, 1))
    aspect = np.exp(rng.uniform(-np.log(_LONGEST), np.log(_LONGEST)) / 2)
    part_width = width * min(1.0, share * aspect)
    part_height = height * min(1.0, share / aspect)
    left = rng.uniform(0, width - part_width)
    upper = rng.uniform(0, height - part_height)
    return left, upper, left + part_width, upper + part_height
