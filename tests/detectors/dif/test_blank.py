from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed (the learned extra has it)")

from memscan.detectors.dif import blank
from memscan.errors import InputError
from memscan.fingerprints import grids


def test_an_even_grey_holds_the_grid_of_the_network() -> None:
    told = []
    made = blank.draw(64, 12, progress=lambda *seen: told.append(seen))
    assert made.pixels.shape == (64, 64, 3)
    assert made.pixels.dtype == np.float32
    assert told == [("training", step, 12) for step in range(1, 13)]
    first, second = grids.peaks(made.pixels)[:2]
    assert first.ratio > 2  # white noise has 0.9, give or take 0.2
    assert second.ratio > 1.5


def test_it_learns_and_the_error_is_that_of_the_pixels() -> None:
    before, after = (blank.draw(32, steps) for steps in (1, 12))
    assert after.error < before.error
    for made in (before, after):
        assert made.error == pytest.approx(float(((made.pixels - blank.GREY) ** 2).mean()))


def test_the_seed_decides() -> None:
    first, again, other = (blank.draw(32, 2, seed).pixels for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize("side", [0, 16, 40, 100])
def test_a_side_that_cannot_be_halved_is_refused(side: int) -> None:
    with pytest.raises(InputError, match="--side must be a multiple of 16"):
        blank.draw(side, 1)
