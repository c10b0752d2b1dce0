"""Images drawn by code: every seed gives another picture, as unlike the rest as photographs."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def picture(seed: int, size: tuple[int, int] = (96, 64), mode: str = "RGB") -> Image.Image:
    """A cloud of colours with the hash of a photograph: all bits firm."""
    generator = np.random.default_rng(seed)
    clouds = generator.integers(0, 256, (9, 12, 3), dtype=np.uint8)
    return Image.fromarray(clouds).resize(size, Image.Resampling.BICUBIC).convert(mode)


def save(image: Image.Image, path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)
    return str(path)


def claim_size(path: Path, width: int, height: int) -> None:
    """A PNG of a few bytes whose header claims a size that it does not hold."""
    save(Image.new("1", (1, 1)), path)
    data = bytearray(path.read_bytes())
    data[16:24] = struct.pack(">II", width, height)
    data[29:33] = struct.pack(">I", zlib.crc32(bytes(data[12:29])))
    path.write_bytes(bytes(data))


def shipped_photographs() -> list[str]:
    """The photographs that scikit-image and scikit-learn install."""
    skimage = pytest.importorskip("skimage", reason="scikit-image is not installed")
    sklearn = pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    folders = (
        Path(skimage.__file__).parent / "data",
        Path(sklearn.__file__).parent / "datasets" / "images",
    )
    return sorted(
        str(path)
        for folder in folders
        for path in folder.iterdir()
        if path.suffix in (".png", ".jpg", ".gif")
    )


needs_posix = pytest.mark.skipif(os.name != "posix", reason="needs a POSIX system")
