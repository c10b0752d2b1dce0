"""Edits that keep every pixel in its place: compression, noise, tone. RGB in, RGB out."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from memscan import decode


def jpeg(image: Image.Image, quality: int) -> Image.Image:
    """Compressed as JPEG, with libjpeg's quality from 1 to 100, and decoded again."""
    data = io.BytesIO()
    image.save(data, "JPEG", quality=quality)
    return decode.open_bytes(data.getvalue()).image


def blur(image: Image.Image, percent: float) -> Image.Image:
    """A Gaussian blur whose radius is so much of the shorter side."""
    return image.filter(ImageFilter.GaussianBlur(min(image.size) * percent / 100))


def noise(image: Image.Image, levels: float, random: np.random.Generator) -> Image.Image:
    """Gaussian noise of so many of 256 levels (standard deviation), alone in each channel."""
    pixels = np.asarray(image, np.float32)
    noisy = pixels + random.standard_normal(pixels.shape, np.float32) * np.float32(levels)
    return Image.fromarray(np.clip(np.rint(noisy), 0, 255).astype(np.uint8))


def sharpen(image: Image.Image, factor: float) -> Image.Image:
    """Pillow's sharpness; 1 changes nothing."""
    return ImageEnhance.Sharpness(image).enhance(factor)


def brightness(image: Image.Image, factor: float) -> Image.Image:
    """Every value times a factor, clipped."""
    return ImageEnhance.Brightness(image).enhance(factor)


def contrast(image: Image.Image, factor: float) -> Image.Image:
    """The differences from the mean grey times a factor, clipped."""
    return ImageEnhance.Contrast(image).enhance(factor)


def saturation(image: Image.Image, factor: float) -> Image.Image:
    """The differences of each pixel from its grey times a factor; 0 leaves no colour."""
    return ImageEnhance.Color(image).enhance(factor)


def gamma(image: Image.Image, exponent: float) -> Image.Image:
    """Values (0 to 1) to a power: above 1 the middle tones darken."""
    table = [round(255 * (value / 255) ** exponent) for value in range(256)]
    return image.point(table * 3)


def invert(image: Image.Image) -> Image.Image:
    """The negative."""
    return ImageOps.invert(image)
