from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memscan import hamming, multi_index
from memscan.hamming import Hashes
from memscan.multi_index import MultiIndex

NOTHING = np.empty(0, np.uint64)


@pytest.fixture(params=["bitwise_count", "table"])
def popcount(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "table":
        monkeypatch.setattr(hamming, "_popcount", hamming._popcount_by_table)
    elif not hasattr(np, "bitwise_count"):
        pytest.skip("numpy before 2.0 has no bitwise_count")


def plain_pairs(targets: Hashes, sources: Hashes, radius: int) -> list[tuple[int, int, int]]:
    """The oracle: every pair."""
    distances = [hamming.distances(sources, target).tolist() for target in targets]
    return [
        (row, position, distance)
        for row, line in enumerate(distances)
        for position, distance in enumerate(line)
        if distance <= radius
    ]


def found_pairs(index: MultiIndex, sources: Hashes) -> list[tuple[int, int, int]]:
    pairs = []
    for start, tile, found in index.tiles(sources):
        assert tile.tolist() == sources[start : start + multi_index.TILE].tolist()
        assert found is not None
        assert [column.dtype for column in found] == [np.int64, np.int64, np.uint8]
        rows, positions, distances = (column.tolist() for column in found)
        pairs += [
            (row, start + place, bits) for row, place, bits in zip(rows, positions, distances)
        ]
    return sorted(pairs)


def near(generator: np.random.Generator, hashes: Hashes, flips: int) -> Hashes:
    """Hashes that differ from these in up to ``flips`` bits, wherever they lie."""
    changed = hashes.copy()
    for _ in range(flips):
        changed ^= np.uint64(1) << generator.integers(0, 64, len(hashes), dtype=np.uint64)
    return changed


@pytest.fixture
def never_crowded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multi_index, "CROWDED", 1)
    monkeypatch.setattr(multi_index, "TILE", 999)


@pytest.mark.usefixtures("popcount", "never_crowded")
@pytest.mark.parametrize("radius", range(16))
def test_all_pairs_of_a_radius_are_found_once(radius: int) -> None:
    generator = np.random.default_rng(radius)
    targets = generator.integers(0, 2**64, 20, dtype=np.uint64)
    sources = np.concatenate(
        [near(generator, targets.repeat(8), flips) for flips in range(radius + 3)]
        + [generator.integers(0, 2**64, 2000, dtype=np.uint64)]
    )
    expected = plain_pairs(targets, sources, radius)
    assert {distance for _, _, distance in expected} == set(range(radius + 1))
    for sample in (NOTHING, sources, sources[:200]):  # no layers, some, more
        assert found_pairs(MultiIndex.build(targets, radius, sample), sources) == expected


@pytest.mark.usefixtures("never_crowded")
def test_differing_bits_may_stand_in_any_words() -> None:
    """The pigeonhole's edge: a pair that is close in one word only, just close enough."""
    target = np.array([0x0123456789ABCDEF], np.uint64)
    for radius in range(16):
        index = MultiIndex.build(target, radius, NOTHING)
        whole, more = divmod(radius, 4)
        for own in range(4):
            # One bit too many in the words before, all that are left in the others.
            bits = [whole + 1 if word <= more else whole for word in range(4)]
            bits[own] -= 1
            if min(bits) < 0 or sum(bits) > radius:
                continue
            source = target.copy()
            source.view(np.uint16)[:] ^= np.array([(1 << n) - 1 for n in bits], np.uint16)
            assert found_pairs(index, source) == [(0, 0, sum(bits))]


@settings(deadline=None, max_examples=25)
@given(
    targets=st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 31), max_size=6),
    sources=st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 31), max_size=20),
    radius=st.integers(0, 12),
)
def test_any_hashes_are_found(targets: list[int], sources: list[int], radius: int) -> None:
    some, others = np.array(targets, np.uint64), np.array(sources, np.uint64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(multi_index, "CROWDED", 1)
        patch.setattr(multi_index, "TILE", 7)
        check(some, others, radius)


def check(some: Hashes, others: Hashes, radius: int) -> None:
    index = MultiIndex.build(some, radius, others)
    assert found_pairs(index, others) == plain_pairs(some, others, radius)


@pytest.mark.usefixtures("never_crowded")
def test_equal_targets_and_sources_are_all_found() -> None:
    targets = np.array([7, 7, 9], np.uint64)
    sources = np.array([7, 7, 2**63], np.uint64)
    index = MultiIndex.build(targets, 2, sources)
    assert found_pairs(index, sources) == plain_pairs(targets, sources, 2)


def test_a_crowd_is_left_to_a_plain_search() -> None:
    targets = np.arange(128, dtype=np.uint64)
    crowded = MultiIndex.build(targets, 10, NOTHING)
    assert [found for _, _, found in crowded.tiles(np.zeros(1000, np.uint64))] == [None]
    strangers = np.full(1000, 0x5555_5555_5555_5555, np.uint64)
    assert found_pairs(crowded, strangers) == []


def test_the_expected_cost_rises_with_the_crowd_and_the_radius() -> None:
    generator = np.random.default_rng(0)
    even = generator.integers(0, 2**64, 5000, dtype=np.uint64)
    targets = even[:500] << np.uint64(16)  # all have the same lowest word
    spread, crowded = (
        MultiIndex.build(targets, 10, sample).seconds for sample in (even, even << np.uint64(16))
    )
    assert spread < crowded
    assert spread < MultiIndex.build(targets, 12, even).seconds


def test_what_is_foreseen_is_near_what_a_sample_of_even_hashes_says() -> None:
    generator = np.random.default_rng(0)
    targets, sample = (generator.integers(0, 2**64, n, dtype=np.uint64) for n in (1000, 50_000))
    _, each = multi_index.foreseen(1000, 10)
    assert each == pytest.approx(MultiIndex.build(targets, 10, sample).seconds, rel=0.3)


@pytest.mark.parametrize("radius", [-1, 16])
def test_a_radius_that_words_do_not_bear_is_refused(radius: int) -> None:
    with pytest.raises(ValueError, match="between 0 and 15"):
        MultiIndex.build(NOTHING, radius, NOTHING)
