from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from memscan.detectors import calibration
from memscan.detectors.calibration import STEPS, Fit, Fitted, Labelled, Tally
from memscan.detectors.cards import Calibration, Card, Cuts, Input
from memscan.errors import InputError
from memscan.evidence import rates

Floats = npt.NDArray[np.float32]

SCORES = st.one_of(
    st.floats(-1, 1, width=32),
    st.integers(-20, 20).map(lambda step: step / 20),  # ties
    st.integers(-3, 3).map(lambda step: 0.5 + step / STEPS),  # neighbours
)


def tally(*scores: float) -> Tally:
    made = Tally()
    made.add(np.array(scores, np.float32))
    return made


def labelled(positives: list[float], negatives: list[float]) -> Labelled:
    return Labelled(tally(*positives), tally(*negatives))


def reaching(scores: Floats, cut: float) -> int:
    return int((scores.astype(np.float64) >= cut).sum())


@settings(deadline=None, max_examples=50)
@given(st.lists(SCORES, max_size=40), st.integers(-STEPS, STEPS))
@example([1.0, 1.0, -1.0], STEPS)
@example([1.0, 1.0, -1.0], -STEPS)
def test_a_tally_counts_as_a_list_does(scores: list[float], step: int) -> None:
    exact = np.array(scores, np.float32)
    made = tally(*scores)
    assert made.total == len(scores)
    for near in {step, *(int(value) for value in np.rint(exact.astype(np.float64) * STEPS))}:
        for close in (near - 1, near, near + 1):
            if -STEPS <= close <= STEPS:
                assert made.at_least(close / STEPS) == reaching(exact, close / STEPS)


def test_tallies_add_up() -> None:
    several = Tally()
    for some in ([0.1], [], [[0.5, -1.0], [1.0, 0.1]]):
        several.add(np.array(some, np.float32))
    assert [several.at_least(cut) for cut in (-1.0, 0.1, 0.5, 1.0)] == [5, 4, 2, 1]
    assert several.total == 5


@settings(deadline=None, max_examples=50)
@given(
    st.lists(SCORES, min_size=1, max_size=40),
    st.one_of(st.floats(0.01, 0.99), st.sampled_from([0.1, 0.29, 0.07, 0.5, 1 / 3])),
)
@example([0.5] * 10, 0.5)
@example([1.0] * 5 + [0.0] * 5, 0.4)
@example([x / 100 for x in range(100)], 0.29)
def test_the_cut_is_the_smallest_that_lets_no_more_pass(scores: list[float], rate: float) -> None:
    """Against the definition: every step that could be the one is tried."""
    exact = np.array(scores, np.float32)
    candidates = {-STEPS}
    for score in exact.tolist():
        step = round(score * STEPS)
        candidates |= {min(STEPS, near) for near in range(max(-STEPS, step - 2), step + 3)}

    def allowed(step: int) -> bool:
        return reaching(exact, step / STEPS) / len(scores) <= rate

    fitting = sorted(step for step in candidates if allowed(step))
    pairs = labelled([0.0], scores)
    if 1 / len(scores) > rate:
        with pytest.raises(InputError, match="needs at least"):
            pairs.fit(rate)
    elif not fitting:
        with pytest.raises(InputError, match="highest score"):
            pairs.fit(rate)
    else:
        cut = pairs.fit(rate)
        assert cut == fitting[0] / STEPS
        assert not allowed(round(cut * STEPS) - 1)


def test_ties_count_against_the_detector() -> None:
    scores = [0.9, 0.8, 0.8, *np.linspace(0, 0.5, 97)]
    assert labelled([1.0], scores).fit(0.03) == pytest.approx(0.500001, abs=1e-9)
    assert labelled([1.0], scores).fit(0.02) == pytest.approx(0.800001, abs=1e-9)  # both or none
    assert labelled([1.0], scores).fit(0.01) == pytest.approx(0.800001, abs=1e-9)


def test_too_few_pairs_say_how_many_are_needed() -> None:
    with pytest.raises(InputError, match=r"0.0001 needs at least 10,000 .* here are 9,999") as few:
        calibration.require_enough(1, 9_999, 1e-4)
    assert "\n" not in str(few.value)
    calibration.require_enough(1, 10_000, 1e-4)
    with pytest.raises(InputError, match="no right pair"):
        calibration.require_enough(0, 10_000, 1e-4)
    with pytest.raises(InputError, match="no right pair"):
        labelled([], [0.0] * 100).fit(0.1)


@pytest.mark.parametrize(("rate", "similar"), [(0, 0.1), (-1, 0.1), (0.1, 0.01), (0.1, 1)])
def test_rates_that_mean_nothing(rate: float, similar: float) -> None:
    with pytest.raises(InputError, match="false-positive rates must lie"):
        calibration.check_rates(rate, similar)


def test_rates_that_are_no_numbers() -> None:
    for rates_given in ((float("nan"), 0.1), (0.1, float("nan")), (float("inf"), float("inf"))):
        with pytest.raises(InputError, match="false-positive rates must lie"):
            calibration.check_rates(*rates_given)
    calibration.check_rates(0.1, 0.1)


def test_a_cut_is_judged_by_both_kinds_of_pairs() -> None:
    judged = labelled([0.9, 0.8, 0.1], [0.8, 0.2, 0.1, 0.0]).judge(0.8)
    assert judged.recall == rates.rate(2, 3)
    assert judged.passed == rates.rate(1, 4)
    assert labelled([], [0.5]).judge(0.5) == calibration.Judged(None, rates.rate(1, 1))


def test_the_card_keeps_what_is_not_fitted() -> None:
    pairs = labelled([0.9] * 9 + [0.0], list(np.linspace(-0.5, 0.5, 100)))
    fits = [
        Fit(rate, cut, pairs.judge(cut), None) for rate in (0.01, 0.1) for cut in [pairs.fit(rate)]
    ]
    card = Card("encoder", "x", Input(8, 8), 4, Cuts(0.1, 0.1), architecture={"output": "y"})
    written = Fitted(fits[0], fits[1], 20, ()).written_into(card, "0" * 64)
    assert written.calibration is not None
    assert dataclasses.replace(written.calibration, settings=None) == Calibration(
        rate=0.01, observed=0.01, recall=0.9, positives=10, negatives=100
    )
    assert written == dataclasses.replace(
        card,
        cuts=Cuts(fits[0].cut, fits[1].cut),
        calibration=written.calibration,
        sha256="0" * 64,
    )
    assert written.is_calibrated
    assert written.cuts.duplicate > written.cuts.similar
