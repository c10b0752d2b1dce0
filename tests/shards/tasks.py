"""Tasks that the tests of the engines run in workers, and what they leave behind."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from pathlib import Path
from typing import Any, Callable

from memscan.errors import InputError

Report = Callable[[int], None]


def number(request: dict[str, Any], report: Report) -> dict[str, Any]:
    """The request's own number and text, with the process that worked on it."""
    print("not an answer")
    return {"number": request["number"], "text": request.get("text"), "process": os.getpid()}


def images(request: dict[str, Any], report: Report) -> dict[str, Any]:
    """Some images; the first attempt may end in the middle of them."""
    attempt = _attempt(request)
    for done in range(1, request["images"] + 1):
        time.sleep(request["pause"])
        report(done)
        if done == request.get("crash_after") and attempt == 1:
            os._exit(3)
    return {"images": request["images"]}


def refuse(request: dict[str, Any], report: Report) -> dict[str, Any]:
    """A refusal, which is final."""
    _attempt(request)
    raise InputError(f"{request['number']} is no shard")


def fail(request: dict[str, Any], report: Report) -> dict[str, Any]:
    """An exception in the first attempts."""
    if _attempt(request) <= request["failures"]:
        raise OSError(f"no answer for {request['number']}")
    return {}


def crash(request: dict[str, Any], report: Report) -> dict[str, Any]:
    """The end of the worker in the first attempts."""
    if _attempt(request) <= request.get("crashes", 0):
        if request["how"] == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        os._exit(0)
    return {}


def leave(request: dict[str, Any], report: Report) -> dict[str, Any]:
    """What sys.exit means in a library that the task calls."""
    raise SystemExit(0)


def unwritable(request: dict[str, Any], report: Report) -> dict[str, Any]:
    """A result that JSON cannot write."""
    return {"bytes": b""}


def crowd(request: dict[str, Any], report: Report) -> dict[str, Any]:
    """How many attempts there are at the same time."""
    here = Path(request["folder"], f"running-{request['number']}")
    here.touch()
    time.sleep(0.05)
    together = len(list(here.parent.glob("running-*")))
    here.unlink()
    return {"together": together}


def wait(request: dict[str, Any], report: Report) -> dict[str, Any]:
    """A process that shows itself and takes its time."""
    Path(request["folder"], f"process-{os.getpid()}").touch()
    time.sleep(request["seconds"])
    return {}


def write_part(request: dict[str, Any], report: Report) -> dict[str, Any]:
    """A part file of a shard, unless it is there: what an indexing task does.

    Before its last image it waits for the file ``release``, if the request names one.
    """
    part = Path(request["folder"], f"{request['number']:05d}.part")
    if part.exists():
        return {"written": 0}
    running = Path(request["folder"], f"process-{os.getpid()}")
    running.touch()
    unfinished = part.with_name(f"{part.name}.{os.getpid()}.tmp")
    with unfinished.open("w", encoding="ascii") as file:
        for image in range(request["images"]):
            time.sleep(request["pause"])
            while image == request["images"] - 1 and _is_held(request):
                time.sleep(0.02)
            file.write(hashlib.sha256(f"{request['number']} {image}".encode()).hexdigest() + "\n")
            report(image + 1)
    os.replace(unfinished, part)
    running.unlink()
    return {"written": 1}


def _is_held(request: dict[str, Any]) -> bool:
    return "release" in request and not Path(request["release"]).exists()


def processes(folder: Path) -> list[int]:
    """The processes that are, or were, at :func:`wait` or :func:`write_part`."""
    return [int(path.name.partition("-")[2]) for path in folder.glob("process-*")]


def attempts_at(folder: Path, shard: int) -> int:
    """How often a shard of :func:`_attempt` was begun."""
    file = folder / f"attempts-{shard}"
    return file.stat().st_size if file.exists() else 0


def _attempt(request: dict[str, Any]) -> int:
    with Path(request["folder"], f"attempts-{request['number']}").open("ab") as file:
        file.write(b".")
        file.flush()
        return file.tell()
