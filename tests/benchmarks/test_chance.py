"""The chance level against unrelated photographs: fitted on one half, counted on the other.

Set MEMSCAN_BENCHMARK_IMAGES to a directory of photographs without copies of each other. Parts of
different photographs are unrelated as well, and give many more pairs.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Callable

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from scipy.stats import chi2

from memscan import decode, hamming, hashing
from memscan.evidence import chance, detail
from memscan.sources.directories import Selection, find_images

IMAGES = os.environ.get("MEMSCAN_BENCHMARK_IMAGES", "")
DISTANCES = range(10, 21, 2)


def hashes_of_parts(
    paths: list[str], parts: int
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    """The hashes of the parts x parts tiles of each photograph, and whose they are."""
    thumbnails, owners = [], []
    for owner, path in enumerate(paths):
        image = decode.open_image(path).image.convert("RGB")
        for column in range(parts):
            for row in range(parts):
                thumbnails.append(hashing.thumbnail(_tile(image, column, row, parts)))
                owners.append(owner)
    stack = np.stack(thumbnails)
    coefficients = hashing.transform(stack)
    firm = ~detail.low_information(stack, coefficients)
    return hashing.phashes(stack, coefficients)[firm], np.array(owners)[firm]


def _tile(image: Image.Image, column: int, row: int, parts: int) -> Image.Image:
    width, height = image.size
    left, upper = column * width // parts, row * height // parts
    return image.crop((left, upper, (column + 1) * width // parts, (row + 1) * height // parts))


@pytest.mark.skipif(not IMAGES, reason="MEMSCAN_BENCHMARK_IMAGES names no photographs")
@pytest.mark.parametrize("parts", [1, 2, 3])
@pytest.mark.parametrize("seed", [0, 1])
def test_chance_level(report: Callable[[str], None], parts: int, seed: int) -> None:
    paths = list(find_images(str(Path(IMAGES)), Selection(True, (), False)).paths)
    hashes, owners = hashes_of_parts(paths, parts)
    in_first = np.random.default_rng(seed).permutation(len(paths)) < len(paths) // 2
    expected, observed = np.zeros(33), np.zeros(33)
    for own, hash in zip(owners, hashes):
        others = owners != own
        first, second = (hashes[others & (in_first[owners] == half)] for half in (True, False))
        target = np.array([hash])
        fitted = chance.expected(hamming.histograms(target, first))[0]
        expected += fitted * len(second) / len(first)
        observed += hamming.histograms(target, second)[0, ::2]
    report(f"{len(hashes):,} images, {int(observed.sum()):,} pairs counted, seed {seed}")
    for distance in DISTANCES:
        seen, foreseen = int(observed[distance // 2]), expected[distance // 2]
        low = chi2.ppf(0.025, 2 * seen) / 2 if seen else 0.0
        high = chi2.ppf(0.975, 2 * seen + 2) / 2
        report(
            f"  distance {distance}: expected {foreseen:,.1f}, observed {seen:,} "
            f"(95 % interval {low:,.1f} to {high:,.1f})"
        )
        assert foreseen / 3 <= seen <= foreseen * 3 or low <= foreseen <= high
