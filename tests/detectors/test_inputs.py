from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from PIL import Image, ImageOps

from memscan.detectors import inputs
from memscan.detectors.cards import FITS, Input
from memscan.errors import HashError
from tests.drawing import picture

TAKEN = Input(width=24, height=16)


def levels(pixels: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> Image.Image:
    return Image.fromarray(np.rint(pixels.transpose(1, 2, 0) * 255).astype(np.uint8).squeeze())


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("channels", [1, 3])
def test_pixels_are_those_of_pillow(fit: str, channels: int) -> None:
    image = picture(1, (70, 90))
    taken = dataclasses.replace(TAKEN, fit=fit, channels=channels)
    drawn = image if channels == 3 else image.convert("L")
    expected = {
        "stretch": drawn.resize((24, 16), Image.Resampling.BICUBIC),
        "crop": ImageOps.fit(drawn, (24, 16), Image.Resampling.BICUBIC),
        "pad": ImageOps.pad(drawn, (24, 16), Image.Resampling.BICUBIC),
    }[fit]
    pixels = inputs.prepare(image, taken)
    assert pixels.shape == (channels, 16, 24)
    assert pixels.dtype == np.float32
    assert levels(pixels).tobytes() == expected.tobytes()


def test_what_a_fit_leaves_out() -> None:
    """A white image with a red left quarter: the crop loses it, the others do not."""
    image = Image.new("RGB", (400, 100), "white")
    image.paste("red", (0, 0, 100, 100))
    square = Input(width=32, height=32)
    blue = {
        fit: inputs.prepare(image, dataclasses.replace(square, fit=fit))[2].mean() for fit in FITS
    }
    assert blue["crop"] == 1
    assert blue["stretch"] == pytest.approx(0.75, abs=0.02)
    assert blue["pad"] == pytest.approx(0.25 * 0.75, abs=0.02)  # the rest is black


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("size", [(1, 1), (5000, 1), (1, 5000)])
def test_an_image_of_any_shape_keeps_something(fit: str, size: tuple[int, int]) -> None:
    pixels = inputs.prepare(Image.new("L", size, 255), dataclasses.replace(TAKEN, fit=fit))
    assert pixels.shape == (3, 16, 24)
    assert pixels.max() == 1


def test_mean_and_deviation_are_those_of_the_channels() -> None:
    taken = dataclasses.replace(TAKEN, mean=(0.5, 0.25, 0.0), std=(0.5, 0.25, 2.0))
    pixels = inputs.prepare(Image.new("RGB", (9, 9), (255, 0, 51)), taken)
    assert pixels.dtype == np.float32
    np.testing.assert_allclose(pixels[:, 0, 0], [1, -1, 0.1], atol=1e-6)


def test_an_image_is_standardised_by_its_own_pixels() -> None:
    taken = dataclasses.replace(TAKEN, standardised=True)
    pixels = inputs.prepare(picture(2), taken)
    assert pixels.mean() == pytest.approx(0, abs=1e-5)
    assert pixels.std() == pytest.approx(1, abs=1e-4)
    darker = inputs.prepare(picture(2).point(lambda level: level // 2), taken)
    assert np.abs(darker - pixels).max() < 0.1
    flat = inputs.prepare(Image.new("RGB", (40, 40), "gray"), taken)
    assert np.abs(flat).max() < 1e-3  # and not noise made large


def test_batches_are_normalised_image_by_image() -> None:
    taken = dataclasses.replace(TAKEN, standardised=True)
    raw = np.random.default_rng(0).random((3, 3, 16, 24), np.float32)
    raw[1] *= 0.1
    together = inputs.normalised(raw, taken)
    for row, alone in enumerate(raw):
        np.testing.assert_array_equal(together[row], inputs.normalised(alone, taken))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16", "I", "F"])
def test_every_mode_has_pixels(mode: str) -> None:
    image = Image.new(mode, (50, 30))
    for channels in (1, 3):
        pixels = inputs.prepare(image, dataclasses.replace(TAKEN, channels=channels))
        assert pixels.shape == (channels, 16, 24)
        assert np.isfinite(pixels).all()


def test_pixels_that_are_no_numbers_are_a_failure_of_the_image() -> None:
    with pytest.raises(HashError, match="not finite"):
        inputs.prepare(Image.fromarray(np.full((8, 8), np.nan, np.float32)), TAKEN)
