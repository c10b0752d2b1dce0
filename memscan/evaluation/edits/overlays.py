"""Edits that put something around an image or on it. RGB in, RGB out."""

from __future__ import annotations

from typing import Tuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from memscan.evaluation.edits.shapes import LANCZOS, resize

Colour = Tuple[int, int, int]

_PAGE, _BAR, _LINE = (246, 246, 244), (58, 60, 66), (176, 178, 182)
_CAPTIONS = ("WHEN THE MODEL KNOWS", "FOUND ON THE WEB", "NOT MY PICTURE", "SAME AS EVER")


def border(image: Image.Image, percent: float, colour: Colour) -> Image.Image:
    """A frame around the image, as wide as so much of its shorter side."""
    return ImageOps.expand(image, _share(min(image.size), percent), colour)


def letterbox(image: Image.Image, percent: float) -> Image.Image:
    """Black bars above and below, each as high as so much of the image."""
    bar = _share(image.height, percent)
    return ImageOps.expand(image, (0, bar, 0, bar), (0, 0, 0))


def pillarbox(image: Image.Image, percent: float) -> Image.Image:
    """Black bars at both sides, each as wide as so much of the image."""
    bar = _share(image.width, percent)
    return ImageOps.expand(image, (bar, 0, bar, 0), (0, 0, 0))


def caption(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """A line of white text with a black edge near the bottom, four fifths of the width."""
    text = _CAPTIONS[int(random.integers(len(_CAPTIONS)))]
    mask = _text(text, image.width * 0.8)
    left = (image.width - mask.width) // 2
    top = max(0, image.height - mask.height - _share(image.height, 4))
    edited = image.copy()
    edge = max(1, mask.height // 12)
    for x, y in ((-edge, 0), (edge, 0), (0, -edge), (0, edge)):
        edited.paste((0, 0, 0), (left + x, top + y), mask)
    edited.paste((255, 255, 255), (left, top), mask)
    return edited


def watermark(image: Image.Image) -> Image.Image:
    """White text of a third opacity across the middle, as wide as the image."""
    mask = _text("SAMPLE IMAGE", image.width).point([value // 3 for value in range(256)])
    edited = image.copy()
    edited.paste((255, 255, 255), (0, (image.height - mask.height) // 2), mask)
    return edited


def logo(image: Image.Image, percent: float, random: np.random.Generator) -> Image.Image:
    """A disc with a ring in a corner, so much of the shorter side wide, in a seeded colour."""
    side, margin = _share(min(image.size), percent), _share(min(image.size), 2)
    colour = tuple(int(value) for value in random.integers(0, 256, 3))
    at_right, at_bottom = (bool(value) for value in random.integers(0, 2, 2))
    left = max(0, image.width - side - margin) if at_right else margin
    top = max(0, image.height - side - margin) if at_bottom else margin
    edited = image.copy()
    canvas = ImageDraw.Draw(edited)
    for part, fill in ((0.0, (255, 255, 255)), (0.08, colour), (0.3, (255, 255, 255))):
        inset = side * part
        box = (left + inset, top + inset, left + side - inset, top + side - inset)
        canvas.ellipse(box, fill=fill)
    return edited


def screenshot_page(image: Image.Image) -> Image.Image:
    """On a light page under a dark title bar, above lines of text; the page scaled to 70 %."""
    width, height = image.size
    side, bar, below = _share(width, 12), _share(height, 10), _share(height, 22)
    page = Image.new("RGB", (width + 2 * side, bar + bar + height + below), _PAGE)
    canvas = ImageDraw.Draw(page)
    canvas.rectangle((0, 0, page.width, bar), fill=_BAR)
    page.paste(image, (side, 2 * bar))
    for line in range(3):
        top = 2 * bar + height + below * (2 * line + 1) // 7
        right = side + width * (3 - line) // 3
        canvas.rectangle((side, top, right, top + below // 10), fill=_LINE)
    return resize(page, 0.7)


def screenshot_phone(image: Image.Image) -> Image.Image:
    """The full width of a black screen, with a status bar above and buttons below; then 80 %."""
    width, height = image.size
    above, below = _share(height, 8), _share(height, 14)
    screen = Image.new("RGB", (width, above + height + below))
    screen.paste(image, (0, above))
    canvas = ImageDraw.Draw(screen)
    canvas.rectangle((width // 20, above // 3, width // 5, above // 2), fill=_LINE)
    canvas.rectangle((width * 9 // 10, above // 3, width * 19 // 20, above // 2), fill=_LINE)
    size = below // 3
    for button in range(3):
        left, top = width * (2 * button + 1) // 6 - size // 2, above + height + size
        canvas.ellipse((left, top, left + size, top + size), fill=_LINE)
    return resize(screen, 0.8)


def _share(length: int, percent: float) -> int:
    return max(1, round(length * percent / 100))


def _text(text: str, width: float) -> Image.Image:
    """The text as a mask of a given width, in the font that every Pillow brings along."""
    font = ImageFont.load_default()
    left, top, right, bottom = (int(value) for value in font.getbbox(text))
    mask = Image.new("L", (max(1, right - left), max(1, bottom - top)))
    ImageDraw.Draw(mask).text((-left, -top), text, fill=255, font=font)
    scale = width / mask.width
    size = (max(1, round(width)), max(1, round(mask.height * scale)))
    return mask.resize(size, LANCZOS)
