from __future__ import annotations

import itertools
import os
import threading
import time
from typing import Any, Callable, Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memscan.engines import CHUNK, MAX_JOBS, available_cores, check, map_chunks
from memscan.errors import InputError


def each(function: Callable[[Any], Any]) -> Callable[[Iterable[Any]], list[Any]]:
    return lambda items: [function(item) for item in items]


@settings(deadline=None, max_examples=30)
@given(items=st.lists(st.integers(), max_size=200), jobs=st.integers(1, 8))
def test_results_come_in_the_order_of_the_items(items: list[int], jobs: int) -> None:
    assert list(map_chunks(each(lambda item: item * 2), items, jobs)) == [
        item * 2 for item in items
    ]


def test_slow_items_do_not_change_the_order() -> None:
    def late_first(item: int) -> int:
        time.sleep(0.05 if item < CHUNK else 0)
        return item

    assert list(map_chunks(each(late_first), range(3 * CHUNK), 4)) == list(range(3 * CHUNK))


def test_several_threads_work() -> None:
    meeting = threading.Barrier(2, timeout=30)
    assert len(list(map_chunks(each(lambda _: meeting.wait()), range(2 * CHUNK), 2))) == 2 * CHUNK


def test_an_error_reaches_the_caller() -> None:
    with pytest.raises(ZeroDivisionError):
        list(map_chunks(each(lambda item: 1 // item), [1, 0]))


def test_items_are_taken_as_they_are_needed() -> None:
    results = map_chunks(each(lambda item: item), itertools.count(), 2)
    assert list(itertools.islice(results, 1000)) == list(range(1000))


def test_items_are_done_before_they_are_asked_for() -> None:
    done = threading.Semaphore(0)

    def work(item: int) -> int:
        done.release()
        return item

    results = map_chunks(each(work), range(1000), 2, chunk=4, ahead=99)
    assert next(results) == 0
    for _ in range(99):
        assert done.acquire(timeout=30)


def test_a_caller_that_stops_stops_the_workers() -> None:
    done: list[int] = []

    def work(item: int) -> int:
        time.sleep(0.005)
        done.append(item)
        return item

    results = map_chunks(each(work), range(100_000), 2)
    next(results)
    results.close()  # type: ignore[attr-defined]
    time.sleep(0.1)
    after = len(done)
    time.sleep(0.1)
    assert len(done) == after < 200


def test_the_cores_are_those_that_this_process_may_use() -> None:
    assert 1 <= available_cores() <= (os.cpu_count() or 1)


def test_a_number_of_workers_that_no_machine_has_is_refused() -> None:
    for jobs in (None, 1, MAX_JOBS):
        check(jobs)
    for jobs in (0, -1, MAX_JOBS + 1):
        with pytest.raises(InputError, match="jobs must lie between 1 and 1024"):
            check(jobs)
