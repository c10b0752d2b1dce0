"""One attempt at one shard, in the process that does the work."""

from __future__ import annotations

import importlib
import json
import time
from typing import Any, Callable

from memscan.errors import MemscanError
from memscan.shards.contract import Reply, Request

_INTERVAL = 0.2  # seconds between two reports of an attempt: often enough for a progress bar


def perform(task: str, request: Request, tell: Callable[[int], None]) -> Reply:
    """Call the task and say how that ended, in values that JSON can write.

    ``tell`` is called now and then with the number of images that the task has done.
    """
    report = _Report(tell)
    try:
        result = _function(task)(request, report)
        json.dumps(result)
    except MemscanError as error:
        return {"refusal": str(error)}
    except (Exception, SystemExit) as error:
        return {"error": f"{type(error).__name__}: {error}"}
    return {"result": result, "done": report.done}


class _Report:
    """What a task calls with the number of images of its shard that are done so far."""

    def __init__(self, tell: Callable[[int], None]) -> None:
        self.done = 0
        self._tell = tell
        self._told = time.monotonic()

    def __call__(self, done: int) -> None:
        self.done = done
        now = time.monotonic()
        if now - self._told >= _INTERVAL:
            self._told = now
            self._tell(done)


def _function(task: str) -> Callable[[Request, Callable[[int], None]], dict[str, Any]]:
    module, _, name = task.partition(":")
    function: Callable[[Request, Callable[[int], None]], dict[str, Any]]
    function = getattr(importlib.import_module(module), name)
    return function
