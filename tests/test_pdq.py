from __future__ import annotations

import math
import os
import tracemalloc
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from memscan import pdq as module
from memscan.errors import HashError
from memscan.pdq import BITS, pdq
from tests.drawing import picture, shipped_photographs

# By pdqhash 0.2.8, which wraps Meta's C++ without the shrinking of large images.
SHIPPED = {
    "astronaut.png": ("2d6b1af3a956c529e79ca3d2526fa834d4196c81cedd04de0a26b855fc99b724", 100),
    "camera.png": ("dc9c9d3b746978f888f40ce6e5c3f70f7266623e8d989cb99f21f2010841e1c7", 100),
    "chelsea.png": ("5feb5321f01da156898e2bf629a5d3438412cdbd23f48942464526315db33ffd", 100),
    "clock_motion.png": ("26cc3ccc933373334c34d778acc94cccb326f3394c932666934cd99d25337674", 34),
    "coffee.png": ("8c629e779a663698b9a33866c026726c21a679f61eb6e1f8c79ba7e23c8299e0", 100),
    "microaneurysms.png": ("537ebc9160a955ff3f50f6b38480437ee77485036f95ac0b7d4a7397880241f8", 82),
    "moon.png": ("131645cde366d981e1e371b264d8b25b9e4d13771d8c4f366d946ca57133d0c9", 83),
    "page.png": ("965b26d62ed3636b192ccdddcc91d88c3925812979849815e37b1cce4732a6fb", 100),
}

# From facebook/ThreatExchange. bridge-mods: the examples of python-threatexchange's PdqSignal;
# dih: the tests of the Java version and of the Rust crate pdqhash. All at full size.
PUBLISHED = {
    "aaa-orig": "f8f8f0cee0f4a84f06370a22038f63f0b36e2ed596621e1d33e6b39c4e9c9b22",
    "blur-a-little": "f8f8f0cee0f4a84f06370a2a038f63f0b36e26d596621e1d33e6b39c4e9c9b22",
    "blur-a-lot": "f8f8f0cee0f4a84f0637022a038f67f0b36e26d596621e1d33e6b39c4e9c9b22",
    "high-contrast": "f8f8f0cee0f4a84f06370a2a068f67f0b36e26d596621e1d33e6339c4e9c9b22",
    "high-saturation": "f8f8f0cee0f4a84f06370a22038f67f0b36e2ed596221e1d33e6b39c4e9c9b22",
    "sharpen-a-little": "f8f8f0cee0f4a84f0e370a22038f67f0b36e2ed596221e1d33e6b39c4a9c9b22",
    "sharpen-a-lot": "d8f8f0cec0f4a84f8e370a22038f67f0b36a2ed597231e1d72e6b39c4a9c9b22",
    "shrink-a-little": "f8f8f0cee0f4a84f06370a22038f67f0b36e2ed596621e1d33e6339c4e9c9b22",
    "shrink-a-lot": "d0f8f1ccc0f4a84d0a370a3a228f67f0b36e2ed5b6623e1d33e6339c4e9c9b22",
    "square-128x128": "d8f8f1eec0f4a84f0e37022a078f63f0b36e2ed596621e1d33e6239c4e9c9b22",
    "square-256x256": "d8f8f0cec4f4a84f0637022a078f67f0b36e2ee5b6621e1d33e6239c4e9c9b22",
    "square-512x512": "d8f8f0cec0f4a84f0637022a278f67f0b36e2ed596621e1d33e6339c4e9c9b22",
    "bridge-1-original": "f8f8f0cee0f4a84f06370a22038f63f0b36e2ed596621e1d33e6b39c4e9c9b22",
    "bridge-2-rotate-90": "30a10efd71cc3d429013d48d0ffffc52e34e0e17ada952a9d29685211ea9e5af",
    "bridge-3-rotate-180": "adad5a64b5a142e75b62a09857da895ae63b847fc23794b766b319361bc93188",
    "bridge-4-rotate-270": "a5f0a457a48995e8c9065c275aaa5498b61ba4bdf8fcf80387c32f8b1bfc4f05",
    "bridge-5-flipx": "f8f80f31e0f417b20e37f5cd028f980fb36ed02a9662c1e233e64c634e9c64dd",
    "bridge-6-flipy": "0dad2599b1a1bd1a5362576742da32a5e63b7380c2374b4866b366c91bc9ce77",
    "bridge-7-flip-plus-1": "f0a5e102f1ccc0bd945308720fff038de34ef1e8ada9a956d2967ade5ea91a50",
    "bridge-8-flip-minus-1": "a5f05aa8a4896a17c906a2d85aaaab07b61b5b42f8fc07fc87c3d0741bfcb0fa",
}

# From the README of its SQL example: an early version of Meta's C++ tool, not at full size.
PUBLISHED_EARLY = {
    "bridge-1-original": "f8f8f0cce0f4e84d0e370a22028f67f0b36e2ed596623e1d33e6339c4e9c9b22",
    "bridge-2-rotate-90": "b0a10efd71cc3f429413d48d0ffffe12e34e0e17ada952a9d29684210aa9e5af",
    "bridge-3-rotate-180": "adad5a64b5a142e55362a09057dacd5ae63b847fc23794b766b319361fc93188",
    "bridge-4-rotate-270": "a5f4a457a48995e8c9065c275aaa5498b61ba4bdf8fcf80387c32f8b0bfc4f05",
    "bridge-5-flipx": "f8f80f31e0f417b00e37f5cd028f980fb36ed02a9662c1e233e6cc634e9c64dd",
    "bridge-6-flipy": "8dad2599b1a1bd1853625f6553da32a1e63b7280c2374b4866b366c91bc9ce77",
    "bridge-7-flip-plus-1": "f0a1f102f1dcc0bd9c5309720fff018de34ef1e8ada9a956d2967ade0ea91a50",
    "bridge-8-flip-minus-1": "a5f05ba8a4896a17c106a3da5aaaab07b61b5b42f8fc07fc83c3d0740bfcb0fa",
    "exif-rotn-1": "f439d924da56a1d4c63973a56acfc926cd53d9341b18367d318666cf9b142649",
    "exif-rotn-3": "3acfa3cfab36b95e39cfa0023946790af441f1417d850401f7616005ffc17ff2",
    "exif-rotn-6": "e9782aad54ae0b6365315ac278592d68d4b5434a5fcd7471f7abcb594b481a94",
    "exif-rotn-8": "6b507c23b4adb07ec2fe2b4db52038b15e0c970fcaf3f049058ae8687bf9251e",
}
TOLERANCE = 10  # bits between implementations from quality 80 on, says Meta's README

Floats = npt.NDArray[np.float64]


def as_hex(image: Image.Image) -> str:
    words, _ = pdq(image)
    assert words.shape == (4,)
    assert words.dtype == np.uint64
    return "".join(f"{word:016x}" for word in words)


def distance(one: str, other: str) -> int:
    return bin(int(one, 16) ^ int(other, 16)).count("1")


def box_filtered(rows: Floats) -> Floats:
    """The means along the second axis of windows of ceil(n / 128) pixels, cut off at the edges."""
    size = rows.shape[1]
    window = math.ceil(size / 128)
    behind = (window - 1) // 2
    ahead = window - 1 - behind
    means = [rows[:, max(0, x - behind) : x + ahead + 1].mean(axis=1) for x in range(size)]
    return np.stack(means, axis=1)


def by_the_book(image: Image.Image) -> tuple[str, int]:
    """PDQ step by step as it is described, at full size."""
    red, green, blue = np.moveaxis(np.asarray(image.convert("RGB"), np.float64), 2, 0)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    for _ in range(2):
        luma = box_filtered(luma)
        luma = box_filtered(luma.T).T
    height, width = luma.shape
    rows = [int((i + 0.5) * height / 64) for i in range(64)]
    columns = [int((j + 0.5) * width / 64) for j in range(64)]
    small = luma[rows][:, columns]

    gradients = 0
    for i in range(64):
        for j in range(64):
            if i < 63:
                gradients += int(abs(small[i, j] - small[i + 1, j]) * 100 / 255)
            if j < 63:
                gradients += int(abs(small[i, j] - small[i, j + 1]) * 100 / 255)

    positions = np.arange(64)
    waves = [np.cos(math.pi * (positions + 0.5) * k / 64) for k in range(17)]
    values = [
        sum(small[i] @ waves[v] * waves[u][i] for i in range(64))
        for u in range(1, 17)
        for v in range(1, 17)
    ]
    middle = sorted(values)[127]
    number = sum(1 << k for k, value in enumerate(values) if value > middle)
    return f"{number:064x}", min(100, gradients // 90)


@pytest.mark.parametrize(
    "size",
    [(64, 64), (65, 63), (127, 129), (128, 255), (257, 256), (300, 200), (9, 700), (1100, 5)],
)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_the_hash_is_the_described_one(size: tuple[int, int], mode: str) -> None:
    for seed in range(3):
        image = picture(seed, size, mode)
        text, quality = by_the_book(image)
        assert distance(as_hex(image), text) <= 2
        assert abs(pdq(image)[1] - quality) <= 1


@pytest.mark.parametrize("levels", [8, 12, 16])
def test_the_quality_is_the_described_one(levels: int) -> None:
    pixels = np.random.default_rng(levels).integers(0, levels, (64, 70, 3), dtype=np.uint8)
    image = Image.fromarray(pixels)
    text, quality = by_the_book(image)
    assert 0 < quality < 100
    assert (as_hex(image), pdq(image)[1]) == (text, quality)


def test_shipped_photographs_hash_as_by_metas_code() -> None:
    paths = {Path(path).name: path for path in shipped_photographs()}
    for name, (text, quality) in SHIPPED.items():
        with Image.open(paths[name]) as image:
            assert (as_hex(image), pdq(image)[1]) == (text, quality), name


@pytest.mark.skipif(
    "MEMSCAN_PDQ_IMAGES" not in os.environ,
    reason="MEMSCAN_PDQ_IMAGES names no folder with the test images of facebook/ThreatExchange",
)
@pytest.mark.parametrize(("published", "tolerance"), [(PUBLISHED, 0), (PUBLISHED_EARLY, TOLERANCE)])
def test_metas_images_have_the_published_hashes(published: dict[str, str], tolerance: int) -> None:
    paths = {path.stem: path for path in Path(os.environ["MEMSCAN_PDQ_IMAGES"]).rglob("*.jpg")}
    for name, text in published.items():
        with Image.open(paths[name]) as image:
            assert pdq(image)[1] == 100
            assert distance(as_hex(image), text) <= tolerance, name


def test_the_first_digit_holds_the_highest_frequencies() -> None:
    # A wave along x alone: a coefficient of the first row stands out, and its mates are zero.
    wave = np.cos(np.pi * (np.arange(64) + 0.5) * 3 / 64)
    ramp = np.cos(np.pi * (np.arange(64) + 0.5) / 64)
    pixels = np.rint(128 + 100 * np.outer(ramp, wave)).astype(np.uint8)
    coefficient = 2  # row 1, column 3 of the transform, counted from the row and column 1
    words, _ = pdq(Image.fromarray(pixels))
    assert int(words[3]) >> coefficient & 1
    inverted, _ = pdq(Image.fromarray(255 - pixels))
    assert not int(inverted[3]) >> coefficient & 1


@pytest.mark.parametrize("size", [(5, 5), (64, 64), (130, 77), (500, 6)])
@pytest.mark.parametrize("level", [0, 1, 128, 255])
def test_a_flat_image_has_no_bits_and_no_quality(size: tuple[int, int], level: int) -> None:
    assert as_hex(Image.new("RGB", size, (level, level, level))) == "0" * 64
    assert pdq(Image.new("L", size, level))[1] == 0


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (1, 500), (500, 4)])
def test_images_of_less_than_five_pixels_have_no_hash(size: tuple[int, int]) -> None:
    image = picture(0, size)
    assert as_hex(image) == "0" * 64
    assert pdq(image)[1] == 0


@settings(deadline=None, max_examples=40)
@given(width=st.integers(5, 300), height=st.integers(5, 300), seed=st.integers(0, 99))
def test_half_of_the_bits_are_set_at_most(width: int, height: int, seed: int) -> None:
    text = as_hex(picture(seed, (width, height)))
    assert len(text) * 4 == BITS
    assert 0 < distance(text, "0") <= BITS // 2


def test_blocks_of_rows_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    image = picture(1, (150, 400))
    whole = as_hex(image)
    for block in (1, 150 * 3 * 7, 150 * 3 * 64):
        monkeypatch.setattr(module, "_BLOCK", block)
        assert as_hex(image) == whole


def test_only_a_block_of_a_large_image_is_held_as_floats() -> None:
    image = picture(2, (3000, 3000))
    pdq(picture(2, (3000, 5)))  # the filter of this width is kept
    tracemalloc.start()
    pdq(image)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3000 * 3000 * 3 / 2  # half a byte a sample; a float would be 8


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGBA", "CMYK", "YCbCr", "HSV"])
def test_any_mode_hashes_as_its_rgb_version(mode: str) -> None:
    image = picture(3, (200, 130)).convert("LA" if mode == "PA" else "RGB").convert(mode)
    assert distance(as_hex(image), as_hex(image.convert("RGB"))) <= 2


def test_transparency_is_ignored() -> None:
    image = picture(4)
    see_through = image.copy()
    see_through.putalpha(Image.new("L", image.size, 7))
    assert as_hex(see_through) == as_hex(image)


def test_more_than_8_bits_are_scaled_not_clipped() -> None:
    grey = picture(5, mode="L")
    levels = np.asarray(grey).astype(np.uint16) * 257
    deep = Image.fromarray(levels)
    assert deep.mode.startswith("I;16")
    assert as_hex(deep) == as_hex(grey)
    assert as_hex(Image.fromarray((np.asarray(grey) / 255).astype(np.float32))) == as_hex(grey)


def test_pixels_without_luma_are_refused() -> None:
    with pytest.raises(HashError, match="mode La have no grey version"):
        pdq(Image.new("La", (9, 9)))
    with pytest.raises(HashError, match="not finite"):
        pdq(Image.fromarray(np.full((9, 9), np.nan, np.float32)))


def test_the_end_of_memory_is_a_hash_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(size: int, luma: object) -> None:
        raise MemoryError

    monkeypatch.setattr(module, "_taps", exhausted)
    with pytest.raises(HashError, match="96 x 64 pixels are too many"):
        pdq(picture(6))
