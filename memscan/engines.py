"""How work is spread over this machine's cores."""

from __future__ import annotations

import collections
import itertools
import os
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Callable, Iterable, Iterator, Sequence, TypeVar

from memscan.errors import InputError

Item = TypeVar("Item")
Result = TypeVar("Result")

MAX_JOBS = 1024

CHUNK = 8
"""Items that a worker takes at a time: few enough that a worker told to stop does so at once."""

_CHUNKS_IN_FLIGHT = 4  # per worker: enough to keep it busy, few enough for any number of items


def available_cores() -> int:
    """The number of cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def check(jobs: int | None) -> None:
    """Raise InputError for a number of workers that no machine has."""
    if jobs is not None and not 1 <= jobs <= MAX_JOBS:
        raise InputError(f"jobs must lie between 1 and {MAX_JOBS}")


def map_chunks(
    function: Callable[[Iterable[Item]], Sequence[Result]],
    items: Iterable[Item],
    jobs: int | None = None,
    chunk: int = CHUNK,
    ahead: int = 0,
) -> Iterator[Result]:
    """Yield the results for all items in their order, computed by threads a chunk at a time.

    ``function`` gives a sequence of results for some items. Threads, because Pillow lets go of the
    interpreter lock while it decodes and resizes. ``jobs`` is their number (all cores by default).
    At least ``ahead`` items are in work or done before they are asked for: a caller that takes many
    at a time, and does something with them, is not waited for.
    The caller's thread only waits, so that an interrupt reaches it at once; when it stops early,
    the chunks in work end after the item that they are at.
    """
    workers = jobs or available_cores()
    stopped = threading.Event()

    def work(some: list[Item]) -> Sequence[Result]:
        return function(item for item in some if not stopped.is_set())

    pool = ThreadPoolExecutor(workers)
    chunks = _chunks(items, chunk)
    in_flight: collections.deque[Future[Sequence[Result]]] = collections.deque()
    try:
        for some in itertools.islice(chunks, max(workers * _CHUNKS_IN_FLIGHT, -(-ahead // chunk))):
            in_flight.append(pool.submit(work, some))
        while in_flight:
            results = in_flight.popleft().result()
            for some in itertools.islice(chunks, 1):
                in_flight.append(pool.submit(work, some))
            yield from results
    finally:
        stopped.set()
        for future in in_flight:
            future.cancel()
        pool.shutdown(wait=False)


def _chunks(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    rest = iter(items)
    while some := list(itertools.islice(rest, size)):
        yield some
