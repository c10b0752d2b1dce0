"""What happens to an image on its way: an imitation of a generative model, and chains of edits."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageFilter

from memscan.evaluation.edits import overlays, shapes, tones


def redraw(
    image: Image.Image, side: int, levels: float, random: np.random.Generator
) -> Image.Image:
    """What an autoencoder or a light image-to-image run leaves: the forms, not the details.

    The longer side is brought down to ``side`` pixels, smooth noise of so many levels is added and
    the whole smoothed and brought back to its size. No generative model is run.
    """
    small = shapes.resize(image, min(1.0, side / max(image.size)))
    pixels = np.asarray(small, np.float32)
    grains = random.standard_normal((small.height // 2 + 1, small.width // 2 + 1, 3), np.float32)
    smooth = grains.repeat(2, axis=0).repeat(2, axis=1)[: small.height, : small.width]
    noisy = np.clip(np.rint(pixels + smooth * np.float32(levels)), 0, 255).astype(np.uint8)
    soft = Image.fromarray(noisy).filter(ImageFilter.GaussianBlur(1))
    return soft.resize(image.size, shapes.LANCZOS)


def repost(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Passed on twice: reduced and recompressed each time."""
    once = tones.jpeg(shapes.resize(image, 0.7), 70)
    return tones.jpeg(shapes.resize(once, 0.8), 50)


def social(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """A square post with a filter: the middle, warmer contrast, recompressed."""
    square = shapes.centre_square(image)
    return tones.jpeg(tones.saturation(tones.contrast(square, 1.2), 1.3), 70)


def meme(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Cropped by 5 %, captioned, recompressed."""
    return tones.jpeg(overlays.caption(shapes.crop(image, 5), random), 50)


def disguise(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Mirrored, cropped off the centre by 10 %, brightened, recompressed."""
    cropped = shapes.crop_off_centre(shapes.mirror(image), 10, random)
    return tones.jpeg(tones.brightness(cropped, 1.15), 75)


def stock(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """A preview: reduced to 40 %, watermarked, with a logo, recompressed."""
    marked = overlays.watermark(shapes.resize(image, 0.4))
    return tones.jpeg(overlays.logo(marked, 15, random), 60)


def screenshot(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """A phone's screenshot of a recompressed image, cropped by hand and recompressed."""
    screen = overlays.screenshot_phone(tones.jpeg(image, 70))
    return tones.jpeg(shapes.crop_off_centre(screen, 5, random), 70)


def generated(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """As a model gives a training image back: squared, redrawn, its colours a little off."""
    square = shapes.centre_square(image)
    return tones.saturation(tones.contrast(redraw(square, 96, 20, random), 1.1), 1.15)
