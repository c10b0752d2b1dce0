"""Processes of this machine that work in parallel without sharing an interpreter lock.

A worker is a Python interpreter that answers each line of JSON on its standard input with one on
its standard output, before which it may send lines of news. Unlike a pool of
:mod:`multiprocessing` it needs nothing of the caller's main module, and ends with its caller,
however that ends.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import queue
import subprocess
import sys
import threading
from typing import Any, Callable, TextIO

_CODE = "import sys; sys.path[:] = {path!r}; from {module} import {name}; {name}()"


def interpreter(module: str, name: str) -> list[str]:
    """The command that runs ``module.name()`` in an interpreter that finds what this one finds."""
    code = _CODE.format(path=sys.path, module=module, name=name)
    return [sys.executable, "-W", "ignore", "-c", code]


_ANSWER, _NEWS = "answer", "news"


class WorkerError(Exception):
    """A worker ended without an answer."""


class Crew:
    """Some workers, each of which runs ``module.name()``, a function that calls :func:`serve`."""

    def __init__(self, size: int, module: str, name: str) -> None:
        """Raises OSError where no process can be started, WorkerError if one does not answer."""
        self._command = interpreter(module, name)
        self._lock = threading.Lock()
        self._all: list[subprocess.Popen[str]] = []
        self._idle: queue.SimpleQueue[subprocess.Popen[str]] = queue.SimpleQueue()
        self._closed = False
        with contextlib.ExitStack() as undo:
            undo.callback(self.close)
            for _ in range(size):
                self._idle.put(self._start())
            for worker in self._all:
                _answer(worker)
            undo.pop_all()

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End all workers at once, whatever they are doing."""
        with self._lock:
            self._closed = True
        for worker in self._all:
            _end(worker)

    def ask(self, request: Any, hear: Callable[[Any], None] | None = None) -> Any:
        """A worker's answer to a request, both of which JSON can write. Safe to call from threads.

        ``hear`` is called with each piece of news that the worker sends before its answer. Raises
        WorkerError if the worker ends instead of answering; another has then its place.
        """
        worker = self._idle.get()
        try:
            assert worker.stdin is not None
            try:
                worker.stdin.write(json.dumps(request) + "\n")
                worker.stdin.flush()
            except (OSError, ValueError) as error:  # it has ended, or the crew is closed
                raise WorkerError from error
            return _answer(worker, hear)
        except WorkerError as error:
            self._discard(worker)
            try:
                worker = self._start()
                _answer(worker)
            except OSError:  # no more processes: the next request fails as this one did
                raise error from None
            raise
        finally:
            self._idle.put(worker)

    def _start(self) -> subprocess.Popen[str]:
        with self._lock:
            if self._closed:
                raise WorkerError
            worker = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                encoding="ascii",
                start_new_session=True,  # Ctrl-C is for the caller, who will end the workers
            )
            self._all.append(worker)
            return worker

    def _discard(self, worker: subprocess.Popen[str]) -> None:
        """Give back what a lost worker holds: its pipes, and its place among the processes."""
        with self._lock:
            if not self._closed and worker in self._all:
                self._all.remove(worker)
                _end(worker)


def serve(answer: Callable[[Any], Any]) -> None:
    """Be a worker: answer requests until the caller is gone, and then end at once."""
    serve_with_news(lambda request, _: answer(request))


def serve_with_news(answer: Callable[[Any, Callable[[Any], None]], Any]) -> None:
    """Be a worker whose ``answer(request, tell)`` may tell the caller news on the way."""
    requests: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(sys.stdin, requests), daemon=True).start()
    answers = sys.stdout
    sys.stdout = sys.stderr  # whatever else is printed must not stand among the answers

    def send(kind: str, value: Any) -> None:
        answers.write(json.dumps([kind, value]) + "\n")
        answers.flush()

    value: Any = "ready"
    while True:
        send(_ANSWER, value)
        value = answer(json.loads(requests.get()), functools.partial(send, _NEWS))


def _listen(stream: TextIO, requests: queue.SimpleQueue[str]) -> None:
    for line in stream:
        requests.put(line)
    os._exit(0)


def _answer(worker: subprocess.Popen[str], hear: Callable[[Any], None] | None = None) -> Any:
    assert worker.stdout is not None
    while True:
        line = worker.stdout.readline()
        if not line.endswith("\n"):
            raise WorkerError
        kind, value = json.loads(line)
        if kind == _ANSWER:
            return value
        if hear is not None:
            hear(value)


def _end(worker: subprocess.Popen[str]) -> None:
    worker.kill()
    worker.wait()
    for pipe in (worker.stdin, worker.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):  # a request that nobody will read
                pipe.close()
