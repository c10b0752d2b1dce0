"""What is left of an image when its picture is taken away: noise, and the generator's traces.

A residual is a function from pixels, float32 of shape (height, width, 3) from 0 to 1, to float32 of
the same shape. DIF takes what a trained denoiser (DnCNN) sees as noise, whose weights cannot be
had; classical filters stand in, and a small denoiser of one's own can be trained.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Callable, Mapping

import numpy as np
import numpy.typing as npt

from memscan.fingerprints import denoiser

if TYPE_CHECKING:
    from memscan.fingerprints.fingerprint import Fingerprint

Pixels = npt.NDArray[np.float32]
Residual = Callable[[Pixels], Pixels]

CLIP = np.float32(0.01)
"""Where the Laplacian is cut, so that edges of the picture do not outweigh its noise."""

WINDOW, NOISE = 7, 3 / 255
"""Of the Wiener filter: pixels a side, and the standard deviation of the noise it takes away."""


def laplacian(pixels: Pixels) -> Pixels:
    """The second difference along both axes, cut to -0.01 to 0.01.

    The kernel is the outer product of (-1, 2, -1) with itself, over 4; borders are mirrored.
    """
    across = _second_difference(pixels, 1)
    return np.clip(_second_difference(across, 0) / 4, -CLIP, CLIP)


def wiener(pixels: Pixels) -> Pixels:
    """What Wiener's local filter takes away: deviations from the local mean, less where it varies.

    For the local mean m and variance v (7 x 7), the estimate of the picture is
    m + max(v - s^2, 0) / max(v, s^2) (x - m) with s = 3/255 (Lim, 1990; scipy.signal.wiener).
    """
    from scipy.ndimage import uniform_filter  # 0.2 s of import, for this residual alone

    size = (WINDOW, WINDOW, 1)
    mean = uniform_filter(pixels, size)
    variance = uniform_filter(pixels * pixels, size) - mean * mean
    noise = np.float32(NOISE**2)
    kept = np.maximum(variance - noise, 0) / np.maximum(variance, noise)
    residual: Pixels = ((1 - kept) * (pixels - mean)).astype(np.float32)
    return residual


RESIDUALS: Mapping[str, Residual] = {"laplacian": laplacian, "wiener": wiener}
"""The residuals that need no weights, by the names that fingerprints record."""

DENOISER = "denoiser"
"""The name of the residual whose weights are in the fingerprint's file."""

NAMES = (*RESIDUALS, DENOISER)


def residual_of(fingerprint: Fingerprint) -> Residual:
    """The residual that a fingerprint was learned from, and images are compared with it by."""
    if fingerprint.residual == DENOISER:
        return learned(fingerprint.weights)
    return RESIDUALS[fingerprint.residual]


def learned(weights: denoiser.Weights) -> Residual:
    """The noise that a denoiser with these weights sees."""
    return partial(denoiser.noise, weights=weights)


def _second_difference(pixels: Pixels, axis: int) -> Pixels:
    widths = [(1, 1) if one == axis else (0, 0) for one in range(pixels.ndim)]
    padded = np.pad(pixels, widths, mode="symmetric")
    length = pixels.shape[axis]
    before, here, after = (
        np.take(padded, range(start, start + length), axis) for start in range(3)
    )
    difference: Pixels = 2 * here - before - after
    return difference
