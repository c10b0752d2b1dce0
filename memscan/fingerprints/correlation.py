"""Pearson's correlation of a residual with a fingerprint, also where the grid has been shifted."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Arrays = npt.NDArray[np.float32]

PERIOD = 8
"""The longest period of the grids that generators leave, in pixels: their patterns repeat after 2,
4 or 8, so that an image that was shifted is one of PERIOD x PERIOD phases off."""


def standardised(values: Arrays) -> Arrays:
    """Mean 0 and deviation 1 over the last three axes; zeros where all values are equal."""
    axes = (-3, -2, -1)
    centred = values - values.mean(axis=axes, keepdims=True)
    deviation = centred.std(axis=axes, keepdims=True)
    scaled: Arrays = (centred / np.where(deviation > 0, deviation, 1)).astype(np.float32)
    return scaled


def correlations(residual: Arrays, pattern: Arrays) -> npt.NDArray[np.float64]:
    """The correlation at each phase, of shape (PERIOD, PERIOD), from -1 to 1.

    Both are of shape (height, width, 3), equally large. Place (y, x) is that of an image which was
    moved down by y pixels and right by x; (0, 0) is the plain correlation of DIF. What leaves the
    pattern at one side enters at the other (the circular correlation, by Fourier transforms).
    """
    image, wanted = (standardised(values).astype(np.float64) for values in (residual, pattern))
    axes = (0, 1)
    spectrum = np.fft.rfft2(image, axes=axes) * np.fft.rfft2(wanted, axes=axes).conj()
    shifted = np.fft.irfft2(spectrum.sum(axis=2), s=image.shape[:2], axes=axes)
    found: npt.NDArray[np.float64] = shifted[:PERIOD, :PERIOD] / image.size
    return found
