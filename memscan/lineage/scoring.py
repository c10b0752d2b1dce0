"""The scores of images by several fingerprints, each by several residuals."""

from __future__ import annotations

from typing import Iterable, NamedTuple, Sequence

import numpy as np
import numpy.typing as npt

from memscan import decode, engines
from memscan.errors import ImageError
from memscan.fingerprints import crops
from memscan.fingerprints.correlation import standardised
from memscan.fingerprints.fingerprint import Fingerprint
from memscan.fingerprints.residuals import RESIDUALS, Pixels, residual_of
from memscan.records import Failure, Progress

Scores = npt.NDArray[np.float64]

OWN = "own"
"""The name that stands for the residual that each fingerprint was learned from."""


class Scored(NamedTuple):
    """What came of some images: of those read, the scores and the file formats in their order.

    ``scores`` is of shape (images, residuals, fingerprints). They rise with the likeness to what
    the fingerprint's generator makes, whatever the sign of its pattern.
    """

    scores: Scores
    formats: tuple[str, ...]
    failures: tuple[Failure, ...]


class Comparison:
    """Images compared with each fingerprint by each residual; all patterns have one side."""

    def __init__(self, fingerprints: Sequence[Fingerprint], residuals: Sequence[str]) -> None:
        self._side = fingerprints[0].side
        self._patterns = [_oriented(one) for one in fingerprints]
        self._residuals = residuals
        self._own = [residual_of(one) for one in fingerprints] if OWN in residuals else []

    def score(
        self,
        paths: Sequence[str],
        max_pixels: int,
        jobs: int | None = None,
        progress: Progress | None = None,
        phase: str = "images",
    ) -> Scored:
        """Score the middle of each image; one that cannot be read or is too small is a failure."""
        found: list[list[list[float]]] = []
        formats: list[str] = []
        failures: list[Failure] = []

        def some(chunk: Iterable[str]) -> list[tuple[list[list[float]], str] | Failure]:
            return [self._one(path, max_pixels) for path in chunk]

        with decode.pixel_limit(max_pixels):
            for done, one in enumerate(engines.map_chunks(some, paths, jobs), start=1):
                if isinstance(one, Failure):
                    failures.append(one)
                else:
                    found.append(one[0])
                    formats.append(one[1])
                if progress is not None:
                    progress(phase, done, len(paths))
        shape = (len(found), len(self._residuals), len(self._patterns))
        return Scored(np.array(found, np.float64).reshape(shape), tuple(formats), tuple(failures))

    def _one(self, path: str, max_pixels: int) -> tuple[list[list[float]], str] | Failure:
        try:
            image = decode.open_image(path, max_pixels).image
            pixels = crops.middle(image, self._side)
        except ImageError as error:
            return Failure.of(path, error)
        return [self._by(name, pixels) for name in self._residuals], image.format or ""

    def _by(self, residual: str, pixels: Pixels) -> list[float]:
        """The score by each fingerprint, summed without BLAS, whose order depends on threads."""
        if residual == OWN:
            taken = {make: standardised(make(pixels)) for make in self._own}
            left = [taken[make] for make in self._own]
        else:
            left = [standardised(RESIDUALS[residual](pixels))] * len(self._patterns)
        return [
            float((one * pattern).mean(dtype=np.float64))
            for one, pattern in zip(left, self._patterns)
        ]


def _oriented(fingerprint: Fingerprint) -> Pixels:
    """The pattern with which images of its generator correlate more than real ones."""
    sign = np.float32(1 if fingerprint.mean_fake >= fingerprint.mean_real else -1)
    return sign * standardised(fingerprint.pattern)
