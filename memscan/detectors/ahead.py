"""Batches made in other threads while the network works on the one before."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Callable, Iterable, Iterator, TypeVar

Draw = TypeVar("Draw")
Batch = TypeVar("Batch")


def ahead(make: Callable[[Draw], Batch], draws: Iterable[Draw], workers: int) -> Iterator[Batch]:
    """``make`` of each draw, in order, with up to ``workers`` + 1 of them under way or waiting.

    The batches are the same for any number of workers if ``make`` depends on its draw alone.
    """
    waiting: deque[Future[Batch]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for draw in draws:
                waiting.append(pool.submit(make, draw))
                if len(waiting) > workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
