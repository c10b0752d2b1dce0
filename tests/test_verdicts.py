from __future__ import annotations

import pytest

from memscan.errors import InputError
from memscan.records import Finding, Level, Match, Reason, Thresholds, Verdict
from memscan.verdicts import check, is_borderline, judge, reaches

DEFAULT = Thresholds()


@pytest.mark.parametrize(
    ("distance", "verdict", "borderline"),
    [
        (0, Verdict.IDENTICAL, False),
        (1, Verdict.NEAR_DUPLICATE, False),
        (5, Verdict.NEAR_DUPLICATE, False),
        (6, Verdict.DISTINCT, True),
        (10, Verdict.DISTINCT, True),
        (11, Verdict.DISTINCT, False),
        (64, Verdict.DISTINCT, False),
    ],
)
def test_verdicts_at_the_edges(distance: int, verdict: Verdict, borderline: bool) -> None:
    assert judge(distance, DEFAULT) is verdict
    assert is_borderline(distance, DEFAULT) is borderline


def test_a_near_threshold_of_zero_leaves_only_identical() -> None:
    assert judge(0, Thresholds(0, 0)) is Verdict.IDENTICAL
    assert judge(1, Thresholds(0, 0)) is Verdict.DISTINCT


@pytest.mark.parametrize("pair", [(0, 0), (5, 5), (5, 10), (64, 64)])
def test_thresholds_in_order_are_accepted(pair: tuple[int, int]) -> None:
    check(Thresholds(*pair))


@pytest.mark.parametrize("pair", [(6, 5), (-1, 5), (5, 65)])
def test_thresholds_out_of_order_are_refused(pair: tuple[int, int]) -> None:
    with pytest.raises(InputError, match="threshold"):
        check(Thresholds(*pair))


def finding(distance: int, *reasons: Reason) -> Finding:
    match = Match("source.png", 0, distance)
    return Finding("target.png", 0, judge(distance, DEFAULT), reasons, (match,))


LOW, BORDERLINE = Reason.LOW_INFORMATION, Reason.BORDERLINE


@pytest.mark.parametrize(
    ("found", "reached"),
    [
        (finding(0), {Level.IDENTICAL, Level.NEAR_DUPLICATE, Level.REVIEW}),
        (finding(4), {Level.NEAR_DUPLICATE, Level.REVIEW}),
        (finding(8, BORDERLINE), {Level.REVIEW}),
        (finding(20), set()),
        (finding(0, LOW), {Level.REVIEW}),
        (finding(4, LOW), {Level.REVIEW}),
        (finding(30, LOW), {Level.REVIEW}),
    ],
)
def test_levels_are_cumulative_and_low_information_only_reaches_review(
    found: Finding, reached: set[Level]
) -> None:
    assert {level for level in Level if reaches(found, level)} == reached
