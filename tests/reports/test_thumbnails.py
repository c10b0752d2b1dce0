from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from memscan.reports import thumbnails
from memscan.reports.thumbnails import Drawing
from tests.drawing import picture, save


def shown(tmp_path: Path, image: Image.Image, name: str) -> Image.Image:
    """The picture that the page would show of the image."""
    (found,) = thumbnails.thumbnails([Drawing(save(image, tmp_path / name))], 10**7)
    assert found is not None
    drawn = Image.open(io.BytesIO(base64.b64decode(found.data)))
    assert drawn.size == (found.width, found.height)
    return drawn.convert("RGB")


def test_deep_images_are_scaled_and_not_clipped(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 64 * 64).reshape(64, 64)
    for pixels, name in ((ramp.astype(np.uint16), "a.png"), (ramp.astype(np.float32), "a.tif")):
        grey = np.asarray(shown(tmp_path, Image.fromarray(pixels), name))
        assert grey[0].mean() < 10
        assert 100 < grey[32].mean() < 155
        assert grey[-1].mean() > 245


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "RGB"])
def test_every_mode_is_shown(tmp_path: Path, mode: str) -> None:
    name = "a.tif" if mode == "CMYK" else "a.png"
    assert max(shown(tmp_path, picture(1, mode=mode), name).size) <= thumbnails.SIDE


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_lies_on_grey(tmp_path: Path, mode: str) -> None:
    clear = Image.new(mode, (40, 30), 0)
    assert np.abs(np.asarray(shown(tmp_path, clear, "a.png")).astype(int) - 128).max() <= 2


def test_a_jpeg_keeps_its_colours(tmp_path: Path) -> None:
    red = np.asarray(shown(tmp_path, Image.new("RGB", (2000, 1500), (220, 30, 30)), "a.jpg"))
    assert red.shape == (180, 240, 3)
    assert red[..., 0].min() > 200
    assert red[..., 1].max() < 60


@pytest.mark.parametrize("size", [(1, 1), (100_000, 1), (1, 100_000)], ids=["dot", "wide", "tall"])
def test_narrow_images_are_shown(tmp_path: Path, size: tuple[int, int]) -> None:
    assert max(shown(tmp_path, Image.new("RGB", size), "a.png").size) <= thumbnails.SIDE


def test_noise_is_made_small_enough(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (500, 400, 3), dtype=np.uint8)
    drawn = save(Image.fromarray(noise), tmp_path / "noise.png")
    (found,) = thumbnails.thumbnails([Drawing(drawn)], 10**6)
    assert found is not None
    assert len(base64.b64decode(found.data)) <= thumbnails.MAX_BYTES


def test_each_path_has_its_picture_in_order(tmp_path: Path) -> None:
    sizes = [(20 + n, 30) for n in range(40)]
    paths = [save(picture(n, size), tmp_path / f"{n}.png") for n, size in enumerate(sizes)]
    found = list(
        thumbnails.thumbnails(
            [Drawing(path) for path in [*paths, str(tmp_path / "missing")]], 10**6
        )
    )
    assert [(p.width, p.height) for p in found if p] == sizes
    assert found[-1] is None
