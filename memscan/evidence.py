"""How much a distance is worth."""

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

_FREQUENCIES, _PIXELS = np.arange(8)[:, None], np.arange(32)[None, :]
_DCT = 2.0 * np.cos(np.pi * _FREQUENCIES * (2 * _PIXELS + 1) / 64)


def firm_bits(thumbnail: npt.NDArray[np.uint8]) -> int:
    """The number of bits of a pHash (0 to 64) that slight noise would not turn.

    ``thumbnail`` is the 32 x 32 grey image that pHash transforms. pHash compares the 8 x 8 lowest
    coefficients of its DCT-II with their median; a bit is firm when its coefficient is further
    from the median than two grey levels of noise would move it.
    """
    coefficients = _DCT @ thumbnail @ _DCT.T
    margins = np.abs(coefficients - np.median(coefficients))
    return int(np.count_nonzero(margins > NOISE_LEVELS * NOISE_STEP))


def is_low_information(thumbnail: npt.NDArray[np.uint8]) -> bool:
    """Whether the image has too little structure for its pHash to tell it from others.

    ``thumbnail`` is the 32 x 32 grey image that pHash transforms. True for flat and nearly flat
    images, plain gradients and periodic patterns: two of them have close hashes without any of
    them being a copy.
    """
    return bool(thumbnail.std() < LEAST_CONTRAST) or firm_bits(thumbnail) < FIRM_BITS
