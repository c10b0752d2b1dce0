from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memscan.evidence.rates import paired_p_value, rate


def tail(count: int, total: int, share: float) -> float:
    """The probability of ``count`` or more in ``total``, summed up."""
    return sum(
        math.comb(total, k) * share**k * (1 - share) ** (total - k) for k in range(count, total + 1)
    )


@given(data=st.data(), total=st.integers(1, 60))
def test_the_bounds_are_where_the_tails_hold_a_fortieth(data: st.DataObject, total: int) -> None:
    """The definition of Clopper and Pearson, by sums."""
    count = data.draw(st.integers(0, total))
    found = rate(count, total)
    assert found.low <= found.share <= found.high
    if count > 0:
        assert tail(count, total, found.low) == pytest.approx(0.025, abs=1e-9)
    if count < total:
        assert 1 - tail(count + 1, total, found.high) == pytest.approx(0.025, abs=1e-9)


def test_nothing_found_still_has_an_upper_bound() -> None:
    found = rate(0, 3000)
    assert (found.low, found.share) == (0, 0)
    assert found.high == pytest.approx(0.00123, abs=5e-6)
    assert rate(3000, 3000).high == 1


def test_published_figures() -> None:
    """Clopper and Pearson's limits for 10 of 100, as tables print them."""
    found = rate(10, 100)
    assert (found.low, found.high) == pytest.approx((0.0490, 0.1762), abs=1e-4)


@pytest.mark.parametrize(("count", "total"), [(-1, 3), (4, 3), (0, 0)])
def test_what_is_no_rate_is_refused(count: int, total: int) -> None:
    with pytest.raises(ValueError, match="a rate needs"):
        rate(count, total)


@given(first=st.integers(0, 40), second=st.integers(0, 40))
def test_mcnemar_is_the_sum_of_coin_tosses(first: int, second: int) -> None:
    tosses = first + second
    less = sum(math.comb(tosses, k) for k in range(min(first, second) + 1)) / 2**tosses
    assert paired_p_value(first, second) == pytest.approx(min(1.0, 2 * less), rel=1e-9)
    assert paired_p_value(first, second) == paired_p_value(second, first)


def test_an_uneven_split_is_significant_and_an_even_one_is_not() -> None:
    assert paired_p_value(35, 0) < 1e-9
    assert paired_p_value(5, 5) == 1
    assert paired_p_value(0, 0) == 1
