from __future__ import annotations

from typing import Callable

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageOps

from memscan import borders, hashing, resampling, views
from memscan.errors import InputError
from tests.drawing import picture


def transform(image: Image.Image) -> npt.NDArray[np.float64]:
    return hashing.transform(hashing.thumbnail(image)[None])


def plain_hash(image: Image.Image) -> int:
    coefficients = transform(image)
    return int(hashing.phashes(hashing.thumbnail(image)[None], coefficients)[0])


def hashed(image: Image.Image, view_set: views.ViewSet) -> dict[str, int]:
    """The hash of each view, by its name."""
    grey = hashing.luminance(image)
    coefficients = hashing.transform(resampling.reduce(grey)[None])
    material = views.material(image, grey, view_set)
    full = np.array([plain_hash(image)], np.uint64)
    row = views.hashes(view_set, coefficients, full, [material])[0]
    return dict(zip(view_set.names, row.tolist()))


def bits(one: int, other: int) -> int:
    return bin(one ^ other).count("1")


TURNED: dict[str, Callable[[Image.Image], Image.Image]] = {
    "mirrored": ImageOps.mirror,
    "turned by 90": lambda image: image.transpose(Image.Transpose.ROTATE_90),
    "turned by 180": lambda image: image.transpose(Image.Transpose.ROTATE_180),
    "turned by 270": lambda image: image.transpose(Image.Transpose.ROTATE_270),
    "mirrored, turned by 90": lambda image: ImageOps.mirror(image).transpose(
        Image.Transpose.ROTATE_90
    ),
    "mirrored, turned by 180": ImageOps.flip,
    "mirrored, turned by 270": lambda image: ImageOps.mirror(image).transpose(
        Image.Transpose.ROTATE_270
    ),
}


@pytest.mark.parametrize("name", TURNED)
@pytest.mark.parametrize("seed", range(5))
def test_a_turn_of_the_transform_is_that_of_the_image(name: str, seed: int) -> None:
    image = picture(seed, (300, 200))
    expected = plain_hash(TURNED[name](image))
    assert bits(hashed(image, views.of_target("plain"))[name], expected) <= 2
    assert np.array_equal(np.asarray(views.draw(image, name)), np.asarray(TURNED[name](image)))


def test_turns_differ_from_each_other() -> None:
    found = hashed(picture(1, (300, 200)), views.of_target("plain"))
    turned = [found[name] for name in TURNED]
    assert all(bits(a, b) > 10 for a in turned for b in turned if a != b)
    assert len(set(turned)) == 7


@pytest.mark.parametrize("orientation", range(1, 9))
def test_upright_is_what_exif_asks_for(orientation: int) -> None:
    image = picture(2, (300, 200))
    image.getexif()[0x0112] = orientation
    upright = ImageOps.exif_transpose(image)
    assert upright is not None
    found = hashed(image, views.of_source("training"))["upright"]
    assert bits(found, plain_hash(upright)) <= 2
    assert np.array_equal(np.asarray(views.draw(image, "upright")), np.asarray(upright))


@pytest.mark.parametrize(
    "exif",
    [
        b"Exif\0\0garbage",
        b"Exif\0\0",
        b"Exif\0\0II*\0\xff\xff\xff\xff",
        b"\0" * 40,
        b"Exif\0\0MM\0*",
    ],
)
def test_broken_exif_is_no_orientation(exif: bytes) -> None:
    image = picture(2, (300, 200))
    image.info["exif"] = exif
    assert hashed(image, views.of_source("training"))["upright"] == plain_hash(image)
    assert views.draw(image, "upright").size == image.size


def test_without_an_orientation_upright_adds_nothing() -> None:
    image = picture(2, (300, 200))
    assert hashed(image, views.of_source("training"))["upright"] == plain_hash(image)


@pytest.mark.parametrize("size", [(700, 500), (400, 900), (130, 129), (40, 30)])
def test_a_crop_has_the_hash_of_the_part_cut_out(size: tuple[int, int]) -> None:
    image = picture(3, size)
    found = hashed(image, views.of_source("thorough"))
    for name, hash in found.items():
        if name != "upright":
            assert bits(hash, plain_hash(views.draw(image, name))) <= (4 if min(size) > 100 else 8)


def test_the_square_is_cut_from_the_middle() -> None:
    image = picture(4, (600, 400))
    assert np.array_equal(
        np.asarray(views.draw(image, "square")), np.asarray(image.crop((100, 0, 500, 400)))
    )


def test_centre_crops_go_down_to_three_quarters_in_small_steps() -> None:
    names = [name for name in views.of_source("training").names if name.startswith("centre")]
    sides = [views.draw(Image.new("L", (1000, 1000)), name).width for name in names]
    steps = [after / before for before, after in zip([1000, *sides], sides)]
    assert all(0.965 < step < 0.975 for step in steps)
    assert sides[-1] <= 750


def framed(image: Image.Image, colour: str, width: int, height: int) -> Image.Image:
    return ImageOps.expand(image, (width, height), fill=colour)


@pytest.mark.parametrize(
    ("colour", "width", "height"),
    [("white", 20, 20), ("black", 0, 60), ("#777", 50, 0), ("#f00", 9, 30)],
)
def test_a_border_is_taken_off(colour: str, width: int, height: int) -> None:
    image = picture(5, (400, 300))
    bordered = framed(image, colour, width, height)
    box = borders.content_box(hashing.luminance(bordered))
    assert box == (width, height, width + 400, height + 300)
    found = hashed(bordered, views.of_target("thorough"))
    assert bits(found["without its border"], plain_hash(image)) <= 2
    mirrored = found["without its border, mirrored"]
    assert bits(mirrored, plain_hash(ImageOps.mirror(image))) <= 2
    assert views.draw(bordered, "without its border").size == image.size


def test_a_large_image_loses_its_border_to_the_pixel_of_its_reduction() -> None:
    bordered = framed(picture(6, (1800, 1200)), "white", 100, 100)
    box = borders.content_box(hashing.luminance(bordered))
    assert box is not None
    assert max(abs(a - b) for a, b in zip(box, (100, 100, 1900, 1300))) <= 4


def test_an_image_without_a_border_keeps_its_edges() -> None:
    image = picture(7, (400, 300))
    assert borders.content_box(hashing.luminance(image)) is None
    found = hashed(image, views.of_target("thorough"))
    assert found["without its border"] == plain_hash(image)


@pytest.mark.parametrize("image", [Image.new("L", (300, 200), 90), Image.new("L", (1, 1))])
def test_a_flat_image_is_all_border_and_keeps_its_hash(image: Image.Image) -> None:
    found = hashed(image, views.of_target("thorough"))
    assert set(found.values()) == {plain_hash(image)}
    assert set(hashed(image, views.of_source("thorough")).values()) == {plain_hash(image)}


def test_a_crop_without_detail_adds_nothing() -> None:
    """The middle of a framed blank: its hash would be that of every blank."""
    image = Image.new("L", (400, 400), 128)
    image.paste(picture(8, (400, 40), "L"), (0, 0))
    found = hashed(image, views.of_source("training"))
    assert list(found.values())[-1] == plain_hash(image)


def test_images_do_not_depend_on_each_other() -> None:
    images = [picture(seed, (200 + 50 * seed, 300)) for seed in range(3)]
    view_set = views.of_source("training")
    stack = np.stack([hashing.thumbnail(image) for image in images])
    coefficients = hashing.transform(stack)
    together = views.hashes(
        view_set,
        coefficients,
        hashing.phashes(stack, coefficients),
        [views.material(image, hashing.luminance(image), view_set) for image in images],
    )
    alone = [list(hashed(image, view_set).values()) for image in images]
    assert together.tolist() == alone


def test_each_level_has_the_views_of_the_one_before() -> None:
    for sets in (
        [views.counted(level) for level in views.LEVELS],
        [views.of_source(level).names for level in views.LEVELS],
    ):
        assert set(sets[0]) <= set(sets[1]) <= set(sets[2])
    assert [views.level_of(name) for name in ("full", "mirrored", "turned by 90")] == [
        "plain",
        "training",
        "thorough",
    ]


def test_another_level_is_refused() -> None:
    with pytest.raises(InputError, match="plain, training, thorough"):
        views.of_source("all")
