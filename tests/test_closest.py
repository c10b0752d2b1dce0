from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memscan import closest
from memscan.closest import Closest

TARGETS = 4
pairs = st.lists(
    st.tuples(st.integers(0, TARGETS - 1), st.integers(0, 99), st.integers(0, 8)),
    max_size=40,
    unique_by=lambda pair: pair[:2],
)


def add(gathered: Closest, some: list[tuple[int, int, int]]) -> None:
    rows, positions, distances = zip(*some) if some else ((), (), ())
    gathered.add(
        np.array(rows, np.int64), np.array(positions, np.int64), np.array(distances, np.uint8)
    )


def check(gathered: Closest, some: list[tuple[int, int, int]], count: int, radius: int) -> None:
    found = gathered.neighbours()
    for row in range(TARGETS):
        own = sorted((distance, position) for r, position, distance in some if r == row)
        missing = [(255, -1)] * (count - len(own))
        assert list(zip(found.distances[row].tolist(), found.positions[row].tolist())) == (
            own[:count] + missing
        )
        inside = sum(distance <= radius for distance, _ in own)
        assert found.within[row] == inside
        assert gathered.settled(radius)[row] == (inside >= count)


@settings(deadline=None, max_examples=60)
@given(
    some=pairs,
    cuts=st.tuples(st.integers(0, 40), st.integers(0, 40)),
    count=st.integers(1, 4),
    waiting=st.sampled_from([0, 5, 1000]),
)
def test_the_closest_are_those_of_a_sorted_list(
    some: list[tuple[int, int, int]], cuts: tuple[int, int], count: int, waiting: int
) -> None:
    first, last = min(cuts), max(cuts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(closest, "_WAITING", waiting)
        gathered, other = Closest(TARGETS, count, 3), Closest(TARGETS, count, 3)
        add(other, some[first:last])
        add(gathered, some[last:])
        gathered.merge(other)
        add(gathered, some[:first])
        check(gathered, some, count, 3)
