from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memscan import hamming, search

words = st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 31), max_size=24)  # some close
radii = st.integers(0, 64)
jobs = st.sampled_from([1, 3])


@pytest.fixture(autouse=True, params=["bitwise_count", "table"])
def small_tiles(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few hashes make many tiles and parts; with numpy's popcount and with the one before 2.0."""
    if request.param == "table":
        monkeypatch.setattr(hamming, "_popcount", hamming._popcount_by_table)
    elif not hasattr(np, "bitwise_count"):
        pytest.skip("numpy before 2.0 has no bitwise_count")
    for module, name, value in (
        (hamming, "TILE_TARGETS", 3),
        (hamming, "TILE_SOURCES", 5),
        (hamming, "TILE_SOURCES_OF_FEW", 4),
        (search, "_LEAST_PAIRS", 4),
        (search, "_ROWS_OF_PAIRS", 4),
    ):
        monkeypatch.setattr(module, name, value)


def packed(values: list[int]) -> hamming.Hashes:
    return np.array(values, np.uint64)


def distance(a: int, b: int) -> int:
    return bin(a ^ b).count("1")


def plain_pairs(values: list[int], radius: int) -> set[tuple[int, int]]:
    """The oracle: the double loop."""
    return {
        (i, j)
        for i in range(len(values))
        for j in range(i + 1, len(values))
        if distance(values[i], values[j]) <= radius
    }


def plain_components(values: list[int], radius: int) -> list[int]:
    """The oracle: labels fall along the pairs until none falls any more."""
    labels = list(range(len(values)))
    pairs = plain_pairs(values, radius)
    while any(labels[i] != labels[j] for i, j in pairs):
        for i, j in pairs:
            labels[i] = labels[j] = min(labels[i], labels[j])
    return labels


@settings(deadline=None, max_examples=60)
@given(values=words, radius=radii, bounds=st.tuples(st.integers(0, 24), st.integers(0, 24)))
def test_pairs_are_those_of_the_double_loop(
    values: list[int], radius: int, bounds: tuple[int, int]
) -> None:
    first, last = min(bounds), max(bounds)
    left, right = hamming.pairs_within(packed(values), first, last, radius)
    pairs = list(zip(left.tolist(), right.tolist()))
    assert len(pairs) == len(set(pairs))
    assert set(pairs) == {pair for pair in plain_pairs(values, radius) if first <= pair[0] < last}


@settings(deadline=None, max_examples=60)
@given(values=words, radius=st.integers(0, 40), jobs=jobs)
def test_components_are_those_of_the_double_loop(values: list[int], radius: int, jobs: int) -> None:
    found = search.components(packed(values), radius, jobs)
    assert found.tolist() == plain_components(values, radius)


def test_a_chain_is_one_group_and_a_gap_ends_it() -> None:
    chain = [(1 << length) - 1 for length in range(40)]
    assert set(search.components(packed(chain), 1).tolist()) == {0}
    gap = chain[:20] + chain[21:]
    assert search.components(packed(gap), 1).tolist() == [0] * 20 + [20] * 19


def test_pairs_beyond_two_for_each_hash_are_thinned(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = []
    thinned = search._thinned

    def watch(pairs: search.Pairs, count: int) -> search.Pairs:
        kept.append(len(thinned(pairs, count)[0]))
        return thinned(pairs, count)

    monkeypatch.setattr(search, "_thinned", watch)
    monkeypatch.setattr(search, "_ROWS_OF_PAIRS", 40)
    everything = packed(list(range(200)))
    assert set(search.components(everything, 64, 1).tolist()) == {0}
    assert max(kept) <= 2 * len(everything)


@settings(deadline=None, max_examples=60)
@given(targets=words, sources=words, count=st.integers(1, 5), radius=radii, jobs=jobs)
def test_threads_find_what_one_finds(
    targets: list[int], sources: list[int], count: int, radius: int, jobs: int
) -> None:
    some, others = packed(targets), packed(sources)
    own = np.arange(len(targets)) - 2  # some are left out, some exclude nothing
    expected = hamming.nearest(some, others, count, own, radius)
    found = search.nearest(some, others, count, own, radius, jobs)
    for mine, plain in zip(found, expected):
        np.testing.assert_array_equal(mine, plain)
    near = search.near_any(some, others, radius, jobs)
    assert near.tolist() == [any(distance(t, s) <= radius for t in targets) for s in sources]
    counts = search.histograms(some, others, jobs)
    assert counts.shape == (len(targets), 65)
    for row, target in enumerate(targets):
        plain_counts = np.bincount([distance(target, s) for s in sources], minlength=65)
        assert counts[row].tolist() == plain_counts.tolist()
