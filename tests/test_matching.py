from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memscan import matching
from memscan.records import View
from memscan.table import HashTable

few_bits = st.integers(0, 15)


def table(rows: list[list[int]], names: tuple[str, ...]) -> HashTable:
    """Each row holds the hash of the full view and those of the others."""
    values = np.array(rows, np.uint64).reshape(len(rows), 1 + len(names))
    flags = np.zeros(len(rows), np.bool_)
    paths = [str(row) for row in range(len(rows))]
    return HashTable(paths, values[:, 0].copy(), flags, values[:, 1:].copy(), names)


@settings(deadline=None, max_examples=80)
@given(
    targets=st.lists(st.lists(few_bits, min_size=3, max_size=3), min_size=1, max_size=3),
    sources=st.lists(st.lists(few_bits, min_size=3, max_size=3), min_size=1, max_size=6),
    count=st.integers(1, 4),
    excluded=st.integers(-1, 5),
)
def test_it_is_the_plain_search_over_all_pairs_of_views(
    targets: list[list[int]], sources: list[list[int]], count: int, excluded: int
) -> None:
    count = min(count, len(sources))
    own = np.full(len(targets), excluded if excluded < len(sources) else -1)
    found = matching.nearest(
        table(targets, ("mirrored", "turned")),
        table(sources, ("square", "crop")),
        ("full", "mirrored"),
        count,
        own,
        radius=1,
    )
    for row, target in enumerate(targets):
        expected = []
        for position, source in enumerate(sources):
            if position == own[row]:
                continue
            tries = [
                (bin(hash ^ target[side]).count("1"), view, side)
                for view, hash in enumerate(source)
                for side in (0, 1)
            ]
            distance, view, side = min(tries)
            name = View(("full", "mirrored")[side], ("full", "square", "crop")[view])
            expected.append((distance, position, name))
        expected = sorted(expected, key=lambda item: item[:2])[:count]
        shown = [
            (int(distance), int(position), found.names[view])
            for distance, position, view in zip(
                found.distances[row], found.positions[row], found.views[row]
            )
            if position >= 0
        ]
        assert shown == expected
        assert (found.distances[row, len(expected) :] == 255).all()
        assert found.within[row] == sum(
            bin(source[0] ^ target[0]).count("1") <= 1
            for position, source in enumerate(sources)
            if position != own[row]
        )


def test_whole_images_come_before_their_views() -> None:
    found = matching.nearest(
        table([[3, 3]], ("mirrored",)), table([[3, 3], [3, 3]], ("square",)), ("full", "mirrored")
    )
    assert found.positions.tolist() == [[0]]
    assert found.names[found.views[0, 0]] == View()


@pytest.mark.parametrize(
    ("view", "name"),
    [
        (View(), "full"),
        (View("mirrored"), "mirrored"),
        (View(source="square"), "square"),
        (View("mirrored", "square"), "mirrored, square"),
    ],
)
def test_a_view_is_named_by_what_is_not_whole(view: View, name: str) -> None:
    assert view.name == name
