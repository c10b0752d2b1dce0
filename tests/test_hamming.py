from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memscan import hamming

words = st.integers(0, 2**64 - 1)
close_words = st.integers(0, 7)  # few values, so that distances tie


def plain_nearest(target: int, sources: list[int], count: int) -> list[tuple[int, int]]:
    """The oracle: every distance, sorted by distance and then by position."""
    pairs = [(bin(target ^ source).count("1"), row) for row, source in enumerate(sources)]
    return [(row, distance) for distance, row in sorted(pairs)[:count]]


@pytest.fixture(params=["bitwise_count", "table"])
def popcount(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run a test with numpy's own popcount and with the one for numpy before 2.0."""
    way: str = request.param
    if way == "table":
        monkeypatch.setattr(hamming, "_popcount", hamming._popcount_by_table)
    elif not hasattr(np, "bitwise_count"):
        pytest.skip("numpy before 2.0 has no bitwise_count")
    return way


def set_tiles(patch: pytest.MonkeyPatch, targets: int, sources: int) -> None:
    patch.setattr(hamming, "TILE_TARGETS", targets)
    patch.setattr(hamming, "TILE_SOURCES", sources)
    patch.setattr(hamming, "TILE_SOURCES_OF_FEW", sources + 1)


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    set_tiles(monkeypatch, 1, 3)


def as_pairs(positions: Any, distances: Any) -> list[tuple[int, int]]:
    return [(int(p), int(d)) for p, d in zip(positions, distances)]


@pytest.mark.usefixtures("popcount")
def test_distances_are_counts_of_differing_bits() -> None:
    sources = np.array([0, 1, 2**63, 2**64 - 1], np.uint64)
    assert hamming.distances(sources, np.uint64(0)).tolist() == [0, 1, 1, 64]
    assert hamming.distances(sources, np.uint64(0)).dtype == np.uint8


def check_against_the_oracle(targets: list[int], sources: list[int], count: int) -> None:
    radius = 2
    positions, distances, within = hamming.nearest(
        np.array(targets, np.uint64), np.array(sources, np.uint64), count, radius=radius
    )
    assert within.tolist() == [
        sum(distance <= radius for _, distance in plain_nearest(target, sources, len(sources)))
        for target in targets
    ]
    assert positions.shape == distances.shape == (len(targets), count)
    for row, target in enumerate(targets):
        expected = plain_nearest(target, sources, count)
        missing = [(-1, 255)] * (count - len(expected))
        assert as_pairs(positions[row], distances[row]) == expected + missing


@pytest.mark.parametrize("way", ["bitwise_count", "table"])
@pytest.mark.parametrize("tile", [(1, 1), (2, 3), (8, 1 << 14)])
@settings(deadline=None, max_examples=60)
@given(
    targets=st.lists(words | close_words, max_size=4),
    sources=st.lists(words | close_words, max_size=12),
    count=st.integers(1, 14),
)
def test_nearest_is_the_plain_search(
    way: str, tile: tuple[int, int], targets: list[int], sources: list[int], count: int
) -> None:
    if way == "bitwise_count" and not hasattr(np, "bitwise_count"):
        pytest.skip("numpy before 2.0 has no bitwise_count")
    with pytest.MonkeyPatch.context() as patch:
        set_tiles(patch, *tile)
        if way == "table":
            patch.setattr(hamming, "_popcount", hamming._popcount_by_table)
        check_against_the_oracle(targets, sources, count)


def test_nearest_over_many_blocks_is_the_plain_search() -> None:
    generator = np.random.default_rng(0)
    sources = generator.integers(0, 2**64, 3 * hamming.TILE_SOURCES_OF_FEW + 5, dtype=np.uint64)
    targets = [int(sources[hamming.TILE_SOURCES_OF_FEW + 7]) ^ 0b11, int(sources[-1]), 0]
    check_against_the_oracle(targets, sources.tolist(), 5)


@pytest.mark.usefixtures("small_blocks")
def test_of_equal_distances_the_lower_position_comes_first() -> None:
    sources = np.array([7, 1, 7, 2, 7, 4, 7], np.uint64)
    positions, distances, _ = hamming.nearest(np.array([0], np.uint64), sources, 4)
    assert as_pairs(positions[0], distances[0]) == [(1, 1), (3, 1), (5, 1), (0, 3)]


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("own", range(5))
def test_an_excluded_source_is_never_a_neighbour(own: int) -> None:
    sources = np.zeros(5, np.uint64)
    targets, excluded = np.zeros(2, np.uint64), np.array([own, -1])
    positions, distances, within = hamming.nearest(targets, sources, 5, excluded)
    assert within.tolist() == [4, 5]
    assert positions[0].tolist() == [row for row in range(5) if row != own] + [-1]
    assert distances[0].tolist() == [0] * 4 + [255]
    assert positions[1].tolist() == list(range(5))


@pytest.mark.usefixtures("popcount")
@settings(
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    targets=st.lists(words | close_words, max_size=5),
    sources=st.lists(words | close_words, max_size=12),
)
def test_histograms_count_every_pair(targets: list[int], sources: list[int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        set_tiles(patch, 2, 5)
        counts = hamming.histograms(np.array(targets, np.uint64), np.array(sources, np.uint64))
    assert counts.shape == (len(targets), 65)
    for row, target in enumerate(targets):
        found = [distance for _, distance in plain_nearest(target, sources, len(sources))]
        assert counts[row].tolist() == [found.count(distance) for distance in range(65)]


def test_a_count_of_none_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        hamming.nearest(np.zeros(1, np.uint64), np.zeros(1, np.uint64), 0)


@given(values=st.lists(words, min_size=1, max_size=50))
def test_the_table_counts_bits(values: list[int]) -> None:
    counts = hamming._popcount_by_table(
        np.array(values, np.uint64), out=np.empty(len(values), np.uint8)
    )
    assert counts.tolist() == [bin(value).count("1") for value in values]


@settings(deadline=None, max_examples=60)
@given(
    targets=st.lists(words | close_words, max_size=4),
    sources=st.lists(words | close_words, max_size=12),
    radius=st.integers(0, 64),
)
def test_near_any_is_the_plain_search(targets: list[int], sources: list[int], radius: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        set_tiles(patch, 2, 5)
        near = hamming.near_any(np.array(targets, np.uint64), np.array(sources, np.uint64), radius)
    assert near.tolist() == [
        any(bin(target ^ source).count("1") <= radius for target in targets) for source in sources
    ]


wide_words = st.tuples(*[words | close_words] * 4)


def as_numbers(rows: list[tuple[int, ...]]) -> list[int]:
    return [sum(word << 64 * place for place, word in enumerate(row[::-1])) for row in rows]


@pytest.mark.usefixtures("popcount")
@settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    targets=st.lists(wide_words, min_size=1, max_size=10),
    sources=st.lists(wide_words, min_size=1, max_size=12),
    count=st.integers(1, 14),
    tile=st.sampled_from([(1, 1), (2, 3), (8, 1 << 14)]),
)
def test_long_hashes_are_searched_as_short_ones(
    targets: list[tuple[int, ...]], sources: list[tuple[int, ...]], count: int, tile: Any
) -> None:
    rows, columns = np.array(targets, np.uint64), np.array(sources, np.uint64)
    with pytest.MonkeyPatch.context() as patch:
        set_tiles(patch, *tile)
        excluded = np.full(len(rows), -1)
        excluded[0] = 0
        found = hamming.nearest(rows, columns, count, excluded, radius=130)
        near = hamming.near_any(rows, columns, 130)
        counts = hamming.histograms(rows, columns)
        pairs = hamming.pairs_within(columns, 0, len(columns), 130)
    assert found.distances.dtype == np.uint16
    others = as_numbers(sources)
    everything = np.zeros(len(sources), np.bool_)
    for row, target in enumerate(as_numbers(targets)):
        expected = plain_nearest(target, others, len(others))
        everything[[place for place, distance in expected if distance <= 130]] = True
        assert counts[row].tolist() == np.bincount([d for _, d in expected], minlength=257).tolist()
        kept = [pair for pair in expected if row > 0 or pair[0] != 0]
        assert found.within[row] == sum(distance <= 130 for _, distance in kept)
        kept = kept[:count] + [(-1, 65535)] * (count - len(kept))
        assert as_pairs(found.positions[row], found.distances[row]) == kept
    assert near.tolist() == everything.tolist()
    assert sorted(zip(*map(list, pairs))) == [
        (one, other)
        for one in range(len(others))
        for other in range(one + 1, len(others))
        if bin(others[one] ^ others[other]).count("1") <= 130
    ]


@pytest.mark.usefixtures("popcount")
def test_256_differing_bits_are_counted() -> None:
    zero, ones = np.zeros((1, 4), np.uint64), np.full((1, 4), 2**64 - 1, np.uint64)
    assert hamming.distances(zero, ones[0]).tolist() == [256]
    assert hamming.nearest(zero, ones).distances.tolist() == [[256]]
    assert hamming.nearest(zero, ones, radius=255).within.tolist() == [0]
    assert hamming.histograms(zero, ones)[0, 256] == 1
