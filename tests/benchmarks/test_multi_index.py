"""Many targets against a large table: the multi-index against comparing all pairs.

MEMSCAN_BENCHMARK_HASHES (1e8 makes the figure worth quoting), _TARGETS and _JUDGE, and _IMAGES: a
directory of photographs whose parts the hashes are then drawn like. Otherwise they are even.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Iterator

import numpy as np
import numpy.typing as npt
import pytest

from memscan import decode, hashing, neighbours, search, streaming
from memscan.hamming import Hashes
from memscan.sources.directories import Selection, find_images
from tests.benchmarks.conftest import Race, Report
from tests.benchmarks.test_chance import _tile

IMAGES = os.environ.get("MEMSCAN_BENCHMARK_IMAGES", "")
JUDGE = bool(os.environ.get("MEMSCAN_BENCHMARK_JUDGE"))
SIZE = int(float(os.environ.get("MEMSCAN_BENCHMARK_HASHES", "1e6")))
TARGETS = int(float(os.environ.get("MEMSCAN_BENCHMARK_TARGETS", "1000")))
RADIUS = 10
BLOCK = 1 << 20


def transforms_of_parts(paths: list[str], parts: int) -> npt.NDArray[np.float32]:
    """The transforms of the tiles of photographs in all eight turns, scaled to one energy."""
    thumbnails = []
    for path in paths:
        image = decode.open_image(path).image.convert("RGB")
        for column in range(parts):
            thumbnails += [
                hashing.thumbnail(_tile(image, column, row, parts)) for row in range(parts)
            ]
    found = hashing.transform(np.stack(thumbnails))
    energy = np.sqrt((found.reshape(-1, 64)[:, 1:] ** 2).sum(axis=1))
    found = found[energy > 0] / energy[energy > 0, None, None]
    signs = np.where(np.arange(8) % 2, -1.0, 1.0)
    found = np.concatenate([found, found * signs])
    found = np.concatenate([found, found * signs[:, None]])
    found = np.concatenate([found, found.transpose(0, 2, 1)])
    every: npt.NDArray[np.float32] = found.reshape(-1, 64).astype(np.float32)
    return every


def drawn_like(
    transforms: npt.NDArray[np.float32], count: int, generator: np.random.Generator
) -> Hashes:
    """Hashes of images that do not exist: one part, with up to half as much of another one.

    Their buckets are as full as those of the parts themselves, and as many pairs come close.
    """
    hashes = np.empty(count, np.uint64)
    for start in range(0, count, 1 << 16):
        size = min(1 << 16, count - start)
        mixed = transforms[generator.integers(0, len(transforms), size)]
        share = generator.random((size, 1), dtype=np.float32) * np.float32(0.5)
        mixed += share * transforms[generator.integers(0, len(transforms), size)]
        hashes[start : start + size] = hashing.pack(mixed.reshape(-1, 8, 8).astype(np.float64))
    return hashes


@pytest.fixture(scope="module")
def table() -> tuple[Hashes, Hashes]:
    """Sources and targets."""
    generator = np.random.default_rng(0)
    if not IMAGES:
        sources = generator.integers(0, 2**64, SIZE, dtype=np.uint64)
        targets = sources[:TARGETS].copy()
        targets ^= np.uint64(0b11)  # so that, as among photographs, each has a neighbour
        return sources, targets
    paths = list(find_images(str(Path(IMAGES)), Selection(True, (), False)).paths)
    transforms = transforms_of_parts(paths, 3)
    return drawn_like(transforms, SIZE, generator), drawn_like(transforms, TARGETS, generator)


@pytest.mark.parametrize("jobs", [1, 2])
def test_many_targets(race: Race, table: tuple[Hashes, Hashes], jobs: int) -> None:
    sources, targets = table
    kind = "like parts of photographs" if IMAGES else "even"
    name = f"{len(targets)} targets, {len(sources):.0e} hashes ({kind}), {jobs} threads"
    ratio = race.ratio(
        f"{name}, against all pairs",
        lambda: search.nearest(targets, sources, radius=RADIUS, jobs=jobs),
        lambda: neighbours.nearest(targets, sources, radius=RADIUS, jobs=jobs),
    )
    assert not JUDGE or ratio > 1


def test_streaming(report: Report, table: tuple[Hashes, Hashes], tmp_path: Path) -> None:
    """One target against a file: compared to reading the file and doing nothing."""
    sources, targets = table
    path = tmp_path / "table"
    sources.tofile(path)
    buffers = [np.empty(BLOCK, np.uint64), np.empty(BLOCK, np.uint64)]

    def blocks() -> Iterator[tuple[int, Hashes]]:
        start = 0
        with path.open("rb", buffering=0) as file:
            while read := file.readinto(buffers[start // BLOCK % 2].data):
                yield start, buffers[start // BLOCK % 2][: read // 8]
                start += BLOCK

    began = time.perf_counter()
    size = sum(len(block) for _, block in blocks())
    between = time.perf_counter()
    found = streaming.nearest(targets[:1], blocks())
    ended = time.perf_counter()
    assert size == len(sources)
    expected = search.nearest(targets[:1], sources)
    assert found.positions.tolist() == expected.positions.tolist()
    megabytes = sources.nbytes / 1e6
    report(
        f"one target, {megabytes:.0f} MB streamed: {megabytes / (ended - between):,.0f} MB/s, "
        f"reading alone {megabytes / (between - began):,.0f} MB/s"
    )
