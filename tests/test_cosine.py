from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memscan import cosine
from memscan.hamming import Neighbours

Rows = Any


def unit(rows: Rows) -> cosine.Embeddings:
    """Rows of length 1; rows of zeros stay."""
    values = np.asarray(rows, np.float64)
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    embeddings: cosine.Embeddings = (values / np.where(lengths, lengths, 1)).astype(np.float32)
    return embeddings


def clustered(count: int, dimensions: int, seed: int, spread: float = 0.3) -> cosine.Embeddings:
    """Rows around a few centres, some of them equal: many scores are close to each other."""
    generator = np.random.default_rng(seed)
    centres = generator.normal(size=(4, dimensions))
    rows = centres[generator.integers(0, 4, count)]
    rows = rows + spread * generator.normal(size=rows.shape)
    rows[count // 2 :: 5] = rows[: len(rows[count // 2 :: 5])]
    return unit(rows)


def all_distances(targets: cosine.Embeddings, sources: cosine.Embeddings) -> Any:
    """Every distance in float64, one pair at a time."""
    return np.array(
        [
            [
                round((1 - min(1.0, max(-1.0, float((t.astype(float) * s).sum())))) * 1e6)
                for s in sources
            ]
            for t in targets
        ]
    ).reshape(len(targets), len(sources))


def slow(
    targets: cosine.Embeddings,
    sources: cosine.Embeddings,
    count: int,
    excluded: Any,
    radius: int,
) -> Neighbours:
    """The sorted list of all distances."""
    found = all_distances(targets, sources)
    positions = np.full((len(targets), count), -1, np.int64)
    distances = np.full((len(targets), count), cosine.NOTHING, np.int32)
    within = np.zeros(len(targets), np.int64)
    for row, values in enumerate(found.tolist()):
        pairs = sorted((d, p) for p, d in enumerate(values) if p != excluded[row])
        within[row] = sum(d <= radius for d, _ in pairs)
        for rank, (distance, position) in enumerate(pairs[:count]):
            positions[row, rank], distances[row, rank] = position, distance
    return Neighbours(positions, distances, within)


def assert_same(found: Neighbours, expected: Neighbours) -> None:
    for one, other in zip(found, expected):
        assert one.tolist() == other.tolist()


numbers = st.integers(-2, 2).map(float)


@settings(deadline=None, max_examples=100)
@given(data=st.data(), dimensions=st.integers(1, 4), count=st.integers(1, 4))
def test_it_is_the_sorted_list_of_all_distances(
    data: st.DataObject, dimensions: int, count: int
) -> None:
    rows = st.lists(
        st.lists(numbers, min_size=dimensions, max_size=dimensions), min_size=1, max_size=12
    )
    targets, sources = unit(data.draw(rows)), unit(data.draw(rows))
    excluded = np.array([data.draw(st.integers(-1, len(sources) - 1)) for _ in targets])
    radius = data.draw(st.sampled_from([0, 292893, 500000, 1000000, 2000000]))
    found = cosine.nearest(targets, sources, count, excluded, radius)
    assert_same(found, slow(targets, sources, count, excluded, radius))


@pytest.mark.parametrize("spread", [1e-4, 1e-3, 0.3])
@pytest.mark.parametrize("count", [1, 3])
def test_scores_that_float32_cannot_tell_apart_are_told_apart(spread: float, count: int) -> None:
    targets, sources = clustered(9, 200, 1, spread), clustered(150, 200, 2, spread)
    sources[7] = targets[3]
    nobody = np.full(len(targets), -1)
    radius = int(np.median(all_distances(targets, sources)))
    found = cosine.nearest(targets, sources, count, None, radius)
    assert_same(found, slow(targets, sources, count, nobody, radius))


def test_any_size_of_block_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    targets, sources = clustered(40, 64, 3, 1e-3), clustered(700, 64, 4, 1e-3)
    excluded = np.arange(40) * 3
    whole = cosine.nearest(targets, sources, 4, excluded, 20)
    for rows, columns in ((1, 1), (7, 13), (40, 64)):
        monkeypatch.setattr(cosine, "_BLOCK_TARGETS", rows)
        monkeypatch.setattr(cosine, "_BLOCK_SOURCES", columns)
        monkeypatch.setattr(cosine, "_EXACT_NUMBERS", 100 * rows)
        assert_same(cosine.nearest(targets, sources, 4, excluded, 20), whole)
        near = cosine.near(targets, sources, 20)
        assert np.bincount(near[0], minlength=40).sum() >= whole.within.sum()


def test_all_pairs_within_a_radius(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cosine, "_BLOCK_SOURCES", 16)
    targets, sources = clustered(6, 32, 5), clustered(60, 32, 6)
    distances = all_distances(targets, sources)
    radius = int(np.quantile(distances, 0.2))
    rows, positions, found = cosine.near(targets, sources, radius)
    expected = [(r, p, distances[r, p]) for r, p in zip(*np.nonzero(distances <= radius))]
    assert expected
    assert list(zip(rows.tolist(), positions.tolist(), found.tolist())) == expected


def test_nothing_is_found_where_there_is_nothing() -> None:
    nothing = np.empty((0, 3), np.float32)
    found = cosine.nearest(unit([[1, 2, 3]]), nothing, 2)
    assert found.positions.tolist() == [[-1, -1]]
    assert cosine.nearest(nothing, unit([[1, 2, 3]])).positions.shape == (0, 1)
    only = cosine.nearest(unit([[1, 0]]), unit([[1, 0]]), 1, np.array([0]))
    assert (only.positions.item(), only.within.item()) == (-1, 0)
    with pytest.raises(ValueError, match="at least 1"):
        cosine.nearest(nothing, nothing, 0)


def test_faiss_gives_the_same_neighbours() -> None:
    faiss = pytest.importorskip("faiss", reason="faiss is not installed")
    generator = np.random.default_rng(0)
    targets, sources = (unit(generator.normal(size=(n, 96))) for n in (50, 5000))
    index = faiss.IndexFlatIP(96)
    index.add(sources)
    scores, positions = index.search(targets, 5)
    found = cosine.nearest(targets, sources, 5)
    assert found.positions.tolist() == positions.tolist()
    assert np.abs(1 - found.distances / 1e6 - scores).max() < 2e-6
