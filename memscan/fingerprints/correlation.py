"""Pearson's correlation of a residual with a fingerprint, also where the grid has been shifted."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Arrays = npt.NDArray[np.float32]
Spectrum = npt.NDArray[np.complex128]
Surface = npt.NDArray[np.float64]

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


def spectrum(values: Arrays) -> Spectrum:
    """The Fourier transform of a residual or a pattern, standardised: (3, height, width // 2 + 1).

    It is worth keeping for many correlations with the same one.
    """
    planes = standardised(values).transpose(2, 0, 1).astype(np.float64)
    found: Spectrum = np.fft.rfft2(planes)
    return found


def at_phases(residual: Spectrum, pattern: Spectrum, width: int) -> Surface:
    """The correlation at each phase, of shape (PERIOD, PERIOD), from -1 to 1.

    From the spectra of both, which are equally large and ``width`` pixels wide. Place (y, x) is
    that of an image which was moved down by y pixels and right by x; (0, 0) is the plain
    correlation of DIF. What leaves the pattern at one side enters at the other (the circular
    correlation). Only the values at the phases are transformed back, as two products with few rows.
    """
    height = residual.shape[1]
    product = residual[0] * pattern[0].conj()
    for one, wanted in zip(residual[1:], pattern[1:]):
        product += one * wanted.conj()
    down = _waves(height, height)
    across = _waves(width, residual.shape[2])
    mirrored = np.full(residual.shape[2], 2.0)  # a real signal's other half is this one's conjugate
    mirrored[0] = 1
    if width % 2 == 0:
        mirrored[-1] = 1
    found: Surface = ((down @ product) * mirrored @ across.T).real / (height * width) ** 2 / 3
    return found


def _waves(length: int, frequencies: int) -> Spectrum:
    """The waves of the inverse transform at the first PERIOD places: (PERIOD, frequencies)."""
    turns = np.outer(np.arange(PERIOD), np.arange(frequencies)) % length / length
    waves: Spectrum = np.exp(2j * np.pi * turns)
    return waves
