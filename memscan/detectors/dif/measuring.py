"""What a fingerprint is worth on images that it was not learned from."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from memscan.detectors.dif.examples import Residuals
from memscan.evidence.rates import Rate, rate
from memscan.fingerprints.correlation import standardised
from memscan.fingerprints.residuals import Pixels


class Worth(NamedTuple):
    """How many images of each class are nearer to the mean of their own.

    ``separation`` is the distance of the means of these images in deviations within the classes
    (d'), 0 where there is no deviation.
    """

    real: Rate
    fake: Rate
    separation: float

    @property
    def accuracy(self) -> Rate:
        """Of both classes together."""
        return rate(self.real.count + self.fake.count, self.real.total + self.fake.total)


def measure(pattern: Pixels, mean_real: float, mean_fake: float, held_out: Residuals) -> Worth:
    """The worth of a pattern, of shape (side, side, 3), by the nearest mean."""
    row = standardised(pattern).ravel()
    real, fake = (rows.astype(np.float64) @ row / len(row) for rows in held_out)
    real_right = np.abs(real - mean_real) < np.abs(real - mean_fake)
    fake_right = np.abs(fake - mean_fake) < np.abs(fake - mean_real)
    within = float(np.sqrt((real.var() + fake.var()) / 2))
    return Worth(
        rate(int(real_right.sum()), len(real)),
        rate(int(fake_right.sum()), len(fake)),
        abs(float(real.mean() - fake.mean())) / within if within else 0.0,
    )
