"""Whether an image has enough detail for its hash to mean anything."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

# One grey level of noise per pixel of a 32 x 32 thumbnail moves each coefficient of its
# unnormalised DCT-II by 4 * sqrt(1024 / 4) = 64. A coefficient within two such steps of the median
# gives a bit that noise can turn. Flat images and gradients keep 0 to 9 firm bits, noise of two
# grey levels about 20, 500 photographs 43 and more (see DESIGN.md).
NOISE_LEVELS = 2
NOISE_STEP = 64.0
FIRM_BITS = 20

LEAST_CONTRAST = 3.0
"""Grey levels, as a standard deviation: a thumbnail with less is nearly flat."""


def firm_bits(coefficients: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """The number of bits of each pHash (0 to 64) that slight noise would not turn.

    ``coefficients``, of shape (n, 8, 8), are those of the unnormalised DCT-II of the 32 x 32
    thumbnails; pHash compares them with their median. A bit is firm when its coefficient is
    further from the median than two grey levels of noise would move it.
    """
    flat = coefficients.reshape(-1, 64)
    margins = np.abs(flat - np.median(flat, axis=1, keepdims=True))
    firm: npt.NDArray[np.int64] = (margins > NOISE_LEVELS * NOISE_STEP).sum(axis=1)
    return firm


def low_information(
    thumbnails: npt.NDArray[np.uint8], coefficients: npt.NDArray[np.float64]
) -> npt.NDArray[np.bool_]:
    """Which images have too little structure for their pHash to tell them from others.

    ``thumbnails`` has shape (n, 32, 32), ``coefficients`` (n, 8, 8). True for flat and nearly flat
    images, plain gradients and periodic patterns: two of them have close hashes without any of
    them being a copy.
    """
    faint: npt.NDArray[np.bool_] = thumbnails.std(axis=(1, 2)) < LEAST_CONTRAST
    return faint | (firm_bits(coefficients) < FIRM_BITS)


def fingerprint() -> str:
    """What must be equal for two judgements of low information to be comparable."""
    return f"firm>={FIRM_BITS}/{NOISE_LEVELS} contrast>={LEAST_CONTRAST}"
