from __future__ import annotations

import threading
from typing import Iterator

import numpy as np
import pytest

from memscan import hamming, streaming
from memscan.hamming import Hashes
from tests.test_neighbours import assert_same, collection


def test_a_stream_is_searched_as_one_table() -> None:
    targets, sources = collection(0)
    excluded = np.arange(len(targets)) * 5
    buffers = [np.empty(100, np.uint64), np.empty(100, np.uint64)]

    def blocks() -> Iterator[tuple[int, Hashes]]:
        for number, start in enumerate(range(0, len(sources), 100)):
            block = buffers[number % 2][: len(sources) - start]
            block[:] = sources[start : start + 100]
            yield start, block

    found = streaming.nearest(targets, blocks(), 3, excluded, radius=10)
    assert_same(found, hamming.nearest(targets, sources, 3, excluded, radius=10))


def test_a_stream_without_blocks_has_no_neighbours() -> None:
    targets = np.zeros(2, np.uint64)
    assert_same(streaming.nearest(targets, []), hamming.nearest(targets, targets[:0]))


def test_the_next_block_is_read_while_this_one_is_searched() -> None:
    asked = [threading.Event() for _ in range(3)]

    def blocks() -> Iterator[tuple[int, Hashes]]:
        for number, event in enumerate(asked):
            event.set()
            yield number, np.zeros(1, np.uint64)

    ahead = streaming.read_ahead(blocks())
    assert next(ahead)[0] == 0
    assert asked[1].wait(10)
    assert not asked[2].is_set()
    assert [start for start, _ in ahead] == [1, 2]


def test_what_reading_raises_comes_after_the_blocks_before() -> None:
    def blocks() -> Iterator[tuple[int, Hashes]]:
        yield 0, np.zeros(1, np.uint64)
        raise OSError("torn")

    ahead = streaming.read_ahead(blocks())
    assert next(ahead)[0] == 0
    with pytest.raises(OSError, match="torn"):
        next(ahead)
