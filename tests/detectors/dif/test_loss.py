from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from memscan.detectors.dif import loss


def slowly(correlations: list[float], fake: list[bool], margin: float) -> float:
    """Pair by pair."""
    half = len(correlations) // 2
    total = 0.0
    for first in range(half):
        second = first + half
        apart = abs(correlations[first] - correlations[second])
        total += apart if fake[first] == fake[second] else max(0.0, margin - apart)
    return total / half / margin


@settings(deadline=None)
@given(data=st.data(), pairs=st.integers(1, 20), margin=st.sampled_from((0.01, 0.5)))
def test_it_is_that_of_plain_loops(data: st.DataObject, pairs: int, margin: float) -> None:
    found = st.lists(st.floats(-1, 1, width=32), min_size=2 * pairs, max_size=2 * pairs)
    correlations = data.draw(found)
    fake = data.draw(st.lists(st.booleans(), min_size=2 * pairs, max_size=2 * pairs))
    got = loss.pairwise(torch.tensor(correlations), torch.tensor(fake), margin)
    assert np.isclose(float(got), slowly(correlations, fake, margin), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("sign", [1, -1])
def test_apart_by_the_margin_is_perfect_whatever_the_sign(sign: int) -> None:
    fake = torch.tensor([False, True, True, False])
    assert float(loss.pairwise(sign * 0.0125 * fake.float(), fake, 0.01)) == 0
    assert float(loss.pairwise(torch.zeros(4), fake, 0.01)) == 1
