"""What every engine does alike: how many attempts are under way, and when one is made again."""

from __future__ import annotations

import abc
import itertools
from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterable, Iterator, Tuple, Union

from memscan.errors import InputError

Request = Dict[str, Any]
"""What a task is asked, in values that JSON can write."""

Reply = Dict[str, Any]
"""How an attempt ended: ``result`` and ``done`` (images), or the reason under one of the keys
``refusal`` (the task's own, final), ``error`` (an exception) and ``loss`` (of its process)."""

News = Tuple[int, Union[int, Reply]]
"""The number of an attempt, with the images of its shard that are done so far or its end."""

RETRIES = 2


@dataclass(frozen=True)
class Outcome:
    """How the work on one shard ended: with a result or with a failure, never with both."""

    index: int
    """The position of the shard among the requests, from 0."""
    result: dict[str, Any] | None
    """What the task returned."""
    failure: str | None
    """Why there is no result: a sentence that does not name the shard."""
    attempts: int


@dataclass
class _Attempt:
    index: int
    request: Request
    ordinal: int  # from 1


class ShardEngine(abc.ABC):
    """Runs a task once per shard. To be used in a ``with`` block, whose end ends all work.

    A worker has one shard at a time, so that a crash is blamed on the shard that caused it. An
    attempt that ends with an exception or with the loss of its worker is made again, ``retries``
    times at most; the task's own MemscanError is final. One shard's attempts cost no other's.
    """

    def __init__(self, retries: int = RETRIES) -> None:
        if retries < 0:
            raise InputError("retries must not be negative")
        self._retries = retries
        self._numbers = itertools.count()

    @abc.abstractmethod
    def __enter__(self) -> ShardEngine:
        """Start what is needed. Raises InputError if that cannot be."""

    @abc.abstractmethod
    def __exit__(self, *_: object) -> None:
        """End all work, whatever it is at, and leave nothing behind."""

    @abc.abstractmethod
    def _window(self) -> int:
        """How many attempts may be under way or waiting, at least 1."""

    @abc.abstractmethod
    def _submit(self, number: int, task: str, request: Request) -> None:
        """Begin an attempt, now or when there is a worker for it."""

    @abc.abstractmethod
    def _hear(self) -> News:
        """Wait for the next news of any attempt. Raises InputError if there will be none."""

    def run(
        self,
        task: str,
        requests: Iterable[Request],
        *,
        progress: Callable[[int], None] | None = None,
    ) -> Iterator[Outcome]:
        """Yield how each request ended, in the order in which they end.

        Requests are taken as there is room for them, so there may be any number. ``progress`` is
        called with the number of images done in all shards together, which never falls. Raises
        InputError if the engine as a whole can do no more.
        """
        waiting = enumerate(requests)
        under_way: dict[int, _Attempt] = {}
        meter = _Meter(progress)
        while True:
            for index, request in itertools.islice(
                waiting, max(self._window() - len(under_way), 0)
            ):
                self._begin(task, _Attempt(index, request, 1), under_way)
            if not under_way:
                return
            number, news = self._hear()
            if number not in under_way:  # of an earlier run that was left before its end
                continue
            attempt = under_way[number]
            if isinstance(news, int):
                meter.advance(attempt.index, news)
                continue
            del under_way[number]
            if ("error" in news or "loss" in news) and attempt.ordinal <= self._retries:
                again = _Attempt(attempt.index, attempt.request, attempt.ordinal + 1)
                self._begin(task, again, under_way)
                continue
            meter.close(attempt.index, news.get("done", 0))
            yield _outcome(attempt, news)

    def _begin(self, task: str, attempt: _Attempt, under_way: dict[int, _Attempt]) -> None:
        number = next(self._numbers)
        under_way[number] = attempt
        self._submit(number, task, attempt.request)


class _Meter:
    """Counts the images that are done; those that are done again are not counted again."""

    def __init__(self, progress: Callable[[int], None] | None) -> None:
        self._progress = progress
        self._open: dict[int, int] = {}
        self._total = 0

    def advance(self, index: int, done: int) -> None:
        gained = done - self._open.get(index, 0)
        if gained > 0:
            self._open[index] = done
            self._total += gained
            if self._progress is not None:
                self._progress(self._total)

    def close(self, index: int, done: int) -> None:
        self.advance(index, done)
        self._open.pop(index, None)


def _outcome(attempt: _Attempt, reply: Reply) -> Outcome:
    failure = reply.get("refusal")
    if "result" not in reply and failure is None:
        reason = reply.get("error") or reply["loss"]
        times = "1 attempt" if attempt.ordinal == 1 else f"{attempt.ordinal} attempts"
        failure = f"given up after {times}: {reason}"
    return Outcome(attempt.index, reply.get("result"), failure, attempt.ordinal)
