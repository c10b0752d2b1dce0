from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from memscan import judging
from memscan.errors import InputError
from memscan.records import Basis, Reason, Thresholds, Verdict
from memscan.table import HashTable
from tests.evidence.test_chance import balanced_hashes

THRESHOLDS = Thresholds()


def table(hashes: Any, low: Any = ()) -> HashTable:
    values = np.array(hashes, np.uint64)
    flags = np.zeros(len(values), np.bool_)
    flags[list(low)] = True
    return HashTable([f"{row:05d}.png" for row in range(len(values))], values, flags)


def turned(hash: np.uint64, bits: int, start: int = 0) -> np.uint64:
    """The hash with so many bits turned."""
    return np.uint64(int(hash) ^ (((1 << bits) - 1) << start))


def test_the_chance_of_a_copy_is_extrapolated_and_that_of_a_stranger_observed() -> None:
    sources = balanced_hashes(3000)
    stranger = balanced_hashes(1, seed=7)[0]
    findings, curve = judging.judge(table([sources[5], stranger]), table(sources), THRESHOLDS)
    copy, other = findings
    assert (copy.verdict, copy.chance.basis) == (Verdict.IDENTICAL, Basis.EXTRAPOLATED)
    assert copy.chance.expected is not None
    assert copy.chance.expected < 1e-3
    assert (other.verdict, other.chance.basis) == (Verdict.DISTINCT, Basis.OBSERVED)
    assert other.chance.expected is not None
    assert 0.05 < other.chance.expected < 20
    assert sum(point.observed for point in curve) == 6000
    assert [point.distance for point in curve] == list(range(0, 65, 2))
    assert curve[0].observed == 1


def test_a_small_source_and_a_flat_target_have_no_chance_level() -> None:
    sources = balanced_hashes(50)
    (finding,), curve = judging.judge(table(sources[:1]), table(sources), THRESHOLDS)
    assert (finding.chance.expected, finding.chance.basis) == (None, Basis.SOURCE_TOO_SMALL)
    assert curve == ()
    sources = balanced_hashes(500)
    (finding,), curve = judging.judge(table(sources[:1], low=[0]), table(sources), THRESHOLDS)
    assert (finding.chance.expected, finding.chance.basis) == (None, Basis.LOW_INFORMATION)
    assert curve == ()


def test_the_number_grows_with_the_source_and_not_with_the_sample(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sources, target = balanced_hashes(8000), balanced_hashes(1, seed=3)
    whole, _ = judging.judge(table(target), table(sources), THRESHOLDS)
    monkeypatch.setattr("memscan.table.SAMPLE", 1000)
    sampled, curve = judging.judge(table(target), table(sources), THRESHOLDS)
    assert 900 < sum(point.observed for point in curve) < 1100
    assert sampled[0].chance.expected == pytest.approx(whole[0].chance.expected, rel=0.5)


def test_any_number_of_jobs_gives_the_same() -> None:
    sources, targets = balanced_hashes(60_000), balanced_hashes(100, seed=1)
    one = judging.judge(table(targets), table(sources), THRESHOLDS, top_k=3, jobs=1)
    assert judging.judge(table(targets), table(sources), THRESHOLDS, top_k=3, jobs=3) == one


class TestGenericHash:
    """Close to very many sources at once, which are not copies of each other."""

    target = balanced_hashes(1, seed=9)[0]

    def reasons(self, close: list[np.uint64], others: int = 1000) -> tuple[Reason, ...]:
        sources = table([*close, *balanced_hashes(others)])
        return judging.judge(table([self.target]), sources, THRESHOLDS)[0][0].reasons

    def test_many_different_neighbours_ask_for_a_review(self) -> None:
        close = [turned(self.target, 8, start) for start in range(0, 48, 4)]
        assert self.reasons(close) == (Reason.BORDERLINE, Reason.GENERIC_HASH)

    def test_many_copies_of_one_image_do_not(self) -> None:
        """What a model memorises is what its training set holds many times."""
        assert self.reasons([turned(self.target, 2, start % 3) for start in range(50)]) == ()

    def test_few_neighbours_do_not(self) -> None:
        close = [turned(self.target, 8, start) for start in range(0, 40, 4)]
        assert self.reasons(close) == (Reason.BORDERLINE,)

    def test_as_many_among_very_many_sources_do_not(self) -> None:
        close = [turned(self.target, 8, start) for start in range(0, 48, 4)]
        assert self.reasons(close, others=150_000) == (Reason.BORDERLINE,)


class TestSupporting:
    """The sources that a baseline must know."""

    target = balanced_hashes(1, seed=9)[0]

    def supporting(self, *bits: int, excluded: int = -1) -> tuple[tuple[float, int], ...]:
        sources = table([turned(self.target, count) for count in bits])
        found, _ = judging.judge(
            table([self.target]), sources, THRESHOLDS, 1, np.array([excluded]), with_supporting=True
        )
        return tuple((distance, hash ^ int(self.target)) for hash, distance in found[0].supporting)

    def test_for_a_copy_they_lie_within_the_near_threshold(self) -> None:
        assert self.supporting(8, 4, 2, 4, 20) == ((2, 0b11), (4, 0b1111))

    def test_for_a_review_they_lie_within_the_distinct_threshold(self) -> None:
        assert self.supporting(8, 12, 10) == ((8, 0xFF), (10, 0x3FF))

    def test_what_is_distinct_has_none(self) -> None:
        assert self.supporting(12, 20) == ()

    def test_the_target_itself_is_none(self) -> None:
        assert self.supporting(0, 4, excluded=0) == ((4, 0b1111),)


def test_a_target_that_is_left_without_a_source_is_refused() -> None:
    with pytest.raises(InputError, match="no other image"):
        judging.judge(table([1]), table([1]), THRESHOLDS, 1, np.array([0]))


def test_a_target_in_its_own_source_is_not_counted_among_the_pairs() -> None:
    sources = balanced_hashes(300)
    _, curve = judging.judge(table(sources[:2]), table(sources), THRESHOLDS, 1, np.array([0, 1]))
    assert curve[0].observed == 0
    assert sum(point.observed for point in curve) == 2 * 299


@pytest.mark.parametrize("copies", [1000, 10_000])
def test_copies_of_one_source_do_not_move_the_chance_level(copies: int) -> None:
    sources, targets = balanced_hashes(400), balanced_hashes(50, seed=5)
    plain, _ = judging.judge(table(targets), table(sources), THRESHOLDS)
    for repeated in range(0, 400, 40):
        many = np.concatenate([sources, np.repeat(sources[repeated], copies)])
        found, _ = judging.judge(table(targets), table(many), THRESHOLDS)
        for one, other in zip(plain, found):
            assert one.chance.expected is not None
            assert other.chance.expected is not None
            assert other.chance.expected <= len(many)
            if one.distance == other.distance:
                growth = len(many) / len(sources)
                assert other.chance.expected == pytest.approx(
                    one.chance.expected * growth, rel=0.01
                )


def test_a_cluster_of_sources_never_makes_more_matches_than_sources() -> None:
    frames = np.array([turned(balanced_hashes(1)[0], 1, bit % 64) for bit in range(64)])
    for start in range(0, 64, 7):
        target = turned(frames[0], 20, start % 40)
        hashes = np.concatenate([frames, balanced_hashes(150, seed=start)])
        (finding,), _ = judging.judge(table([target]), table(hashes), THRESHOLDS)
        assert finding.chance.expected is not None
        assert finding.chance.expected <= len(hashes)
