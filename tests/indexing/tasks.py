"""Tasks in the place of the real one, for what real images do not do."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any, Callable

from memscan.indexing.work import index_shard
from memscan.tables.identity import Shard

CRASHING = "tests.indexing.tasks:crash_at_poison"
SLOW = "tests.indexing.tasks:slowly"


def crash_at_poison(request: dict[str, Any], report: Callable[[int], None]) -> dict[str, Any]:
    """End the worker at every shard with poison in its name."""
    if "poison" in request["shard"]["name"]:
        os._exit(9)
    return index_shard(request, report)


def slowly(request: dict[str, Any], report: Callable[[int], None]) -> dict[str, Any]:
    """Half a second for every shard that is not done; says beside the table which process it is."""
    folder = Path(request["output"] + ".processes")
    folder.mkdir(exist_ok=True)
    mark = folder / f"{os.getpid()}-{os.urandom(4).hex()}"
    mark.touch()
    try:
        for _ in range(5):
            if not (Path(request["output"]) / _part_name(request)).exists():
                time.sleep(0.1)
        return index_shard(request, report)
    finally:
        mark.unlink()


def processes(output: Path) -> list[int]:
    """The processes that are at a shard, or were when they were killed."""
    folder = Path(f"{output}.processes")
    marks = folder.iterdir() if folder.exists() else ()
    return [int(mark.name.partition("-")[0]) for mark in marks]


def _part_name(request: dict[str, Any]) -> str:
    return Shard.from_json(request["shard"]).part_name
