from __future__ import annotations

import numpy as np
import numpy.typing as npt

from memscan.fingerprints.correlation import standardised
from memscan.fingerprints.mean_residual import mean_residual


def rows(count: int, strength: float, seed: int) -> npt.NDArray[np.float32]:
    """Noise with some of one pattern in it."""
    shared = np.random.default_rng(0).standard_normal((16, 16, 3))
    noise = np.random.default_rng(seed).standard_normal((count, 16, 16, 3))
    return standardised((noise + strength * shared).astype(np.float32)).reshape(count, -1)


def test_each_image_is_compared_with_the_mean_of_the_others() -> None:
    real, fake = rows(5, 0, 1), rows(7, 0.3, 2)
    found = mean_residual(real, fake)
    wanted = [
        np.corrcoef(row, np.delete(fake, place, 0).mean(0))[0, 1] for place, row in enumerate(fake)
    ]
    assert np.isclose(found.mean_fake, np.mean(wanted), atol=1e-6)
    plain = [np.corrcoef(row, fake.mean(0))[0, 1] for row in real]
    assert np.isclose(found.mean_real, np.mean(plain), atol=1e-6)
    assert np.allclose(found.pattern, fake.mean(0) / np.abs(fake.mean(0)).max(), atol=1e-6)


def test_images_without_a_fingerprint_have_none() -> None:
    """Though each of them would correlate with a mean that it is part of."""
    fake = rows(20, 0, 3)
    found = mean_residual(rows(20, 0, 4), fake)
    inside = np.corrcoef(fake[0], fake.mean(0))[0, 1]
    assert abs(found.mean_fake) < 0.02 < inside


def test_the_others_may_all_be_plain_areas() -> None:
    fake = np.concatenate([rows(1, 0, 3), np.zeros((2, 16 * 16 * 3), np.float32)])
    found = mean_residual(np.zeros((3, 16 * 16 * 3), np.float32), fake)
    assert (found.mean_real, found.mean_fake) == (0, 0)
    assert np.abs(found.pattern).max() == 1
