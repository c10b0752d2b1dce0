"""The mean residual as a fingerprint: the baseline that learning has to beat.

Marra et al., "Do GANs leave artificial fingerprints?" (2019): what all images of a generator share
is what is left of the average of their residuals.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.float32]


class MeanResidual(NamedTuple):
    """The pattern, float32 of shape (values,) from -1 to 1, and both classes' mean correlations."""

    pattern: Rows
    mean_real: float
    mean_fake: float


def mean_residual(real: Rows, fake: Rows) -> MeanResidual:
    """The fingerprint of generated images from standardised residuals, one in each row.

    A generated image correlates with a mean that it is part of, be there a fingerprint or not, so
    that its correlation is that with the mean of all others. ``fake`` has at least two rows,
    of which one is no row of zeros.
    """
    total = fake.sum(axis=0, dtype=np.float64)
    values = fake.shape[1]
    others = [_correlation(row, total - row, values) for row in fake]
    pattern = (total / np.abs(total).max()).astype(np.float32)
    plain = [_correlation(row, pattern.astype(np.float64), values) for row in real]
    return MeanResidual(pattern, float(np.mean(plain)), float(np.mean(others)))


def _correlation(row: Rows, pattern: npt.NDArray[np.float64], values: int) -> float:
    """Of a standardised row with a pattern of any mean; 0 with one that is the same everywhere."""
    deviation = float(pattern.std())
    return float(row @ (pattern - pattern.mean())) / (values * deviation) if deviation else 0.0
