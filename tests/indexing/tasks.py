"""Tasks in the place of the real one, for what real images do not do."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Callable

from memscan.indexing.work import index_shard

CRASHING = "tests.indexing.tasks:crash_at_poison"
COUNTING = "tests.indexing.tasks:count"


def crash_at_poison(request: dict[str, Any], report: Callable[[int], None]) -> dict[str, Any]:
    """End the worker at every shard with poison in its name."""
    if "poison" in request["shard"]["name"]:
        os._exit(9)
    return index_shard(request, report)


def count(request: dict[str, Any], report: Callable[[int], None]) -> dict[str, Any]:
    """Leave a note of every attempt that does work, beside the table."""
    reply = index_shard(request, report)
    if not reply.get("already"):
        with Path(request["output"] + ".log").open("a", encoding="utf-8") as log:
            log.write(request["shard"]["name"] + "\n")
    return reply
