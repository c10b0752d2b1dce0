"""Pillow's Lanczos reduction of a grey image to 32 x 32 pixels, bit for bit, but faster.

Pillow resizes 8-bit images in two passes, across and then down, each a product with a matrix of
22-bit fixed-point coefficients, rounded and clipped to 8 bits (its ``Resample.c``). Such products
are exact in float64, and a matrix product is what processors do best. The coefficients of eight
neighbouring outputs lie in a narrow band of the inputs, so most of the product is never computed.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

SIDE = 32

_FIXED_POINT = float(1 << 22)
_LOBES = 3  # of the Lanczos window
_GROUP = 8  # outputs per product
_PRODUCT = 1 << 18  # multiplications per product: above it OpenBLAS would start threads of its own

# Newer versions of Pillow go down first in tall images, which rounds differently.
_LEAST_WIDTH, _MOST_HEIGHT_PER_WIDTH = 128, 1.5

Grey = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class _Band:
    """The coefficients of _GROUP outputs: those of inputs first to last, of shape (n, _GROUP)."""

    output: int
    first: int
    last: int
    coefficients: npt.NDArray[np.float64]


def reduce(image: Image.Image) -> Grey:
    """The pixels of ``image.resize((32, 32), Image.Resampling.LANCZOS)`` for an image of mode L.

    Falls back to that call where the fast way would differ from it or not be faster.
    """
    fits = image.width >= _LEAST_WIDTH and image.height <= _MOST_HEIGHT_PER_WIDTH * image.width
    if fits and image.height > SIDE and is_exact():
        return reduce_array(np.asarray(image))
    return _by_pillow(image)


def reduce_array(grey: Grey) -> Grey:
    """The fast way: an array of shape (height, width) reduced to (32, 32)."""
    height, width = grey.shape
    across, down = _bands(width), _bands(height)
    rows = max(1, _PRODUCT // (_GROUP * max(len(band.coefficients) for band in across)))
    narrow = np.empty((height, SIDE))
    buffer = np.empty((min(rows, height), width))
    for start in range(0, height, rows):
        block = buffer[: min(rows, height - start)]
        np.copyto(block, grey[start : start + rows])
        for band in across:
            np.matmul(
                block[:, band.first : band.last],
                band.coefficients,
                out=narrow[start : start + rows, band.output : band.output + _GROUP],
            )
    _round_and_clip(narrow)
    small = np.empty((SIDE, SIDE))
    for band in down:
        np.matmul(
            band.coefficients.T,
            narrow[band.first : band.last],
            out=small[band.output : band.output + _GROUP],
        )
    _round_and_clip(small)
    return small.astype(np.uint8)


@functools.lru_cache(maxsize=1)
def is_exact() -> bool:
    """Whether the fast way agrees with the installed Pillow, tried on shapes at its limits."""
    noise = np.random.default_rng(0)
    tallest = int(_LEAST_WIDTH * _MOST_HEIGHT_PER_WIDTH)
    for shape in ((SIDE + 1, _LEAST_WIDTH), (tallest, _LEAST_WIDTH), (333, 500)):
        grey = noise.integers(0, 256, shape, dtype=np.uint8)
        if not np.array_equal(reduce_array(grey), _by_pillow(Image.fromarray(grey))):
            return False
    return True


def _by_pillow(image: Image.Image) -> Grey:
    return np.asarray(image.resize((SIDE, SIDE), Image.Resampling.LANCZOS))


def _round_and_clip(sums: npt.NDArray[np.float64]) -> None:
    """Bring sums to whole numbers from 0 to 255, in place; halves are rounded up."""
    sums += 0.5
    np.floor(sums, out=sums)
    np.clip(sums, 0, 255, out=sums)


@functools.lru_cache(maxsize=1024)
def _bands(size: int) -> tuple[_Band, ...]:
    """The coefficients that bring ``size`` pixels to 32."""
    columns = [_coefficients(size, output) for output in range(SIDE)]
    bands = []
    for output in range(0, SIDE, _GROUP):
        group = columns[output : output + _GROUP]
        first = min(start for start, _ in group)
        last = max(start + len(values) for start, values in group)
        matrix = np.zeros((last - first, _GROUP))
        for column, (start, values) in enumerate(group):
            matrix[start - first : start - first + len(values), column] = values
        bands.append(_Band(output, first, last, matrix))
    return tuple(bands)


def _coefficients(size: int, output: int) -> tuple[int, npt.NDArray[np.float64]]:
    """The first input that an output depends on, and the weights from there.

    Each weight is a multiple of 2**-22, so that sums of weighted pixels are exact in float64.
    """
    scale = size / SIDE
    stretch = max(scale, 1.0)
    centre = (output + 0.5) * scale
    first = max(0, int(centre - _LOBES * stretch + 0.5))
    last = min(size, int(centre + _LOBES * stretch + 0.5))
    weights = [_lanczos((x - centre + 0.5) * (1.0 / stretch)) for x in range(first, last)]
    total = 0.0
    for weight in weights:  # one by one, as Pillow does: the order of a sum decides its last bit
        total += weight
    fixed = [weight / total * _FIXED_POINT for weight in weights]
    return first, np.trunc([value + math.copysign(0.5, value) for value in fixed]) / _FIXED_POINT


def _lanczos(x: float) -> float:
    return _sinc(x) * _sinc(x / _LOBES) if -_LOBES <= x < _LOBES else 0.0


def _sinc(x: float) -> float:
    return 1.0 if x == 0 else math.sin(x * math.pi) / (x * math.pi)
