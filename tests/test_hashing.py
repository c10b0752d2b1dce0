from __future__ import annotations

import io

import imagehash
import numpy as np
import PIL
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from memscan import hashing
from memscan.errors import HashError
from memscan.hashing import fingerprint, phashes, thumbnail, transform
from tests.drawing import picture, shipped_photographs

EIGHT_BIT_MODES = ["1", "L", "P", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "LA", "PA", "RGBX"]


def hashed(image: Image.Image) -> str:
    return f"{as_int(image):016x}"


def as_int(image: Image.Image) -> int:
    stack = thumbnail(image)[None]
    return int(phashes(stack, transform(stack))[0])


def reopened(image: Image.Image, format: str, **options: object) -> Image.Image:
    file = io.BytesIO()
    image.save(file, format, **options)
    file.seek(0)
    return Image.open(file)


@st.composite
def drawn_images(draw: st.DrawFn) -> Image.Image:
    short, long = draw(st.integers(1, 40)), draw(st.integers(1, 400))
    size = draw(st.sampled_from([(short, long), (long, short), (short, short)]))
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    rgb = generator.integers(0, draw(st.sampled_from([1, 2, 4, 256])), (*size, 3), dtype=np.uint8)
    return Image.fromarray(rgb)


@pytest.mark.parametrize("mode", EIGHT_BIT_MODES)
@settings(deadline=None, max_examples=60)
@given(image=drawn_images())
def test_the_hash_is_that_of_imagehash(mode: str, image: Image.Image) -> None:
    rgba = "LA" if mode == "PA" else "RGB"
    image = image.convert(rgba).convert(mode)
    assert hashed(image) == str(imagehash.phash(image))


@pytest.mark.filterwarnings("ignore:Palette images with Transparency")
def test_the_hash_of_shipped_photographs_is_that_of_imagehash() -> None:
    paths = shipped_photographs()
    assert len(paths) > 10
    for path in paths:
        with Image.open(path) as image:
            assert hashed(image) == str(imagehash.phash(image)), path


def test_imagehash_is_asked_only_where_rounding_could_decide(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    def ask(image: Image.Image) -> imagehash.ImageHash:
        asked.append(image)
        return original(image)

    original = imagehash.phash
    monkeypatch.setattr(imagehash, "phash", ask)
    stack = np.stack([thumbnail(picture(seed)) for seed in range(40)])
    phashes(stack, transform(stack))
    assert asked == []
    flat = np.full((1, 32, 32), 200, np.uint8)
    assert phashes(flat, transform(flat)) == [1 << 63]
    assert len(asked) == 1


def test_the_transform_is_that_of_imagehash() -> None:
    fftpack = pytest.importorskip("scipy.fftpack")
    stack = np.stack([thumbnail(picture(seed)) for seed in range(9)])
    expected = fftpack.dct(fftpack.dct(stack, axis=1), axis=2)[:, :8, :8]
    assert np.abs(transform(stack) - expected).max() < hashing._SURE / 1000


def test_the_hash_is_constant() -> None:
    """Pins the thumbnail before the hash, so that a drift is found in the right layer."""
    ramp = np.add.outer(np.arange(64) ** 2 % 251, np.arange(96) * 7 % 241).clip(0, 255)
    image = Image.fromarray(ramp.astype(np.uint8))
    assert list(thumbnail(image)[5, :6]) == THUMBNAIL_ROW
    assert hashed(image) == RAMP_HASH


THUMBNAIL_ROW = [116, 137, 158, 179, 201, 223]
RAMP_HASH = "830343035357777f"


def test_the_hash_of_a_shipped_photograph_is_constant() -> None:
    data = pytest.importorskip("skimage.data", reason="scikit-image is not installed")
    assert hashed(Image.fromarray(data.astronaut())) == ASTRONAUT_HASH


ASTRONAUT_HASH = "c2924c5532bddfc8"


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_16_bits_are_divided_by_257(format: str) -> None:
    grey = picture(1, mode="L")
    deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    image = reopened(deep, format)
    assert hashed(image) == str(imagehash.phash(grey))
    assert hashed(image) != str(imagehash.phash(image)), "the plain call clips 16 bits"


def test_every_16_bit_value_is_rounded_to_the_nearest_of_8_bits() -> None:
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    expected = Image.fromarray(np.rint(values / 257).astype(np.uint8))
    assert hashed(Image.fromarray(values)) == hashed(expected)
    assert np.array_equal(thumbnail(Image.fromarray(values)), thumbnail(expected))


def test_a_dark_16_bit_image_stays_dark() -> None:
    dark = reopened(Image.fromarray(np.full((40, 40), 200, np.uint16)), "PNG")
    assert thumbnail(dark).max() == 1


def test_a_16_bit_pgm_is_divided_by_257() -> None:
    grey = picture(2, mode="L")
    deep = (np.asarray(grey).astype(">u2") * 257).astype(">u2").tobytes()
    pgm = b"P5 %d %d 65535\n" % grey.size + deep
    assert hashed(Image.open(io.BytesIO(pgm))) == str(imagehash.phash(grey))


@pytest.mark.parametrize("highest", [1.0, 255.0, 65535.0, 3.5e6])
def test_float_images_are_scaled_not_clipped(highest: float) -> None:
    grey = np.asarray(picture(3, mode="L")).astype(np.float32)
    grey[0, 0], grey[0, 1] = 0, 255
    image = reopened(Image.fromarray(grey / 255 * np.float32(highest)), "TIFF")
    assert image.mode == "F"
    assert hashed(image) == str(imagehash.phash(Image.fromarray(grey.astype(np.uint8))))


def test_a_float_range_stated_by_the_file_comes_first() -> None:
    grey = np.asarray(picture(4, mode="L")).astype(np.float32)
    image = reopened(Image.fromarray(grey * 0.1 - 5), "TIFF", tiffinfo={340: -5.0, 341: 20.5})
    assert hashed(image) == str(imagehash.phash(Image.fromarray(grey.astype(np.uint8))))


@pytest.mark.parametrize(
    "tags",
    [
        {340: 255.0, 341: 0.0},
        {340: float("nan"), 341: 255.0},
        {340: 0.0, 341: float("inf")},
        {340: "hostile", 341: "text"},
        {341: 9.0},
    ],
)
def test_a_range_that_makes_no_sense_counts_as_not_stated(tags: dict[int, object]) -> None:
    grey = np.asarray(picture(4, mode="L")).astype(np.float32)
    image = Image.fromarray(grey)
    image.tag_v2 = tags  # type: ignore[attr-defined]
    assert hashed(image) == str(imagehash.phash(Image.fromarray(grey.astype(np.uint8))))


@pytest.mark.parametrize(("depth", "highest"), [(12, 4095), (99, 65535), ("x", 65535)])
def test_a_depth_stated_by_the_file_comes_first(depth: object, highest: int) -> None:
    grey = np.asarray(picture(6, mode="L"))
    image = Image.fromarray(np.rint(grey / 255 * highest).astype(np.uint16))
    image.tag_v2 = {258: (depth,)}  # type: ignore[attr-defined]
    assert hashed(image) == str(imagehash.phash(Image.fromarray(grey)))


def test_32_bit_integers_are_scaled() -> None:
    grey = picture(5, mode="L")
    image = reopened(Image.fromarray(np.asarray(grey).astype(np.int32) * 257), "TIFF")
    assert image.mode == "I"
    assert hashed(image) == str(imagehash.phash(grey))


def test_a_flat_float_image_has_the_hash_of_black() -> None:
    assert as_int(Image.fromarray(np.full((9, 9), -3.25, np.float32))) == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_pixels_that_are_no_numbers_have_no_hash(bad: float) -> None:
    with pytest.raises(HashError, match="not finite"):
        thumbnail(Image.fromarray(np.array([[0.5, bad]], np.float32)))


@pytest.mark.parametrize("mode", ["LAB", "La"])
def test_modes_without_a_grey_version_have_no_hash(mode: str) -> None:
    with pytest.raises(HashError, match=f"mode {mode}"):
        thumbnail(Image.new(mode, (8, 8)))


def test_distances_of_photographs_are_even() -> None:
    """The median splits 64 coefficients in halves, so two hashes differ in pairs of bits."""
    hashes = [as_int(picture(seed)) for seed in range(30)]
    assert {bin(hash).count("1") for hash in hashes} == {32}
    assert {bin(a ^ b).count("1") % 2 for a in hashes for b in hashes} == {0}


def test_flat_images_collide() -> None:
    assert hashed(Image.new("L", (64, 64), 0)) == "0000000000000000"
    assert hashed(Image.new("L", (64, 64), 9)) == "8000000000000000"
    assert hashed(Image.new("RGB", (64, 64), "red")) == "8000000000000000"


def test_the_fingerprint_names_algorithm_decoding_and_major_versions() -> None:
    assert fingerprint().startswith("phash-64 decode=exact ")
    assert f"Pillow={PIL.__version__.split('.')[0]} " in fingerprint()
