"""Generators that are drawn: noisy pictures, to which each adds a pattern of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from memscan.fingerprints import fingerprint
from memscan.fingerprints.fingerprint import Fingerprint
from tests.drawing import save

SIDE = 64
STRENGTH = 0.6  # of the pattern, in grey levels; the noise has 2


def tile(name: str) -> npt.NDArray[np.float32]:
    """A pattern of 8 x 8 pixels, another one for each name, with mean 0 and deviation 1."""
    values = np.random.default_rng(list(name.encode())).normal(size=(8, 8, 3))
    values -= values.mean(axis=(0, 1))
    return np.asarray(values / values.std(), np.float32)


def pattern(name: str, side: int = SIDE) -> npt.NDArray[np.float32]:
    """What a generator of this name leaves, of shape (side, side, 3)."""
    repeats = -(-side // 8)
    return np.tile(tile(name), (repeats, repeats, 1))[:side, :side]


def drawn(seed: int, name: str | None = None, size: tuple[int, int] = (SIDE, SIDE)) -> Image.Image:
    """A picture of this width and height: real, or with a generator's pattern."""
    random = np.random.default_rng(seed)
    clouds = Image.fromarray(random.integers(60, 200, (5, 5, 3), dtype=np.uint8))
    pixels = np.asarray(clouds.resize(size, Image.Resampling.BICUBIC), np.float64)
    pixels = pixels + random.normal(0, 2, pixels.shape)
    if name is not None:
        pixels += STRENGTH * pattern(name, max(size))[: size[1], : size[0]]
    return Image.fromarray(np.clip(np.rint(pixels), 0, 255).astype(np.uint8))


def learned(name: str, sign: int = 1, side: int = SIDE, residual: str = "laplacian") -> Fingerprint:
    """The fingerprint of a generator, as good as training could make it."""
    return Fingerprint(
        name, np.tanh(sign * pattern(name, side)), residual, 0.0, 0.06 * sign, "dif", {}
    )


def write_fingerprint(folder: Path, name: str, sign: int = 1) -> str:
    """The file of its fingerprint."""
    folder.mkdir(parents=True, exist_ok=True)
    path = str(folder / f"{name}{fingerprint.SUFFIX}")
    fingerprint.write(path, learned(name, sign))
    return path


def draw_into(folder: Path, count: int, name: str | None = None, first: int = 0) -> list[str]:
    """Pictures numbered from ``first``, as PNG."""
    return [
        save(drawn(seed, name), folder / f"{seed:03}.png") for seed in range(first, first + count)
    ]
