from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from memscan.fingerprints import correlation, scoring
from memscan.fingerprints.residuals import laplacian
from memscan.fingerprints.scoring import Bank
from tests.fingerprints import making
from tests.fingerprints.generators import SIDE, drawn, learned


def surfaces(bank: Bank, *pictures: object) -> correlation.Surface:
    return np.stack([bank.surfaces(np.asarray(picture)) for picture in pictures])


def test_scores_are_correlations_that_rise_with_suspicion() -> None:
    """The loss fixes no sign: a fingerprint may be learned upside down."""
    pixels = np.asarray(drawn(1, "alpha"))
    residual = laplacian(pixels.astype(np.float32) / np.float32(255))
    plain = making.correlations(residual, learned("alpha").pattern)
    bank = Bank([learned("alpha"), learned("alpha", sign=-1)])
    found = bank.surfaces(pixels)
    assert found[0] == pytest.approx(plain, abs=1e-7)
    assert found[1] == pytest.approx(found[0], abs=1e-7)
    assert found[0, 0, 0] > 0.1


def test_generators_are_told_apart_from_each_other_and_from_real_images() -> None:
    bank = Bank([learned("alpha"), learned("beta", sign=-1)])
    names = ["alpha", "beta", None]
    pictures = [drawn(seed, name) for name in names for seed in range(8)]
    scores = scoring.scores(surfaces(bank, *pictures), search=False).reshape(3, 8, 2)
    assert scores[0, :, 0].min() > scores[1:, :, 0].max()
    assert scores[1, :, 1].min() > max(scores[0, :, 1].max(), scores[2, :, 1].max())


def test_the_search_undoes_a_shift_and_says_where() -> None:
    bank = Bank([learned("alpha")])
    moved = drawn(2, "alpha", (SIDE + 8, SIDE + 8)).crop((3, 1, 3 + SIDE, 1 + SIDE))
    found = surfaces(bank, moved)
    assert scoring.phases(found).tolist() == [[[7, 5]]]  # cut off at the top: moved up, by 1 of 8
    assert scoring.scores(found, search=True)[0, 0] > 0.1
    assert scoring.scores(found, search=False)[0, 0] < 0.05


@pytest.mark.parametrize("size", [(64, 64), (71, 64), (80, 75), (96, 128), (129, 131)])
def test_the_grid_lies_the_same_in_images_of_any_size(size: tuple[int, int]) -> None:
    found = Bank([learned("alpha")]).surfaces(np.asarray(drawn(3, "alpha", size)))
    assert scoring.phases(found).tolist() == [[0, 0]]


def test_a_small_image_is_missed_rather_than_accused() -> None:
    bank = Bank([learned("alpha", side=128)])
    sizes = ((128, 128), (64, 64), (40, 24))
    real = [
        [bank.surfaces(np.asarray(drawn(seed, None, size)))[0, 0, 0] for seed in range(40)]
        for size in sizes
    ]
    spread = [float(np.std(scores)) for scores in real]
    assert max(spread) < 1.5 * spread[0]
    fake = [bank.surfaces(np.asarray(drawn(1, "alpha", size)))[0, 0, 0] for size in sizes]
    assert fake[0] > fake[1] > fake[2]
    assert fake[1] > 5 * spread[1]


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (7, 8), (63, 65)])
def test_an_image_of_any_size_has_scores(size: tuple[int, int]) -> None:
    found = Bank([learned("alpha"), learned("beta", side=32)]).surfaces(
        np.asarray(drawn(1, None, size))
    )
    assert np.isfinite(found).all()


def test_fingerprints_of_several_sizes_and_residuals_meet_the_same_image() -> None:
    some = [learned("alpha"), learned("alpha", side=32), learned("alpha", residual="wiener")]
    pixels = np.asarray(drawn(4, "alpha"))
    alone = [Bank([one]).surfaces(pixels)[0] for one in some]
    assert np.array_equal(Bank(some).surfaces(pixels), np.stack(alone))


def test_the_midpoint_is_oriented_as_scores_are() -> None:
    some = [
        dataclasses.replace(learned("a"), mean_real=0.01, mean_fake=0.05),
        dataclasses.replace(learned("b"), mean_real=0.01, mean_fake=-0.05),
    ]
    assert scoring.midpoints(some) == pytest.approx([0.03, 0.02])
    assert scoring.half_gaps(some) == pytest.approx([0.02, 0.03])


def test_a_learned_denoiser_is_each_fingerprints_own() -> None:
    some = [
        making.fingerprint(16, seed, residual="denoiser", weights=making.weights((4, 3), seed))
        for seed in (1, 2)
    ]
    pixels = np.asarray(drawn(5))
    alone = [Bank([one]).surfaces(pixels)[0] for one in some]
    assert np.array_equal(Bank(some).surfaces(pixels), np.stack(alone))
    assert not np.array_equal(alone[0], alone[1])
