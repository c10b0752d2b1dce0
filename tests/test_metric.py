from __future__ import annotations

import numpy as np
import pytest

from memscan import matching, vectors
from memscan.cosine import Cosine
from memscan.hamming import Hashes
from memscan.metric import HAMMING
from memscan.records import View
from memscan.table import HashTable
from tests.test_cosine import all_distances, clustered


def packed(embeddings: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> Hashes:
    hashes = np.arange(100, 100 + len(embeddings), dtype=np.uint64)
    return vectors.pack(hashes, embeddings)


def test_a_threshold_in_units_and_back() -> None:
    assert (HAMMING.units(5), HAMMING.shown(5)) == (5, 5)
    assert isinstance(HAMMING.shown(5), int)
    metric = Cosine(4)
    for threshold in (0.0, 0.15, 0.4, 1 - 0.6, 2.0):
        assert metric.shown(metric.units(threshold)) == pytest.approx(threshold, abs=5e-7)


def test_what_names_an_image() -> None:
    words = packed(clustered(5, 6, 0))
    assert Cosine(6).names(words).tolist() == [100, 101, 102, 103, 104]
    hashes = np.array([3, 4], np.uint64)
    assert HAMMING.names(hashes) is hashes


@pytest.mark.parametrize("odd", [0, 1])
def test_near_is_what_lies_within_the_radius(odd: int) -> None:
    rows = clustered(40, 8 + odd, 1)
    words, metric = packed(rows), Cosine(8 + odd)
    distances = all_distances(rows[:1], rows)[0]
    radius = int(np.median(distances))
    found = metric.near(words, words[0], radius)
    assert found.positions.tolist() == np.flatnonzero(distances <= radius).tolist()
    assert found.distances.tolist() == distances[distances <= radius].tolist()
    bits = np.array([0b1, 0b111, 0b11111], np.uint64)
    assert HAMMING.near(bits, np.uint64(0), 3).positions.tolist() == [0, 1]


@pytest.mark.parametrize("count", [1, 3])
def test_the_closest_over_all_views(count: int) -> None:
    dimensions, names = 6, ("square", "crop")
    target_rows = clustered(2 * 4, dimensions, 2).reshape(4, 2, -1)
    source_rows = clustered(3 * 9, dimensions, 3).reshape(9, 3, -1)
    found = matching.nearest(
        table(target_rows, ("mirrored",)),
        table(source_rows, names),
        ("full", "mirrored"),
        count,
        metric=Cosine(dimensions),
    )
    for row, target in enumerate(target_rows):
        best = []
        for position, source in enumerate(source_rows):
            tries = [
                (int(all_distances(ours[None], theirs[None]).item()), view, side)
                for view, theirs in enumerate(source)
                for side, ours in enumerate(target)
            ]
            distance, view, side = min(tries)
            met = View(("full", "mirrored")[side], ("full", *names)[view])
            best.append((distance, position, met))
        expected = sorted(best, key=lambda item: item[:2])[:count]
        assert [
            (int(d), int(p), found.names[v])
            for d, p, v in zip(found.distances[row], found.positions[row], found.views[row])
        ] == expected


def table(
    rows: np.ndarray[tuple[int, ...], np.dtype[np.float32]], names: tuple[str, ...]
) -> HashTable:
    """A table of embeddings of shape (n, 1 + views, D)."""
    words = np.stack([packed(column) for column in rows.swapaxes(0, 1)], axis=1)
    paths = [f"{row}.png" for row in range(len(rows))]
    flags = np.zeros(len(rows), np.bool_)
    return HashTable(paths, words[:, 0].copy(), flags, words[:, 1:].copy(), names)
