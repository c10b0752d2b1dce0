"""The edits under which detectors are measured, each with a name and a fixed strength."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Callable, Iterator, Sequence

import numpy as np
from PIL import Image

from memscan.errors import InputError
from memscan.evaluation.edits import overlays, shapes, tones, wild


@dataclass(frozen=True)
class Edit:
    """A way in which an image comes back changed. Edits of one group are of one kind."""

    name: str
    group: str
    description: str
    apply: Callable[[Image.Image, np.random.Generator], Image.Image]

    def of(self, image: Image.Image, key: Sequence[int]) -> Image.Image:
        """The edited RGB image: the same for the same pixels and key, whatever came before."""
        own = zlib.crc32(self.name.encode())
        return self.apply(image, np.random.default_rng([*key, own]))


def key(image: Image.Image, seed: int) -> tuple[int, int]:
    """What decides the lots that edits of an image draw: the seed and its pixels, not its name."""
    return seed, zlib.crc32(image.tobytes())


AS_IS = Edit("as-is", "none", "not edited", lambda image, _: image)
"""Stands where images are compared as they are; no edit that can be chosen."""


def choose(words: Sequence[str]) -> tuple[Edit, ...]:
    """The edits of these names and groups, in the order of :data:`EDITS`; all if none is given.

    Raises InputError for a word that is neither.
    """
    names = {edit.name for edit in EDITS}
    groups = list(dict.fromkeys(edit.group for edit in EDITS))
    for word in words:
        if word not in names and word not in groups:
            raise InputError(
                f"{word}: no such edit or group of edits; the groups are {', '.join(groups)}, "
                "and --list-edits shows all names"
            )
    return tuple(edit for edit in EDITS if not words or {edit.name, edit.group} & {*words})


def _fixed(
    name: str, group: str, description: str, edit: Callable[..., Image.Image], *strengths: object
) -> Edit:
    """An edit without chance: ``edit(image, *strengths)``."""
    return Edit(name, group, description, lambda image, _: edit(image, *strengths))


def _seeded(
    name: str, group: str, description: str, edit: Callable[..., Image.Image], *strengths: object
) -> Edit:
    """An edit that draws lots: ``edit(image, *strengths, random)``."""
    return Edit(name, group, description, lambda image, random: edit(image, *strengths, random))


def _details() -> Iterator[Edit]:
    for quality in (95, 75, 50, 30, 10):
        description = f"JPEG of quality {quality}"
        yield _fixed(f"jpeg-{quality}", "compression", description, tones.jpeg, quality)
    for percent in (0.5, 1, 2):
        description = f"Gaussian blur, radius {percent} % of the shorter side"
        yield _fixed(f"blur-{percent}", "detail", description, tones.blur, percent)
    for levels in (5, 15, 30):
        description = f"Gaussian noise of {levels} of 256 levels"
        yield _seeded(f"noise-{levels}", "detail", description, tones.noise, levels)
    yield _fixed("sharpen", "detail", "sharpness times 3", tones.sharpen, 3)


def _tones() -> Iterator[Edit]:
    for factor in (0.5, 0.75, 1.25, 1.5):
        description = f"brightness times {factor}"
        yield _fixed(f"brightness-{factor}", "tone", description, tones.brightness, factor)
    for factor in (0.5, 0.75, 1.25, 1.5):
        yield _fixed(
            f"contrast-{factor}", "tone", f"contrast times {factor}", tones.contrast, factor
        )
    for factor, description in (
        (0, "no colour"),
        (0.5, "half the colour"),
        (2, "twice the colour"),
    ):
        yield _fixed(f"saturation-{factor}", "tone", description, tones.saturation, factor)
    for exponent, description in ((0.5, "lighter"), (2, "darker")):
        description = f"gamma {exponent}: {description} middle tones"
        yield _fixed(f"gamma-{exponent}", "tone", description, tones.gamma, exponent)
    yield _fixed("invert", "tone", "colours inverted", tones.invert)


def _shapes() -> Iterator[Edit]:
    for percent in (75, 50, 25, 10):
        description = f"reduced to {percent} %"
        yield _fixed(f"resize-{percent}", "size", description, shapes.resize, percent / 100)
    for percent in (80, 125):
        description = f"width times {percent / 100}, height kept"
        yield _fixed(f"aspect-{percent}", "size", description, shapes.resize, percent / 100, 1.0)
    yield _fixed("aspect-square", "size", "squeezed to a square", shapes.stretch_to_square)
    yield _fixed("mirrored", "turn", "left and right exchanged", shapes.mirror)
    for degrees in (2, 5, 10, 20, 45, 90):
        description = f"turned by {degrees} degrees" + (", black corners" if degrees < 90 else "")
        yield _fixed(f"rotate-{degrees}", "turn", description, shapes.rotate, degrees)
    for percent in (2, 5, 10, 20, 30, 50):
        description = f"{percent} % of width and height cut off, evenly"
        yield _fixed(f"crop-{percent}", "crop", description, shapes.crop, percent)
    for percent in (2, 5, 10, 20, 30, 50):
        description = f"{percent} % of width and height cut off, mostly at one end"
        yield _seeded(f"crop-off-{percent}", "crop", description, shapes.crop_off_centre, percent)
    yield _fixed("crop-square", "crop", "the square in the middle", shapes.centre_square)


def _surroundings() -> Iterator[Edit]:
    white, black = (255, 255, 255), (0, 0, 0)
    for percent, word, colour in ((2, "white", white), (5, "white", white), (10, "black", black)):
        description = f"{word} border, {percent} % of the shorter side"
        yield _fixed(f"border-{percent}", "frame", description, overlays.border, percent, colour)
    description = "black bars above and below, 12 % each"
    yield _fixed("letterbox", "frame", description, overlays.letterbox, 12)
    description = "black bars at both sides, 12 % each"
    yield _fixed("pillarbox", "frame", description, overlays.pillarbox, 12)
    description = "on a page with a title bar"
    yield _fixed("screenshot-page", "frame", description, overlays.screenshot_page)
    description = "on a phone's screen"
    yield _fixed("screenshot-phone", "frame", description, overlays.screenshot_phone)
    yield _seeded("text-caption", "overlay", "a line of text at the bottom", overlays.caption)
    yield _fixed("text-watermark", "overlay", "faint text across the middle", overlays.watermark)
    for percent in (10, 25):
        description = f"a logo in a corner, {percent} % of the shorter side"
        yield _seeded(f"logo-{percent}", "overlay", description, overlays.logo, percent)


def _journeys() -> Iterator[Edit]:
    for name, side, levels in (("light", 160, 10), ("medium", 96, 20), ("strong", 48, 40)):
        description = f"diffusion-like: {side} pixels, noise of {levels} levels, smoothed"
        yield _seeded(f"redrawn-{name}", "redrawn", description, wild.redraw, side, levels)
    for name, description, chain in (
        ("repost", "reduced and recompressed twice", wild.repost),
        ("social", "centre square, filter, JPEG 70", wild.social),
        ("meme", "crop 5 %, caption, JPEG 50", wild.meme),
        ("disguise", "mirrored, crop 10 % off centre, brighter, JPEG 75", wild.disguise),
        ("stock", "reduced to 40 %, watermark, logo, JPEG 60", wild.stock),
        ("screenshot", "phone's screenshot, cut by hand, JPEG 70", wild.screenshot),
        ("generated", "centre square, redrawn, colours off", wild.generated),
    ):
        yield _seeded(f"chain-{name}", "chain", description, chain)


EDITS = (*_details(), *_tones(), *_shapes(), *_surroundings(), *_journeys())
"""All edits, those of one group together."""
