"""The renderings of an image that are hashed, and how they are made.

Mirrorings and turns are made of the target, for the price of a few signs: they turn into signs and
transpositions of the transform. Crops are made of the source while it is decoded anyway, from one
reduction of it to 128 x 128 pixels. Each is hashed as pHash hashes a whole image; the hash of the
full image is imagehash's own and not made here.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple, Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from memscan import borders, hashing, resampling, turns
from memscan.errors import InputError
from memscan.evidence import detail

LEVELS = ("plain", "training", "thorough")
"""How many views are compared, each level those of the one before and more."""

FINE_SIDE = 128
"""Pixels a side of the reduction that crops are made from."""

_VERSION = 1  # of what is made below; part of the key of every kept hash

_STEP = 1.03
_LEAST_CROP = 0.72  # of each side: a step beyond three quarters, which is then between two
_CORNERS = {0.95: 3, 0.9: 5}  # the side of an off-centre crop, and its places along each side


Coefficients = npt.NDArray[np.float64]

UPRIGHT, SQUARE, TRIMMED = "upright", "square", "without its border"


class Window(NamedTuple):
    """A part of an image, as shares of its width and height."""

    left: float
    upper: float
    right: float
    lower: float


class ViewSet(NamedTuple):
    """The views that are hashed of an image besides the full one, by their names in order."""

    key: str
    names: tuple[str, ...]


def _centred(side: float) -> Window:
    return Window((1 - side) / 2, (1 - side) / 2, (1 + side) / 2, (1 + side) / 2)


def _crops() -> dict[str, Window]:
    steps = math.floor(math.log(1 / _LEAST_CROP, _STEP))
    sides = [_STEP**-step for step in range(1, steps + 1)]
    return {f"centre {100 * side:.0f} %": _centred(side) for side in sides}


def _off_centre() -> dict[str, Window]:
    windows = {}
    for side, places in _CORNERS.items():
        for row in range(places):
            for column in range(places):
                if (row, column) != (places // 2, places // 2):  # that is a centre crop
                    left = (1 - side) * column / (places - 1)
                    upper = (1 - side) * row / (places - 1)
                    name = f"off-centre {100 * side:.0f} % ({left:.0%} right, {upper:.0%} down)"
                    windows[name] = Window(left, upper, left + side, upper + side)
    return windows


_CROPS = _crops()
_OFF_CENTRE = _off_centre()
_WINDOWS = {**_CROPS, **_OFF_CENTRE}
_TURNED = tuple(turns.TURNS)[1:]

NONE = ViewSet("", ())
_SOURCES = {
    "plain": NONE,
    "training": ViewSet(f"training/{_VERSION}", (UPRIGHT, SQUARE, *_CROPS)),
    "thorough": ViewSet(f"thorough/{_VERSION}", (UPRIGHT, SQUARE, *_CROPS, *_OFF_CENTRE)),
}
_TARGETS = {
    "plain": ViewSet(f"turned/{_VERSION}", (*_TURNED, UPRIGHT)),
    "training": ViewSet(f"turned/{_VERSION}", (*_TURNED, UPRIGHT)),
    "thorough": ViewSet(
        f"trimmed/{_VERSION}",
        (*_TURNED, UPRIGHT, TRIMMED, *(f"{TRIMMED}, {turn}" for turn in _TURNED)),
    ),
}
_COUNTED = {
    "plain": ("full",),
    "training": ("full", "mirrored"),
    "thorough": ("full", *_TARGETS["thorough"].names),
}


def of_source(level: str) -> ViewSet:
    """The views of source images at one of :data:`LEVELS`. Raises InputError for another."""
    return _SOURCES[_checked(level)]


def of_target(level: str, hints: bool = True) -> ViewSet:
    """The views of targets; those beyond :func:`counted` only give hints."""
    if hints:
        return _TARGETS[_checked(level)]
    names = counted(level)[1:]
    return ViewSet(f"counted {level}/{_VERSION}", names) if names else NONE


def counted(level: str) -> tuple[str, ...]:
    """The views of a target that decide a verdict at this level, the full one first."""
    return _COUNTED[_checked(level)]


def level_of(name: str) -> str:
    """The first level at which a view of a target counts."""
    return next((level for level in LEVELS if name in _COUNTED[level]), LEVELS[-1])


def _checked(level: str) -> str:
    if level not in LEVELS:
        raise InputError(f"views must be one of {', '.join(LEVELS)}")
    return level


class Material(NamedTuple):
    """What the views of one image are made from, kept small until a chunk of images is done."""

    fine: npt.NDArray[np.uint8] | None
    trimmed: npt.NDArray[np.uint8] | None
    square: Window
    upright: str


def material(image: Image.Image, grey: Image.Image, views: ViewSet) -> Material:
    """Reduce an image to what ``views`` need. ``grey`` is its :func:`hashing.luminance`."""
    fine = trimmed = None
    if SQUARE in views.names:
        fine = np.asarray(grey.resize((FINE_SIDE, FINE_SIDE), Image.Resampling.BOX))
    if TRIMMED in views.names:
        box = borders.content_box(grey)
        if box is not None:
            trimmed = resampling.reduce(grey.crop(box))
    return Material(fine, trimmed, _square(image.width, image.height), turns.upright(image))


def hashes(
    views: ViewSet,
    full: Coefficients,
    full_hashes: npt.NDArray[np.uint64],
    materials: Sequence[Material],
) -> npt.NDArray[np.uint64]:
    """The hashes of n images in all views, of shape (n, len(views.names)).

    ``full``, of shape (n, 8, 8), is the transform of the full images. A view that an image does
    not have (no border, no orientation), or that has too little detail for a hash, has the full
    image's hash: it then adds nothing to what is found.
    """
    columns = np.repeat(full_hashes[:, None], len(views.names), axis=1)
    trimmed = _transforms([one.trimmed for one in materials], full)
    asked = np.array([one.upright for one in materials])
    made: dict[str, Coefficients] = {}
    for name in views.names:
        if name in turns.TURNS:
            made[name] = turns.turned(full, name)
        elif name.startswith(TRIMMED):
            turn = name[len(TRIMMED) + 2 :]
            made[name] = turns.turned(trimmed, turn) if turn else trimmed
        elif name == UPRIGHT:
            upright = full.copy()
            for turn in set(asked.tolist()) - {"full"}:
                upright[asked == turn] = turns.turned(full[asked == turn], turn)
            made[name] = upright
    if SQUARE in views.names:
        fine = np.stack([one.fine for one in materials if one.fine is not None]).astype(np.float64)
        squares = [_cropped(grey[None], one.square)[0] for grey, one in zip(fine, materials)]
        made[SQUARE] = np.stack(squares)
        for name in views.names:
            if name in _WINDOWS:
                made[name] = _cropped(fine, _WINDOWS[name])
    for column, name in enumerate(views.names):
        changed = (made[name] != full).any(axis=(1, 2))
        clear = changed & (detail.firm_bits(made[name]) >= detail.FIRM_BITS)
        columns[clear, column] = hashing.pack(made[name][clear])
    return columns


def draw(image: Image.Image, name: str) -> Image.Image:
    """The image as the view of this name shows it, in its own mode and without any reduction."""
    if name in ("", "full"):
        return image
    if name == UPRIGHT:
        return turns.draw(image, turns.upright(image))
    if name.startswith(TRIMMED):
        box = borders.content_box(hashing.luminance(image))
        return draw(image.crop(box) if box else image, name[len(TRIMMED) + 2 :])
    if name in turns.TURNS:
        return turns.draw(image, name)
    window = _square(image.width, image.height) if name == SQUARE else _WINDOWS[name]
    sides = (image.width, image.height) * 2
    return image.crop(tuple(round(share * side) for share, side in zip(window, sides)))  # type: ignore[arg-type]


def _square(width: int, height: int) -> Window:
    side = min(width, height)
    across, down = side / width, side / height
    return Window((1 - across) / 2, (1 - down) / 2, (1 + across) / 2, (1 + down) / 2)


def _transforms(
    thumbnails: Sequence[npt.NDArray[np.uint8] | None], otherwise: Coefficients
) -> Coefficients:
    """The transforms of those thumbnails that there are."""
    result = otherwise.copy()
    rows = [row for row, thumbnail in enumerate(thumbnails) if thumbnail is not None]
    if rows:
        there = np.stack([thumbnail for thumbnail in thumbnails if thumbnail is not None])
        result[rows] = hashing.transform(there)
    return result


def _cropped(fine: npt.NDArray[np.float64], window: Window) -> Coefficients:
    """The transforms, of shape (n, 8, 8), of a part of reductions of shape (n, 128, 128)."""
    down = _weights(window.upper, window.lower)
    across = _weights(window.left, window.right)
    result: Coefficients = down @ fine @ across.T
    return result


@functools.lru_cache(maxsize=4096)
def _weights(first: float, last: float) -> npt.NDArray[np.float64]:
    """The DCT of a Lanczos reduction of a part of 128 pixels to 32, of shape (8, 128)."""
    start, end = first * FINE_SIDE, last * FINE_SIDE
    scale = (end - start) / resampling.SIDE
    stretch = max(scale, 1.0)
    places = np.arange(FINE_SIDE) + 0.5
    centres = start + (np.arange(resampling.SIDE) + 0.5) * scale
    offsets = (places - centres[:, None]) / stretch
    lanczos = np.where(np.abs(offsets) < 3, np.sinc(offsets) * np.sinc(offsets / 3), 0.0)
    lanczos *= (places > start) & (places < end)
    missed = np.flatnonzero(lanczos.sum(axis=1) == 0)  # by a part narrower than a pixel
    lanczos[missed, centres[missed].astype(np.intp)] = 1.0
    lanczos /= lanczos.sum(axis=1, keepdims=True)
    weights: npt.NDArray[np.float64] = hashing.DCT @ lanczos
    return weights
