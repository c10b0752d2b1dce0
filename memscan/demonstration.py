"""A small training set and generated images with planted copies, all drawn by code."""

from __future__ import annotations

import math
import os
import random
from dataclasses import dataclass
from typing import Callable

from PIL import Image, ImageDraw, ImageFilter, ImageOps

from memscan.errors import InputError, OutputError

CLASSES = ("class_A", "class_B", "class_C")
IMAGES_PER_CLASS = 8

_SIZE = (384, 256)
_RESAMPLE = Image.Resampling.LANCZOS

_EDITS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "exact copy": lambda image: image,
    "recompressed": lambda image: image,
    "resized to half": lambda image: image.resize((192, 128), _RESAMPLE),
    "mirrored": ImageOps.mirror,
    "centre-cropped": lambda image: ImageOps.fit(image, (256, 256), _RESAMPLE),
}


@dataclass(frozen=True)
class Planted:
    """One generated image; ``original`` is the training image that it was made from, if any."""

    path: str
    kind: str
    original: str | None


def draw(directory: str) -> tuple[Planted, ...]:
    """Draw ``training_data/`` and ``generated_images/`` in a directory, the same every time.

    Raises InputError if the directory holds something already and OutputError if it cannot be
    written.
    """
    if not directory:
        raise InputError("the name of the demonstration's directory is empty")
    try:
        os.makedirs(directory, exist_ok=True)
        if os.listdir(directory):
            raise InputError(f"{directory}: not empty; name a new directory for the demonstration")
        originals = _draw_training_set(os.path.join(directory, "training_data"))
        return _draw_generated(os.path.join(directory, "generated_images"), originals)
    except OSError as error:
        raise OutputError(f"{directory}: cannot be written: {error.strerror}") from error


def scene(seed: int) -> Image.Image:
    """An RGB picture of 384 x 256 pixels: sky, sun, hills and houses, placed by the seed."""
    place = random.Random(seed)
    image = Image.new("RGB", _SIZE)
    canvas = ImageDraw.Draw(image)
    _draw_sky(canvas, place)
    for depth in range(3):
        _draw_hill(canvas, place, depth)
    for _ in range(place.randint(3, 7)):
        _draw_house(canvas, place)
    return image.filter(ImageFilter.GaussianBlur(0.8))


def _draw_training_set(directory: str) -> tuple[str, ...]:
    paths = []
    for number in range(len(CLASSES) * IMAGES_PER_CLASS):
        folder = os.path.join(directory, CLASSES[number // IMAGES_PER_CLASS])
        os.makedirs(folder, exist_ok=True)
        paths.append(os.path.join(folder, f"img_{number:03}.jpg"))
        scene(number).save(paths[-1], quality=90)
    return tuple(paths)


def _draw_generated(directory: str, originals: tuple[str, ...]) -> tuple[Planted, ...]:
    os.makedirs(directory)
    planted = []
    for number, (kind, edit) in enumerate(_EDITS.items(), start=1):
        suffix = "jpg" if kind == "recompressed" else "png"
        path = os.path.join(directory, f"sample_{number:02}.{suffix}")
        original = originals[number * 4 - 1]
        with Image.open(original) as image:
            edit(image).save(path, quality=30)
        planted.append(Planted(path, kind, original))
    for number in range(len(_EDITS) + 1, len(_EDITS) + 4):
        path = os.path.join(directory, f"sample_{number:02}.png")
        scene(1000 + number).save(path)
        planted.append(Planted(path, "unrelated", None))
    return tuple(planted)


def _colour(place: random.Random, darkest: int, lightest: int) -> tuple[int, int, int]:
    return (
        place.randint(darkest, lightest),
        place.randint(darkest, lightest),
        place.randint(darkest, lightest),
    )


def _draw_sky(canvas: ImageDraw.ImageDraw, place: random.Random) -> None:
    width, height = _SIZE
    top, bottom = _colour(place, 40, 250), _colour(place, 40, 250)
    for y in range(height):
        share = y / height
        canvas.line(
            [(0, y), (width, y)],
            fill=tuple(round(a + (b - a) * share) for a, b in zip(top, bottom)),
        )
    for _ in range(place.randint(1, 4)):
        x, y, radius = place.randint(0, width), place.randint(0, 160), place.randint(12, 60)
        box = (x - radius, y - radius, x + radius, y + radius // place.randint(1, 3))
        canvas.ellipse(box, fill=_colour(place, 120, 255))


def _draw_hill(canvas: ImageDraw.ImageDraw, place: random.Random, depth: int) -> None:
    width, height = _SIZE
    base, swing = 110 + 45 * depth, place.randint(10, 45)
    length, shift = place.uniform(40, 160), place.uniform(0, 2 * math.pi)
    ridge = [(x, base + swing * math.sin(x / length + shift)) for x in range(0, width + 1, 4)]
    canvas.polygon([(0, height), *ridge, (width, height)], fill=_colour(place, 10, 200))


def _draw_house(canvas: ImageDraw.ImageDraw, place: random.Random) -> None:
    width, height = _SIZE
    left, wide, high = place.randint(-20, width - 30), place.randint(20, 90), place.randint(30, 130)
    floor = place.randint(170, height)
    canvas.rectangle((left, floor - high, left + wide, floor), fill=_colour(place, 0, 255))
    roof = [(left - 6, floor - high), (left + wide // 2, floor - high - wide // 2)]
    canvas.polygon([*roof, (left + wide + 6, floor - high)], fill=_colour(place, 0, 160))
