"""Shards on this machine: each worker is a process that has one shard at a time."""

from __future__ import annotations

import queue
import threading
from typing import Callable

from memscan import engines
from memscan.crew import Crew, WorkerError, serve_with_news
from memscan.shards.attempt import perform
from memscan.shards.contract import RETRIES, News, Reply, Request, ShardEngine

_LOST = "the process that worked on it came to an end"


class LocalEngine(ShardEngine):
    """Processes of this machine, ``jobs`` of them (all cores by default).

    Where no process can be started, be it a limit or no interpreter, the work is done in this
    process, a shard at a time; a crash is then the caller's too.
    """

    def __init__(self, jobs: int | None = None, retries: int = RETRIES) -> None:
        """Raises InputError for a number of workers that no machine has."""
        super().__init__(retries)
        engines.check(jobs)
        self._jobs = jobs or engines.available_cores()
        self._attempts: queue.SimpleQueue[tuple[int, str, Request] | None] = queue.SimpleQueue()
        self._news: queue.SimpleQueue[News] = queue.SimpleQueue()
        self._threads = 0
        self._crews: list[Crew] = []
        self._in_this_process = threading.Lock()
        self._lock = threading.Lock()
        self._closed = False

    def __enter__(self) -> LocalEngine:
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._closed = True
        for crew in self._crews:
            crew.close()
        for _thread in range(self._threads):
            self._attempts.put(None)

    def _window(self) -> int:
        return 2 * self._jobs  # while the caller takes an outcome, every worker has another shard

    def _submit(self, number: int, task: str, request: Request) -> None:
        self._attempts.put((number, task, request))
        if self._threads < self._jobs:  # no more workers than there are shards
            self._threads += 1
            threading.Thread(target=self._work, daemon=True).start()

    def _hear(self) -> News:
        return self._news.get()

    def _work(self) -> None:
        """Make one attempt after another with a process of this thread's own."""
        ask = self._engage()
        while not self._closed:
            attempt = self._attempts.get()
            if attempt is None:
                return
            number, task, request = attempt

            def tell(done: int, number: int = number) -> None:
                self._news.put((number, done))

            self._news.put((number, ask(task, request, tell)))

    def _engage(self) -> Callable[[str, Request, Callable[[int], None]], Reply]:
        try:
            crew = Crew(1, __name__, serve_shards.__name__)
        except (OSError, WorkerError):
            return self._perform_here
        with self._lock:
            self._crews.append(crew)
            if self._closed:
                crew.close()

        def ask(task: str, request: Request, tell: Callable[[int], None]) -> Reply:
            try:
                reply: Reply = crew.ask([task, request], tell)
            except WorkerError:
                return {"loss": _LOST}
            return reply

        return ask

    def _perform_here(self, task: str, request: Request, tell: Callable[[int], None]) -> Reply:
        with self._in_this_process:  # a task may set what is the whole process's, such as limits
            return perform(task, request, tell)


def serve_shards() -> None:
    """Work on shards for another process: what runs in the :class:`~memscan.crew.Crew`."""

    def answer(attempt: tuple[str, Request], tell: Callable[[int], None]) -> Reply:
        task, request = attempt
        return perform(task, request, tell)

    serve_with_news(answer)
