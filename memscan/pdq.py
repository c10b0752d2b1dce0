"""PDQ: Meta's perceptual hash of 256 bits, and its quality score.

The description is ``hashing/hashing.pdf`` in the repository facebook/ThreatExchange: luma, two
passes of box filters along both axes (Jarosz's tent filter), 64 x 64 samples of the result, and
which of 16 x 16 of its DCT coefficients are above their median.

The filter is defined on the whole image. Because it is slow, Meta recommends that images of more
than 512 pixels a side be shrunk first by whatever is at hand (its issues 209 and 223), so that
implementations that do so disagree by some bits. Here it is fast, and nothing is shrunk, as in
Meta's Java version, in python-threatexchange (by the package pdqhash) and in the full-size
function of the Rust crate pdqhash: their hashes are the same.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from memscan import hashing

BITS = 256

LEAST_QUALITY = 50
"""Meta's advice: hashes of a lower quality are not worth comparing."""

_LEAST_SIDE = 5  # pixels; Meta's C++ does not hash smaller images
_SIDE = 64
_FREQUENCIES = 16
_GREY, _RGB = (1.0,), (0.299, 0.587, 0.114)  # the luma of a channel's unit
_BLOCK = 1 << 18  # samples: 2 MiB, and products so small that OpenBLAS starts no threads
_DECIMALS = 6  # far more than float64 gets wrong, far less than an image means

_DCT = np.sqrt(2 / _SIDE) * np.cos(
    np.pi / (2 * _SIDE) * np.outer(np.arange(1, _FREQUENCIES + 1), 2 * np.arange(_SIDE) + 1)
)
"""Rows 1 to 16 of the DCT-II of 64 values: the constant one, row 0, is not used."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Tap:
    """One of 64 outputs of the filter along an axis: the weighted samples from ``first`` on."""

    first: int
    weights: Floats

    @property
    def last(self) -> int:
        return self.first + len(self.weights)


def pdq(image: Image.Image) -> tuple[npt.NDArray[np.uint64], int]:
    """The PDQ hash of an image of any mode, and its quality from 0 (flat) to 100.

    The hash is 4 words of 64 bits: ``"".join(f"{word:016x}" for word in words)`` is the text that
    Meta's tools print. Two hashes of one image match at 31 bits or fewer and are worth comparing
    from quality 50 on, says Meta. An image less than 5 pixels wide or high has the hash 0 and the
    quality 0. Transparency is ignored, as by Meta. Raises HashError.
    """
    if min(image.size) < _LEAST_SIDE:
        return np.zeros(BITS // 64, np.uint64), 0
    with hashing.resizable(image):
        small = _reduced(_channels(image))
    return _hash(small), _quality(small)


def _channels(image: Image.Image) -> Image.Image:
    """The image in mode L or RGB. Raises HashError."""
    if image.mode in ("L", "RGB"):
        return image  # Pillow would copy it
    if Image.getmodebase(image.mode) == "L":
        return hashing.luminance(image)
    return image.convert("RGB")


def _reduced(image: Image.Image) -> Floats:
    """The luma of an image of mode L or RGB, filtered and brought to 64 x 64.

    All steps are linear, so each axis is one product with a banded matrix; that of the columns
    weighs the channels, too. Memory beyond the image's own is that of a block of rows.
    """
    width, height = image.size
    luma = _GREY if image.mode == "L" else _RGB
    across, down = _taps(width, luma), _taps(height, _GREY)
    rows = max(1, _BLOCK // (width * len(luma)))
    small = np.zeros((_SIDE, _SIDE))
    for start in range(0, height, rows):
        stop = min(start + rows, height)
        samples = np.asarray(image.crop((0, start, width, stop)), np.float64)
        block = samples.reshape(stop - start, -1)
        narrow = np.stack([block[:, tap.first : tap.last] @ tap.weights for tap in across], axis=1)
        for row, tap in zip(small, down):
            first, last = max(tap.first, start), min(tap.last, stop)
            if first < last:
                weights = tap.weights[first - tap.first : last - tap.first]
                row += weights @ narrow[first - start : last - start]
    return small


@functools.lru_cache(maxsize=128)
def _taps(size: int, luma: tuple[float, ...]) -> tuple[_Tap, ...]:
    """Two passes of the box filter over ``size`` pixels, at the centres of 64 equal parts.

    A pixel is one sample per channel, which ``luma`` weighs.
    """
    taps = []
    for output in range(_SIDE):
        centre = (2 * output + 1) * size // (2 * _SIDE)
        start, stop = _boxes(np.array([centre]), size)
        starts, stops = _boxes(np.arange(start[0], stop[0]), size)
        first, length = starts[0], stops[-1] - starts[0]
        shares = 1.0 / ((stops - starts) * len(starts))
        steps = np.bincount(starts - first, shares, length + 1)
        steps -= np.bincount(stops - first, shares, length + 1)
        weights = np.outer(np.cumsum(steps[:-1]), luma).ravel()
        taps.append(_Tap(int(first) * len(luma), weights))
    return tuple(taps)


def _boxes(
    pixels: npt.NDArray[np.intp], size: int
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """The first pixel that the box around each of ``pixels`` averages, and the one past the last.

    Half a 64th of the axis, rounded up. An even box has its longer half behind the pixel's centre;
    at the edges, boxes are cut off.
    """
    window = -(-size // (2 * _SIDE))
    ahead = window // 2 + 1
    return np.maximum(pixels + ahead - window, 0), np.minimum(pixels + ahead, size)


def _hash(small: Floats) -> npt.NDArray[np.uint64]:
    """Whether each coefficient is greater than their median, the highest frequencies first.

    Rounding makes coefficients equal that are so in theory, such as those of a flat image.
    """
    coefficients = np.round(_DCT @ small @ _DCT.T, _DECIMALS).ravel()
    bits = coefficients > np.median(coefficients)
    return np.packbits(bits[::-1]).view(">u8").astype(np.uint64)


def _quality(small: Floats) -> int:
    """The sum of the differences between neighbours, in whole percents of 255, over 90."""
    percents = (
        np.trunc(np.round(np.abs(np.diff(small, axis=axis)) * 100 / 255, _DECIMALS)).sum()
        for axis in (0, 1)
    )
    return min(100, int(sum(percents)) // 90)
