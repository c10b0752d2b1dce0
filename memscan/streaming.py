"""Exact search in a table larger than memory, read a block at a time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, Iterable, Iterator, Tuple

from memscan import neighbours
from memscan.hamming import Hashes, Neighbours, Positions

Block = Tuple[int, Hashes]
"""The position of a block's first hash in the table, and its hashes."""


def nearest(
    targets: Hashes,
    blocks: Iterable[Block],
    count: int = 1,
    excluded: Positions | None = None,
    radius: int = 0,
    jobs: int | None = None,
) -> Neighbours:
    """What :func:`memscan.hamming.nearest` gives for all blocks as one table.

    A thread reads the next block while this one is searched; memory holds those two. A million
    hashes in a block are enough; many targets gain from more.
    """
    ahead = read_ahead(blocks)
    return neighbours.nearest_of_blocks(targets, ahead, count, excluded, radius, jobs)


def read_ahead(blocks: Iterable[Any]) -> Iterator[Any]:
    """The same blocks, each asked for while the caller works on the one before it.

    A source of blocks that reuses its memory needs two buffers in turn. What it raises is raised
    here, after the blocks before.
    """
    rest = iter(blocks)
    with ThreadPoolExecutor(1) as reader:
        coming = reader.submit(next, rest, None)
        while True:
            block = coming.result()
            if block is None:
                return
            coming = reader.submit(next, rest, None)
            yield block
