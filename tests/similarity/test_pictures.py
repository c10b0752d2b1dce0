from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from memscan.detectors import inputs
from memscan.detectors.cards import Input
from memscan.similarity import pictures
from tests.drawing import picture


def _spot(size: tuple[int, int], box: tuple[int, int, int, int]) -> Image.Image:
    image = Image.new("L", size, 0)
    image.paste(255, box)
    return image


@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("size", [(300, 150), (150, 300), (200, 200)])
def test_heat_lies_on_what_the_network_saw(fit: str, size: tuple[int, int]) -> None:
    taken = Input(width=64, height=48, fit=fit, channels=1)
    width, height = size
    spot = _spot(size, (width // 2, height // 3, width * 2 // 3, height // 2))
    heat = pictures.placed(inputs.prepare(spot, taken)[0], taken, size)
    assert heat.shape == (height, width)
    assert np.abs(heat - np.asarray(spot, np.float32) / 255).mean() < 0.02


def test_what_the_network_did_not_see_is_cold() -> None:
    taken = Input(width=32, height=32, fit="crop", channels=1)
    heat = pictures.placed(np.ones((32, 32), np.float32), taken, (90, 30))
    assert (heat[:, :30] == 0).all()
    assert (heat[:, 30:60] == 1).all()
    assert (heat[:, 60:] == 0).all()


def test_cold_places_are_grey_and_hot_ones_coloured() -> None:
    image = Image.new("RGB", (2, 1), (90, 90, 90))
    cold, hot = np.asarray(pictures.overlaid(image, np.array([[0, 1]], np.float32)))[0]
    assert cold.tolist() == [90, 90, 90]
    assert hot[0] > hot[2] > 90  # yellow


def test_colours_are_the_lighter_the_hotter() -> None:
    heat = np.linspace(0, 1, 50, dtype=np.float32)[None]
    light = np.asarray(pictures._coloured(heat)) @ (0.299, 0.587, 0.114)
    assert (np.diff(light[0]) > 0).all()


@pytest.mark.parametrize("mode", ["RGB", "L", "I;16", "RGBA", "1", "P"])
def test_images_of_any_size_and_mode_stand_side_by_side(mode: str) -> None:
    wide, small = picture(0, (900, 90)), picture(1, (20, 40))
    if mode == "I;16":
        target = Image.fromarray(np.arange(9000, dtype=np.uint16).reshape(90, 100))
    else:
        target = wide.convert(mode)
    heats = np.zeros((32, 32), np.float32), np.ones((32, 32), np.float32)
    drawn = pictures.side_by_side(target, small, heats, Input(32, 32))
    assert drawn.mode == "RGB"
    assert drawn.size == (8 * 3 + 320 + 160, 8 * 3 + 2 * 320)


def test_a_line_of_pixels_is_drawn() -> None:
    line = Image.new("L", (1000, 1), 200)
    heats = np.zeros((32, 32), np.float32), np.ones((32, 32), np.float32)
    assert pictures.side_by_side(line, line, heats, Input(32, 32)).size == (664, 26)
