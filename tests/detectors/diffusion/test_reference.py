from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memscan.detectors.diffusion import reference
from memscan.probes import RATE


def test_features_count_in_deviations_of_the_reference() -> None:
    known = np.array([[1.0, 10.0], [2.0, 30.0], [3.0, 20.0]])  # means 2 and 20, deviations 1, 10
    asked = np.array([[4.0, 0.0], [2.0, 20.0]])
    np.testing.assert_allclose(reference.standardised(asked, known, (1, 1)), [0, 0])
    np.testing.assert_allclose(reference.standardised(asked, known, (1, 0)), [2, 0])
    np.testing.assert_allclose(reference.standardised(asked, known, (1, 0.5)), [1, 0])


def test_a_reference_image_is_not_compared_with_itself() -> None:
    known = np.array([[0.0], [1.0], [2.0], [9.0]])
    expected = [
        (0 - 4) / np.std([1, 2, 9], ddof=1),
        (1 - 11 / 3) / np.std([0, 2, 9], ddof=1),
        (2 - 10 / 3) / np.std([0, 1, 9], ddof=1),
        (9 - 1) / np.std([0, 1, 2], ddof=1),
    ]
    np.testing.assert_allclose(reference.left_out(known, (1,)), expected)


def test_a_feature_that_is_the_same_for_all_leaves_finite_scores() -> None:
    known = np.array([[1.0, 5.0], [2.0, 5.0], [4.0, 5.0]])
    scores = reference.standardised(np.array([[3.0, 5.0], [3.0, 6.0]]), known, (1, 1))
    assert np.isfinite(scores).all()
    assert scores[1] > 1e6 > abs(scores[0])
    assert np.isfinite(reference.left_out(np.zeros((3, 2)), (1, 1))).all()


def test_p_values_by_hand() -> None:
    known = np.array([1.0, 2.0, 2.0, 5.0])
    found = reference.p_values(np.array([6.0, 5.0, 2.0, 1.5, 0.0]), known)
    np.testing.assert_allclose(found, [1 / 5, 2 / 5, 4 / 5, 4 / 5, 5 / 5])


@pytest.mark.parametrize(("count", "place"), [(98, None), (99, 0), (198, 0), (199, 1), (500, 4)])
def test_the_threshold_by_hand(count: int, place: int | None) -> None:
    """Of 199, two places: a target above all but one has (1 + 1) / 200."""
    known = np.arange(count, dtype=float)
    expected = None if place is None else known[::-1][place]
    assert reference.threshold(known) == expected


@given(
    st.lists(st.integers(0, 6), min_size=1, max_size=320),
    st.lists(st.integers(-1, 7), min_size=1, max_size=20),
    st.sampled_from([RATE, 0.05, 0.5]),
)
def test_thresholds_and_p_values_say_the_same(
    known: list[int], asked: list[int], rate: float
) -> None:
    values, scores = np.array(known, float), np.array(asked, float)
    accused = reference.p_values(scores, values) <= rate
    limit = reference.threshold(values, rate)
    np.testing.assert_array_equal(accused, [limit is not None and one > limit for one in scores])


def test_of_images_like_the_reference_one_in_a_hundred_is_accused() -> None:
    lots = np.random.default_rng(1)
    accused, asked = 0, 0
    for _ in range(300):
        known, targets = np.exp(lots.normal(size=(99, 2))), np.exp(lots.normal(size=(40, 2)))
        scores = reference.standardised(targets, known, (1, 1))
        p_values = reference.p_values(scores, reference.left_out(known, (1, 1)))
        accused += int((p_values <= RATE).sum())
        asked += len(targets)
    assert 0.005 < accused / asked < 0.0115


def test_what_lies_far_out_is_accused() -> None:
    lots = np.random.default_rng(2)
    known = lots.normal(size=(120, 2))
    scores = reference.standardised(np.array([[5.0, 5.0], [0.0, 0.0]]), known, (1, 1))
    p_values = reference.p_values(scores, reference.left_out(known, (1, 1)))
    assert (p_values <= RATE).tolist() == [True, False]
