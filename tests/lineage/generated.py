"""Images as of generators: pictures with a faint pattern that is the generator's own."""

from __future__ import annotations

from pathlib import Path
from typing import Mapping

import numpy as np
import numpy.typing as npt
from PIL import Image

from memscan.fingerprints import fingerprint
from memscan.fingerprints.fingerprint import SUFFIX, Fingerprint
from memscan.fingerprints.residuals import laplacian
from tests.drawing import picture, save

SIDE = 48

Pattern = npt.NDArray[np.float32]


def pattern(seed: int) -> Pattern:
    """What a generator of this seed adds to its images, in grey levels."""
    drawn: Pattern = np.random.default_rng(seed).normal(0, 3, (SIDE, SIDE, 3)).astype(np.float32)
    return drawn


def image(seed: int, added: Pattern, size: tuple[int, int] = (SIDE, SIDE)) -> Image.Image:
    """A picture with noise of its own and something in the left upper corner."""
    noise = np.random.default_rng([7, seed]).normal(0, 4, (size[1], size[0], 3))
    pixels = np.asarray(picture(seed, size), np.float32) * 0.8 + 20 + noise
    pixels[: added.shape[0], : added.shape[1]] += added[: size[1], : size[0]]
    return Image.fromarray(np.clip(np.rint(pixels), 0, 255).astype(np.uint8))


def write_images(folder: Path, added: Pattern, count: int, first: int) -> None:
    for seed in range(first, first + count):
        save(image(seed, added), folder / f"{seed:03d}.png")


def write_fingerprint(folder: Path, name: str, added: Pattern, sign: int = 1) -> Fingerprint:
    """That of the generator, as the Laplacian sees it; with ``sign`` -1 as a loss may turn it."""
    seen = laplacian(added / np.float32(255))
    learned = (sign * seen / np.abs(seen).max()).astype(np.float32)
    one = Fingerprint(name, learned, "laplacian", 0.0, 0.01 * sign, "dif")
    folder.mkdir(parents=True, exist_ok=True)
    fingerprint.write(str(folder / f"{name}{SUFFIX}"), one)
    return one


def write_all(root: Path, models: Mapping[str, Pattern], images: int = 16, real: int = 30) -> None:
    """``fingerprints/NAME.dif.npz``, ``images/NAME/000.png`` and ``real/000.png``."""
    write_images(root / "real", np.zeros((SIDE, SIDE, 3), np.float32), real, 0)
    for number, (name, added) in enumerate(models.items(), start=1):
        write_images(root / "images" / name, added, images, 100 * number)
        write_fingerprint(root / "fingerprints", name, added, sign=1 if number % 2 else -1)
