from __future__ import annotations

from typing import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memscan import hamming, multi_index, neighbours, search
from memscan.hamming import Hashes, Neighbours
from memscan.multi_index import MultiIndex
from tests.test_multi_index import near, plain_pairs


@pytest.fixture(params=["index", "compare", "cost"])
def chosen(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Every search by the index, none, or as the costs say; in small tiles and groups."""
    way: str = request.param
    if way != "cost":
        monkeypatch.setattr(neighbours, "COMPARING", 1.0 if way == "index" else 0.0)
    monkeypatch.setattr(multi_index, "TILE", 100)
    monkeypatch.setattr(neighbours, "SPAN", 250)
    monkeypatch.setattr(neighbours, "MOST_TARGETS", 13)
    monkeypatch.setattr(search, "_LEAST_PAIRS", 1000)
    return way


def collection(seed: int) -> tuple[Hashes, Hashes]:
    """Targets, some far from everything, and sources, some near targets and some equal."""
    generator = np.random.default_rng(seed)
    targets = generator.integers(0, 2**64, 30, dtype=np.uint64)
    copies = [near(generator, targets[:20].repeat(3), flips) for flips in (0, 2, 9, 11, 14, 20)]
    others = generator.integers(0, 2**64, 500, dtype=np.uint64)
    return targets, generator.permutation(np.concatenate([*copies, others]))


def assert_same(found: Neighbours, expected: Neighbours) -> None:
    for mine, plain in zip(found, expected):
        np.testing.assert_array_equal(mine, plain, strict=True)


@pytest.mark.parametrize("radius", range(17))
@pytest.mark.parametrize("count", [1, 4])
def test_the_closest_are_those_of_a_plain_search(chosen: str, radius: int, count: int) -> None:
    targets, sources = collection(radius)
    excluded = np.where(np.arange(30) % 3 == 0, -1, np.arange(30) * 7)
    for own in (None, excluded):
        expected = hamming.nearest(targets, sources, count, own, radius)
        for jobs in (1, 3):
            found = neighbours.nearest(targets, sources, count, own, radius, jobs)
            assert_same(found, expected)


@pytest.mark.parametrize("radius", range(17))
def test_pairs_are_all_pairs_in_order(chosen: str, radius: int) -> None:
    targets, sources = collection(radius)
    expected = sorted(
        plain_pairs(targets, sources, radius), key=lambda pair: (pair[0], pair[2], pair[1])
    )
    found = neighbours.within(targets, sources, radius, jobs=3)
    assert list(zip(*(column.tolist() for column in found))) == expected


words = st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 31), max_size=24)


@settings(deadline=None, max_examples=15)
@given(
    targets=words,
    sources=words,
    count=st.integers(1, 3),
    radius=st.integers(0, 20),
    cuts=st.lists(st.integers(0, 24), max_size=3),
)
def test_blocks_are_one_table(
    targets: list[int], sources: list[int], count: int, radius: int, cuts: list[int]
) -> None:
    some, others = np.array(targets, np.uint64), np.array(sources, np.uint64)
    bounds = [0, *sorted(min(cut, len(others)) for cut in cuts), len(others)]
    own = np.arange(len(targets)) - 2
    expected = hamming.nearest(some, others, count, own, radius)

    def blocks() -> Iterator[tuple[int, Hashes]]:
        held = np.empty(len(others), np.uint64)  # the memory of a block is used for the next
        for first, last in zip(bounds, bounds[1:]):
            held[: last - first] = others[first:last]
            yield first, held[: last - first]

    for comparing in (1.0, 0.0):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(neighbours, "COMPARING", comparing)
            patch.setattr(multi_index, "TILE", 3)
            patch.setattr(neighbours, "SPAN", 7)
            found = neighbours.nearest_of_blocks(some, blocks(), count, own, radius, jobs=2)
        assert_same(found, expected)


def test_a_crowd_is_compared_and_counted(chosen: str) -> None:
    targets = np.arange(40, dtype=np.uint64)
    sources = np.repeat(np.arange(5, dtype=np.uint64), 200)
    assert_same(
        neighbours.nearest(targets, sources, 3, radius=10),
        hamming.nearest(targets, sources, 3, radius=10),
    )
    assert len(neighbours.within(targets, sources, 10).rows) == 40_000


def built(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The radii that an index is built for from now on."""
    radii: list[int] = []
    build = MultiIndex.build

    def watched(targets: Hashes, radius: int, sample: Hashes) -> MultiIndex:
        radii.append(radius)
        return build(targets, radius, sample)

    monkeypatch.setattr(MultiIndex, "build", watched)
    return radii


def test_the_choice_follows_the_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    sources = generator.integers(0, 2**64, 200_000, dtype=np.uint64)
    radii = built(monkeypatch)
    for targets, radius in ((sources[:1], 10), (sources[:2000], 16), (sources[:0], 10)):
        neighbours.nearest(targets, sources, radius=radius)
    assert radii == []
    neighbours.nearest(sources[:2000], sources, radius=10)
    assert radii == [10]  # all of them are in the table: nothing wider is needed
    monkeypatch.setattr(neighbours, "COMPARING", 1e-7)
    neighbours.nearest(generator.integers(0, 2**64, 100, dtype=np.uint64), sources, radius=10)
    assert radii == [10, 10, 15]


@pytest.mark.parametrize(
    ("sources", "count", "bits"), [(10**8, 1, 12), (10**7, 1, 14), (10, 1, 15)]
)
def test_the_wider_radius_holds_a_neighbour_of_nearly_all(
    sources: int, count: int, bits: int
) -> None:
    assert neighbours._wider(sources, count) == bits
    assert neighbours._wider(sources, 1000) == 15


def test_an_index_that_a_sample_shows_dear_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    sources = generator.integers(0, 2**16, 300_000, dtype=np.uint64)
    radii = built(monkeypatch)
    monkeypatch.setattr(MultiIndex, "tiles", lambda *_: pytest.fail("the index was used"))
    targets = generator.integers(0, 2**16, 1000, dtype=np.uint64)
    neighbours.nearest(targets, sources[:200_000], radius=10)
    assert radii == [10]
    assert multi_index.foreseen(1000, 10)[1] < neighbours.WORTH * 1000 * neighbours.COMPARING


def test_a_count_of_none_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        neighbours.nearest(np.zeros(1, np.uint64), np.zeros(1, np.uint64), 0)
