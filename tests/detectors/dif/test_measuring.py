from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from memscan.detectors.dif.examples import Residuals
from memscan.detectors.dif.measuring import measure
from memscan.fingerprints.correlation import standardised

Values = npt.NDArray[np.float32]


def rows(correlations: list[float], pattern: Values) -> Values:
    """Standardised rows with exactly these correlations with a pattern."""
    own = standardised(pattern).ravel().astype(np.float64)
    found = []
    for seed, wanted in enumerate(correlations):
        noise = np.random.default_rng(seed).standard_normal(own.size)
        noise -= noise.mean()
        noise -= noise @ own / own.size * own
        found.append(wanted * own + np.sqrt(1 - wanted**2) * noise / noise.std())
    return np.stack(found).astype(np.float32)


@pytest.mark.parametrize("sign", [1, -1])
def test_the_nearest_mean_decides_whichever_is_higher(sign: int) -> None:
    pattern = np.random.default_rng(9).uniform(-1, 1, (16, 16, 3)).astype(np.float32)
    real, fake = [0.0, 0.004, 0.006, -0.3], [0.006, 0.004, 0.5]
    held_out = Residuals(*(rows([sign * one for one in part], pattern) for part in (real, fake)))
    found = measure(pattern, 0.0, sign * 0.01, held_out)
    assert (found.real.count, found.real.total) == (3, 4)
    assert (found.fake.count, found.fake.total) == (2, 3)
    assert (found.accuracy.count, found.accuracy.total) == (5, 7)
    assert found.accuracy.low < 5 / 7 < found.accuracy.high
    within = np.sqrt((np.var(real) + np.var(fake)) / 2)
    assert found.separation == pytest.approx((np.mean(fake) - np.mean(real)) / within, rel=1e-3)


def test_without_deviation_there_is_nothing_to_say() -> None:
    pattern = np.random.default_rng(9).uniform(-1, 1, (16, 16, 3)).astype(np.float32)
    one = rows([0.1], pattern)
    assert measure(pattern, 0.0, 0.1, Residuals(one, one)).separation == 0
