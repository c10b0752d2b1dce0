from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from memscan import hamming, hashing
from memscan.evidence import chance, detail
from tests.drawing import shipped_photographs

INDEPENDENT = np.array([math.comb(32, half) ** 2 for half in range(33)]) / math.comb(64, 32)


def balanced_hashes(count: int, seed: int = 0) -> npt.NDArray[np.uint64]:
    """Hashes of 32 set bits each, otherwise at random."""
    order = np.random.default_rng(seed).random((count, 64)).argsort(axis=1)
    return np.packbits(order < 32, axis=1).view(">u8").astype(np.uint64).ravel()


def test_independent_bits_are_foreseen() -> None:
    targets, sources = balanced_hashes(50), balanced_hashes(20_000, seed=1)
    expected = chance.expected(hamming.histograms(targets, sources))
    truth = INDEPENDENT * len(sources)
    middle = slice(9, 24)  # distances 18 to 46
    assert expected[:, middle].mean(axis=0) == pytest.approx(truth[middle], rel=0.05)


@pytest.mark.parametrize("sources", [200, 5000])
def test_close_pairs_of_independent_bits_are_never_called_rarer_than_they_are(
    sources: int,
) -> None:
    expected = chance.expected(
        hamming.histograms(balanced_hashes(20), balanced_hashes(sources, seed=1))
    )
    assert (expected.mean(axis=0)[:9] >= INDEPENDENT[:9] * sources).all()


def test_copies_do_not_change_what_is_expected() -> None:
    """All of them lie below the bulk that the model is fitted to."""
    target, sources = balanced_hashes(1), balanced_hashes(1000, seed=1)
    copies = np.repeat(target, 300) ^ np.uint64(0b11)
    plain = chance.expected(hamming.histograms(target, sources))
    leaked = chance.expected(hamming.histograms(target, np.concatenate([sources, copies])))
    assert leaked == pytest.approx(plain)


def test_too_few_sources_say_nothing() -> None:
    enough, too_few = chance.LEAST_SOURCES + 30, chance.LEAST_SOURCES - 1
    targets = balanced_hashes(3)
    few = chance.expected(hamming.histograms(targets, balanced_hashes(too_few, seed=1)))
    assert np.isnan(few).all()
    many = chance.expected(hamming.histograms(targets, balanced_hashes(enough, seed=1)))
    assert np.isfinite(many).all()


def test_rows_do_not_depend_on_each_other() -> None:
    counts = hamming.histograms(balanced_hashes(4), balanced_hashes(500, seed=1))
    counts[2] = 0
    together = chance.expected(counts)
    assert np.isnan(together[2]).all()
    for row in (0, 1, 3):
        assert chance.expected(counts[row : row + 1])[0] == pytest.approx(together[row], rel=1e-6)


def test_odd_distances_count_as_the_even_ones_below() -> None:
    counts = np.zeros((2, 65), np.int64)
    counts[0, 30:36:2] = 100
    counts[1, 31:37:2] = 100
    assert chance.expected(counts)[0] == pytest.approx(chance.expected(counts)[1])


def test_a_flat_target_whose_distances_are_all_equal_is_no_accident() -> None:
    counts = np.zeros((1, 65), np.int64)
    counts[0, 32] = 10_000
    assert np.isfinite(chance.expected(counts)).all()


def test_the_expected_number_rises_with_the_distance() -> None:
    counts = hamming.histograms(balanced_hashes(20), balanced_hashes(3000, seed=1))
    below_the_mode = chance.expected(counts)[:, :15]
    assert (np.diff(below_the_mode, axis=1) > 0).all()


def test_parts_of_unrelated_photographs_meet_as_often_as_expected() -> None:
    """Fitted on one half of the photographs, counted on the other (a small benchmark of it)."""
    thumbnails, owners = [], []
    for owner, path in enumerate(shipped_photographs()):
        with Image.open(path) as opened:
            image = opened.convert("RGB")
        side = min(image.size) // 3
        for left in range(0, image.width - side + 1, side):
            for upper in range(0, image.height - side + 1, side):
                tile = image.crop((left, upper, left + side, upper + side))
                thumbnails.append(hashing.thumbnail(tile))
                owners.append(owner)
    stack = np.stack(thumbnails)
    coefficients = hashing.transform(stack)
    firm = ~detail.low_information(stack, coefficients)
    hashes, owner_of = hashing.phashes(stack, coefficients)[firm], np.array(owners)[firm]
    first_half = owner_of % 2 == 0
    expected, observed = np.zeros(33), np.zeros(33)
    for own, target in zip(owner_of, hashes):
        first, second = (hashes[(owner_of != own) & (first_half == half)] for half in (True, False))
        fitted = chance.expected(hamming.histograms(np.array([target]), first))[0]
        expected += fitted * len(second) / len(first)
        observed += hamming.histograms(np.array([target]), second)[0, ::2]
    for half in range(9, 13):  # distances 18 to 24, where enough pairs were seen
        assert observed[half] >= 30
        assert expected[half] / 3 <= observed[half] <= expected[half] * 3
