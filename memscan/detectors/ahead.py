"""Batches made in other threads while the network works on the one before."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Callable, Iterable, Iterator, TypeVar

import torch

from memscan.engines import available_cores

_ON_CPU, _ON_GPU = 2, 8

Draw = TypeVar("Draw")
Batch = TypeVar("Batch")


def workers(jobs: int | None, where: torch.device) -> int:
    """Threads that make batches: ``jobs``, or as many as pay; on a CPU the network needs the cores.

    A GPU waits for them, so it gets what there is, up to eight.
    """
    return jobs or (_ON_CPU if where.type == "cpu" else min(_ON_GPU, available_cores()))


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
