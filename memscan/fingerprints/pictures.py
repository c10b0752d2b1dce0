"""Fingerprints to look at: the pattern, and its Fourier transform."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from memscan.fingerprints import grids
from memscan.fingerprints.residuals import Pixels

LEAST_SIDE = 512
"""Pixels; smaller pictures are enlarged by repeating each pixel a whole number of times."""

_DEVIATIONS = 3.0  # of a channel: what is further from its mean is black or white
_CONTRAST = 4  # the power that leaves only peaks of the logarithm, as published


def of_pattern(pattern: Pixels) -> Image.Image:
    """The pattern (height, width, 3), each channel around its mean, stretched."""
    planes = pattern.astype(np.float64)
    centred = planes - planes.mean(axis=(0, 1))
    scale = _DEVIATIONS * np.maximum(centred.std(axis=(0, 1)), np.finfo(np.float32).tiny)
    return _drawn(0.5 + centred / (2 * scale))


def of_spectrum(pattern: Pixels) -> Image.Image:
    """The magnitudes of its frequencies, the slow ones in the middle: grey, logarithmic."""
    found = grids.magnitudes(pattern)
    least = max(float(found[found > 0].min(initial=1.0)), float(np.finfo(np.float32).tiny))
    logarithms = np.log(np.maximum(found, least))
    spread = max(float(np.ptp(logarithms)), float(np.finfo(np.float32).tiny))
    scaled = (logarithms - logarithms.min()) / spread
    return _drawn(np.fft.fftshift(scaled) ** _CONTRAST)


def as_is(pixels: Pixels) -> Image.Image:
    """Pixels from -1 to 1, of shape (height, width, 3), as they are."""
    return _drawn(0.5 + pixels / 2)


def _drawn(values: npt.NDArray[np.floating]) -> Image.Image:
    """Values from 0 to 1, cut there; grey without a third axis."""
    levels = np.rint(255 * np.clip(values, 0, 1)).astype(np.uint8)
    times = max(1, -(-LEAST_SIDE // min(levels.shape[:2])))
    return Image.fromarray(levels.repeat(times, axis=0).repeat(times, axis=1))
