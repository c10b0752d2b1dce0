from __future__ import annotations

import imagehash
import numpy as np
import pytest
from PIL import Image, ImageDraw

from memscan.evidence import detail
from memscan.evidence.detail import FIRM_BITS, firm_bits, low_information
from memscan.hashing import thumbnail, transform
from tests.drawing import picture, shipped_photographs


def low(image: Image.Image) -> bool:
    stack = thumbnail(image)[None]
    return bool(low_information(stack, transform(stack))[0])


def noise(size: int, deviation: float) -> Image.Image:
    values = np.random.default_rng(0).normal(128, deviation, (size, size))
    return Image.fromarray(np.clip(values, 0, 255).round().astype(np.uint8))


def dot(radius: int, colour: str) -> Image.Image:
    image = Image.new("RGB", (512, 512), "white")
    ImageDraw.Draw(image).ellipse((200, 200, 200 + radius, 200 + radius), fill=colour)
    return image


def faint_box(ground: int) -> Image.Image:
    image = Image.new("L", (128, 128), ground)
    ImageDraw.Draw(image).rectangle((30, 20, 90, 70), fill=ground + 5)
    return image


def ramp(height: int, lowest: int, highest: int) -> Image.Image:
    row = np.linspace(lowest, highest, 256).astype(np.uint8)
    return Image.fromarray(np.tile(row, (height, 1)))


@pytest.mark.parametrize(
    "image",
    [
        *(Image.new("L", (64, 64), grey) for grey in (0, 1, 128, 255)),
        Image.new("RGB", (300, 20), "orange"),
        Image.new("L", (1, 1), 77),
        noise(32, 2),
        noise(64, 1),
        noise(64, 3),
        faint_box(0),
        faint_box(200),
        dot(10, "red"),
        noise(512, 10),
        ramp(256, 0, 255),
        ramp(10, 100, 110),
        ramp(256, 0, 255).rotate(90),
    ],
)
def test_flat_nearly_flat_and_plain_gradients_are_low_information(image: Image.Image) -> None:
    assert low(image)


def test_pictures_are_not() -> None:
    assert not any(low(picture(seed)) for seed in range(50))


def test_a_faint_picture_is_not() -> None:
    faint = picture(7, mode="L").point(lambda value: 120 + value // 10)
    assert not low(faint)


def test_shipped_photographs_are_not_but_the_chessboard_is() -> None:
    flagged = set()
    for path in shipped_photographs():
        with Image.open(path) as image:
            if low(image.convert("RGB")):
                flagged.add(path.rsplit("/", 1)[-1])
    assert flagged == {"chessboard_GRAY.png", "chessboard_RGB.png"}


def test_two_gradients_would_be_called_identical_without_the_guard() -> None:
    assert imagehash.phash(ramp(256, 0, 255)) - imagehash.phash(ramp(200, 50, 255)) <= 5


def test_firm_bits_uses_the_coefficients_of_imagehash() -> None:
    """The oracle: scipy's DCT, as imagehash calls it."""
    fftpack = pytest.importorskip("scipy.fftpack")
    pixels = thumbnail(picture(3))
    coefficients = fftpack.dct(fftpack.dct(pixels, axis=0), axis=1)[:8, :8]
    margins = np.abs(coefficients - np.median(coefficients))
    expected = (margins > detail.NOISE_LEVELS * detail.NOISE_STEP).sum()
    assert firm_bits(transform(pixels[None])) == [expected]
    assert expected >= FIRM_BITS


def test_the_noise_step_is_what_a_grey_level_of_noise_does() -> None:
    fftpack = pytest.importorskip("scipy.fftpack")
    values = np.random.default_rng(1).normal(0, 1, (4000, 32, 32))
    coefficients = fftpack.dct(fftpack.dct(values, axis=1), axis=2)[:, 1:8, 1:8]
    assert coefficients.std() == pytest.approx(detail.NOISE_STEP, rel=0.02)
