"""Alterations of drawn strength, from hardly to not at all the same picture; and the stress test.

The stress test is that of DeepSSIM: either image of a pair is mirrored, turned and brightened by
lot, which changes nothing of what it shows, and everything for who compares it pixel by pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

import numpy as np
from PIL import Image

from memscan.evaluation.edits import AS_IS, Edit, tones, wild

CHANCE = 0.8
"""Of each step of the stress test."""

MOST_DEGREES = 10.0
LEAST_GAMMA, MOST_GAMMA = 0.5, 1.5


def _between(random: np.random.Generator, low: float, high: float) -> float:
    """A number whose logarithm is evenly drawn."""
    return float(np.exp(random.uniform(np.log(low), np.log(high))))


def _blurred(image: Image.Image, random: np.random.Generator) -> Image.Image:
    return tones.blur(image, _between(random, 0.3, 8))


def _noisy(image: Image.Image, random: np.random.Generator) -> Image.Image:
    return tones.noise(image, _between(random, 10, 250), random)


def _redrawn(image: Image.Image, random: np.random.Generator) -> Image.Image:
    side = round(_between(random, 12, 160))
    return wild.redraw(image, side, _between(random, 2, 40), random)


def _covered(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """A rectangle of one colour over a drawn share of the image."""
    share = random.uniform(0.02, 0.7)
    across = random.uniform(share, 1)
    width, height = round(image.width * across), round(image.height * share / across)
    left, top = random.integers(image.width - width + 1), random.integers(image.height - height + 1)
    covered = image.copy()
    colour = tuple(random.integers(0, 256, 3).tolist())
    covered.paste(colour, (int(left), int(top), int(left) + width, int(top) + height))
    return covered


def _toned(image: Image.Image, random: np.random.Generator) -> Image.Image:
    return tones.contrast(tones.gamma(image, _between(random, 0.3, 3)), _between(random, 0.5, 3))


ALTERED = (
    Edit("blurred", "altered", "a Gaussian blur of any strength", _blurred),
    Edit("noisy", "altered", "Gaussian noise of any strength", _noisy),
    Edit("redrawn", "altered", "coarser by any factor, with smooth noise", _redrawn),
    Edit("covered", "altered", "a rectangle of one colour over 2 to 70 %", _covered),
    Edit("toned", "altered", "gamma and contrast of any strength", _toned),
)
"""None moves a pixel, so that a pair of an image and its altered version is aligned."""


def _stressed(image: Image.Image, random: np.random.Generator) -> Image.Image:
    chances = random.random(4) < CHANCE
    degrees = float(random.uniform(-MOST_DEGREES, MOST_DEGREES))
    exponent = float(random.uniform(LEAST_GAMMA, MOST_GAMMA))
    if chances[0]:
        image = image.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    if chances[1]:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if chances[2]:
        image = image.rotate(degrees, Image.Resampling.BICUBIC)
    return tones.gamma(image, exponent) if chances[3] else image


@dataclass(frozen=True)
class Stressed(Edit):
    """The stress test of what an edit gives, which is that of the edit alone."""

    edit: Edit

    def of(self, image: Image.Image, key: Sequence[int]) -> Image.Image:
        """As in :class:`memscan.evaluation.edits.Edit`."""
        return super().of(self.edit.of(image, key), key)


def stressed(edit: Edit, side: str) -> Stressed:
    """With lots of its own for each side of a pair."""
    name = f"stressed-{side}-{edit.name}"
    return Stressed(name, "stressed", "mirrored, turned and brightened by lot", _stressed, edit)


TARGETS = (*ALTERED, AS_IS)
SOURCES = (AS_IS,)
STRESSED_TARGETS = tuple(stressed(edit, "target") for edit in TARGETS)
STRESSED_SOURCES = tuple(stressed(edit, "source") for edit in SOURCES)
