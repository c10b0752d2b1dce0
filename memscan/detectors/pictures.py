"""The images that a network is trained on: read once, and kept as long as memory is allowed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Sequence

import numpy as np
import numpy.typing as npt

from memscan import decode, hashing
from memscan.detectors import inputs
from memscan.detectors.cards import Input
from memscan.errors import ImageError, InputError
from memscan.records import Failure, Progress

Bytes = npt.NDArray[np.uint8]

KEPT_BYTES = 1 << 31
"""Pixels of all images together that are kept in memory; the rest is decoded each time."""


@dataclass
class Pictures:
    """Images by row, as RGB of one size."""

    paths: Sequence[str]
    wanted: Input
    max_pixels: int = decode.MAX_PIXELS
    kept_bytes: int = KEPT_BYTES
    _kept: dict[int, Bytes] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.paths)

    def pixels(self, rows: Sequence[int]) -> Bytes:
        """Pixels from 0 to 255 of shape (n, 3, height, width), of images that were read before.

        Raises InputError for one that cannot be read any more.
        """
        return np.stack([self._read_before(row) for row in rows])

    def picture(self, row: int) -> Bytes:
        """Pixels from 0 to 255 of shape (3, height, width). Raises ImageError."""
        found = self._kept.get(row)
        if found is None:
            image = decode.open_image(self.paths[row], self.max_pixels).image
            with hashing.resizable(image):
                drawn = inputs.resized(hashing.rgb(image), self.wanted)
            found = np.ascontiguousarray(np.asarray(drawn, np.uint8).transpose(2, 0, 1))
            if (len(self._kept) + 1) * found.nbytes <= self.kept_bytes:
                self._kept[row] = found
        return found

    def _read_before(self, row: int) -> Bytes:
        try:
            return self.picture(row)
        except ImageError as error:
            raise InputError(f"{self.paths[row]}: was read before, and now not: {error}") from error


def readable(
    paths: Sequence[str],
    wanted: Input,
    max_pixels: int = decode.MAX_PIXELS,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> tuple[Pictures, list[int], list[Failure]]:
    """Those of some images that can be read, their places among all, and why the others cannot."""
    whole = Pictures(paths, wanted, max_pixels)
    failures: dict[int, Failure] = {}

    def attempt(row: int) -> None:
        try:
            whole.picture(row)
        except ImageError as error:
            failures[row] = Failure.of(paths[row], error)

    with ThreadPoolExecutor(jobs) as pool:
        for done, _ in enumerate(pool.map(attempt, range(len(paths))), 1):
            if progress is not None:
                progress("images", done, len(paths))
    places = [row for row in range(len(paths)) if row not in failures]
    pictures = Pictures([paths[row] for row in places], wanted, max_pixels)
    pictures._kept.update(
        {new: whole._kept[old] for new, old in enumerate(places) if old in whole._kept}
    )
    return pictures, places, [failures[row] for row in sorted(failures)]
