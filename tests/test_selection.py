from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from memscan import hashed, judging, vectors
from memscan.cosine import Cosine
from memscan.records import Thresholds
from memscan.selection import Wanted, select, select_by
from memscan.shards import LocalEngine
from memscan.table import HashTable, sampled

pytest.importorskip("pyarrow", reason="the extra parquet is not installed")

from memscan.tables.finishing import finish
from memscan.tables.identity import Encoder, Shard
from memscan.tables.part import Header, write_part
from memscan.tables.rows import Rows
from memscan.tables.stored import StoredTable


def store(folder: Path, words: int, views: tuple[str, ...], counts: tuple[int, ...]) -> StoredTable:
    """Parts with interleaved names and hashes of few bits, so that distances tie."""
    generator = np.random.default_rng(words)
    encoder = Encoder("test-64", "exact", "test", views, words)
    names = []
    for number, count in enumerate(counts):
        shape = (count,) if words == 1 else (count, words)
        hashes = generator.integers(0, 1 << 9, shape, dtype=np.uint64)
        others = generator.integers(0, 1 << 9, (count, len(views), *shape[1:]), dtype=np.uint64)
        header = Header("0", encoder, {"numpy": "1"}, Shard(f"shard {number}", number))
        rows = Rows(
            [f"{row:05} {number}" for row in range(count)],
            hashes,
            generator.random(count) < 0.1,
            np.ones(count, np.uint32),
            np.ones(count, np.uint32),
            [None] * count,
            [None] * count,
            others,
        )
        name = header.shard.part_name
        write_part(str(folder / name), [rows], header)
        names.append(name)
    finish(str(folder), names, "0", encoder, {})
    return StoredTable.open(str(folder))


def targets_of(words: int, count: int) -> HashTable:
    shape = (count,) if words == 1 else (count, words)
    hashes = np.random.default_rng(9).integers(0, 1 << 12, shape, dtype=np.uint64)
    paths = [f"target {row}" for row in range(count)]
    return HashTable(paths, hashes, np.zeros(count, np.bool_))


@pytest.mark.parametrize("words", [1, 4])
@pytest.mark.parametrize("views", [(), ("square", "crop")])
@pytest.mark.parametrize(("top_k", "block"), [(1, 1), (3, 1), (3, 400)])
def test_a_selection_is_judged_as_the_whole_table_is(
    tmp_path: Path,
    words: int,
    views: tuple[str, ...],
    top_k: int,
    block: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("memscan.selection.BLOCK", block)
    stored = store(tmp_path, words, views, (300, 1, 500))
    targets = targets_of(words, 20)
    whole = stored.load(views)
    excluded = np.full(20, -1)
    excluded[3] = 40  # as if that target were in the table

    def judged(sources: HashTable, excluded: Any) -> Any:
        return judging.judge(
            targets, sources, Thresholds(2, 3), top_k, excluded, with_chance=words == 1
        )

    wanted = Wanted(targets.hashes, top_k + 1, 3)
    selected = select(stored, views, wanted, len(stored))
    assert len(selected) < len(whole) == selected.size
    own = np.full(20, -1)
    place = list(selected.paths).index(whole.paths[40]) if whole.paths[40] in selected.paths else -1
    own[3] = place
    assert judged(selected, own) == judged(whole, excluded)
    with LocalEngine(jobs=1) as engine:
        by_parts, failures = select_by(engine, stored, views, wanted)
    assert failures == ()
    assert judged(by_parts, None) == judged(whole, None)


def store_embeddings(folder: Path, views: tuple[str, ...], counts: tuple[int, ...]) -> StoredTable:
    """Parts with interleaved names and embeddings, some of which are there several times."""
    draw = np.random.default_rng(2)
    encoder = Encoder("deepssim-1", "exact", "deepssim-1", views, vectors.words_of(5), 5)
    few = draw.standard_normal((50, 5)).astype(np.float32)
    few /= np.linalg.norm(few, axis=1, keepdims=True)
    names = []
    for number, count in enumerate(counts):
        shape = (count, 1 + len(views))
        words = vectors.pack(
            draw.integers(0, 1 << 64, count * shape[1], np.uint64),
            few[draw.integers(0, len(few), shape).ravel()],
        ).reshape(*shape, -1)
        header = Header("0", encoder, {"numpy": "1"}, Shard(f"shard {number}", number))
        rows = Rows(
            [f"{row:05} {number}" for row in range(count)],
            words[:, 0],
            draw.random(count) < 0.1,
            np.ones(count, np.uint32),
            np.ones(count, np.uint32),
            [None] * count,
            [None] * count,
            words[:, 1:],
        )
        write_part(str(folder / header.shard.part_name), [rows], header)
        names.append(header.shard.part_name)
    finish(str(folder), names, "0", encoder, {})
    return StoredTable.open(str(folder))


@pytest.mark.parametrize("views", [(), ("square", "crop")])
@pytest.mark.parametrize(("top_k", "block"), [(1, 1), (3, 900), (300, 1)])
def test_a_selection_of_embeddings_is_judged_as_the_whole_table_is(
    tmp_path: Path,
    views: tuple[str, ...],
    top_k: int,
    block: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("memscan.selection.BLOCK", block)
    stored = store_embeddings(tmp_path, views, (300, 1, 500))
    numbers = np.random.default_rng(9).standard_normal((20, 5)).astype(np.float32)
    numbers /= np.linalg.norm(numbers, axis=1, keepdims=True)
    hashes = vectors.pack(np.arange(20, dtype=np.uint64), numbers)
    targets = HashTable([f"target {row}" for row in range(20)], hashes, np.zeros(20, np.bool_))
    metric, thresholds = Cosine(5), Thresholds(0.05, 0.1)
    whole = stored.load(views)

    def judged(sources: HashTable) -> Any:
        return judging.judge(targets, sources, thresholds, top_k, with_chance=False, metric=metric)

    wanted = Wanted(hashes, top_k + 1, metric.units(thresholds.distinct))
    selected = select(stored, views, wanted, len(stored))
    assert len(selected) <= len(whole) == selected.size
    assert top_k == 300 or len(selected) < len(whole)
    assert judged(selected) == judged(whole)
    with LocalEngine(jobs=1) as engine:
        by_parts, failures = select_by(engine, stored, views, wanted)
    assert failures == ()
    assert judged(by_parts) == judged(whole)


def test_a_large_table_is_not_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = store(tmp_path, 1, (), (100, 200))
    targets = targets_of(1, 2)
    monkeypatch.setattr(hashed, "MOST_LOADED", 0.0)
    monkeypatch.setattr(StoredTable, "load", None)
    monkeypatch.setattr(StoredTable, "check", lambda *_: [])
    from memscan.encoders import PHASH
    from memscan.views import NONE

    held, _ = hashed.load(str(tmp_path), PHASH, NONE, wanted=Wanted(targets.hashes, 2, 1))
    assert held.table.size == len(stored) > len(held.table)


def test_the_sample_depends_on_no_order_and_no_parts() -> None:
    hashes = np.random.default_rng(0).integers(0, 2**64, 200_000, dtype=np.uint64)
    hashes[1000:1100] = hashes[5]
    drawn = sampled(hashes, len(hashes))
    assert 0.9 < len(drawn) / (1 << 15) < 1.1
    assert sorted(drawn.tolist()) == sorted(sampled(hashes[::-1], len(hashes)).tolist())
    halves = [sampled(half, len(hashes)) for half in np.split(hashes, 2)]
    assert np.concatenate(halves).tolist() == drawn.tolist()
    assert np.count_nonzero(drawn == hashes[5]) in (0, 101)
    assert sampled(hashes[:100], 100).tolist() == hashes[:100].tolist()
    # a smaller share is a part of a larger one, so samples of parts can be thinned
    assert set(sampled(hashes, 400_000).tolist()) < set(drawn.tolist())
