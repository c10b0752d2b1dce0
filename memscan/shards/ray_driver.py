"""The process that talks to Ray for another: the only importer of Ray.

Its standard input brings lines of JSON: the settings, then attempts ``[number, task, request]``.
Its standard output gives ``["cores", count]`` once it is connected and whenever that changes,
``["news", number, news]``, and ``["refusal", sentence]`` when the whole work cannot go on. It ends
Ray, and itself, when its standard input ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import queue
import socket
import sys
import tempfile
import threading
import time
from typing import Any, AsyncIterator, Callable, Iterator

import ray

from memscan import __version__
from memscan.shards.attempt import perform

_OBJECT_STORE = 80 << 20  # bytes, near the least that Ray takes: requests and replies are small
_LOOK_AGAIN = 5.0  # seconds until a cluster that grows or shrinks is noticed

_NOTICED = 20.0
"""Seconds after which Ray has noticed the loss of a machine: five checks, three seconds apart."""


class _RefusalError(Exception):
    """The whole work cannot be done as things stand; the text is a sentence that says why."""


def main() -> None:
    """Serve the process at the other end of the standard streams."""
    lines = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)  # whatever Ray prints must not stand among the lines

    def send(*line: Any) -> None:
        lines.write(json.dumps(line) + "\n")
        lines.flush()

    os.chdir(os.sep)  # Ray has its workers look for modules in this folder first
    settings = json.loads(sys.stdin.readline())
    try:
        with _connected(**settings):
            asyncio.run(_serve(send, settings["gpus_per_task"]))
    except _RefusalError as refusal:
        send("refusal", str(refusal))


@contextlib.contextmanager
def _connected(address: str, cores: int, gpus_per_task: float) -> Iterator[None]:
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    with contextlib.ExitStack() as undo:
        if address == "local":
            folder = os.environ.get("RAY_TMPDIR", "/tmp" if os.path.isdir("/tmp") else None)
            own = {
                "num_cpus": cores,
                "include_dashboard": False,
                "object_store_memory": _OBJECT_STORE,
                "_temp_dir": undo.enter_context(
                    # Short, as it holds sockets, whose paths have at most 107 bytes.
                    tempfile.TemporaryDirectory(prefix="memscan-ray-", dir=folder)
                ),
            }
        else:
            own = {}
            _knock(address)
        try:
            undo.callback(ray.shutdown)
            ray.init(address=address, **own, **quiet)
        except Exception as error:
            raise _RefusalError(_why_not(address, error)) from error
        for resource, needed in (("CPU", 1), ("GPU", gpus_per_task)):
            if ray.cluster_resources().get(resource, 0) < needed:
                raise _RefusalError(f"no machine of the Ray cluster offers a {resource}")
        yield


def _knock(address: str) -> None:
    """Raise _RefusalError where nothing listens; Ray would try for much longer."""
    host, colon, port = address.rpartition(":")
    if colon and port.isdigit():
        try:
            socket.create_connection((host, int(port)), timeout=5).close()
        except OSError as error:
            raise _RefusalError(f"there is no Ray cluster at {address} ({error})") from error


def _why_not(address: str, error: Exception) -> str:
    text = " ".join(str(error).split())
    if "ersion mismatch" in text:
        return f"the Ray cluster at {address} has another version of Ray or Python: {text}"
    if address == "local":
        return f"Ray could not be started on this machine: {text}"
    return f"cannot join the Ray cluster at {address}: {text}"


class _Cluster:
    """What Ray knows of its machines, as it was when somebody looked."""

    def __init__(self) -> None:
        self.look()

    def look(self) -> None:
        self.cores = int(ray.cluster_resources().get("CPU", 0))
        self.machines = frozenset(node["NodeID"] for node in ray.nodes() if node["Alive"])

    async def notice_loss(self, machines: frozenset[str]) -> None:
        """Wait until Ray knows that one of these machines is lost."""
        until = time.monotonic() + _NOTICED
        while machines <= self.machines and time.monotonic() < until:
            await asyncio.sleep(0.5)
            self.look()


async def _serve(send: Callable[..., None], gpus_per_task: float) -> None:
    """Make the attempts that come in, all at once, until no more can come.

    Tells how many cores there are, at first and when that changes.
    """
    loop = asyncio.get_running_loop()
    work = ray.remote(num_cpus=1, num_gpus=gpus_per_task, max_retries=0)(_work)
    over: asyncio.Future[None] = loop.create_future()
    cluster = _Cluster()

    async def attempt(number: int, task: str, request: Any) -> None:
        try:
            async for news in _attempt(work, cluster, task, request):
                send("news", number, news)
        except _RefusalError as refusal:
            if not over.done():
                over.set_exception(refusal)

    def listen() -> None:
        for line in sys.stdin:
            asyncio.run_coroutine_threadsafe(attempt(*json.loads(line)), loop)
        loop.call_soon_threadsafe(over.cancel)

    threading.Thread(target=listen, daemon=True).start()
    told = None
    while not over.done():
        if cluster.cores != told:
            told = cluster.cores
            send("cores", told)
        await asyncio.wait([over], timeout=_LOOK_AGAIN)
        cluster.look()
    if not over.cancelled():
        over.result()


async def _attempt(work: Any, cluster: _Cluster, task: str, request: Any) -> AsyncIterator[Any]:
    """Give the news of one attempt, of which the last is a Reply."""
    machines = cluster.machines
    try:
        async for reference in work.remote(__version__, task, json.dumps(request)):
            yield json.loads(await reference)
    except ray.exceptions.RayTaskError as error:
        reason = str(error).strip().splitlines()[-1]
        raise _RefusalError(
            f"the cluster's machines need memscan {__version__}, installed as here: {reason}"
        ) from error
    except ray.exceptions.LocalRayletDiedError as error:  # of the node that this process is at
        raise _RefusalError("Ray on this machine came to an end") from error
    except ray.exceptions.NodeDiedError:
        await cluster.notice_loss(machines)  # or the next attempt would be sent to it, too
        yield {"loss": "the machine that worked on it was lost"}
    except ray.exceptions.OutOfMemoryError:
        yield {"loss": "Ray ended its worker because the machine ran out of memory"}
    except ray.exceptions.RayError:
        yield {"loss": "the process that worked on it came to an end"}


def _work(version: str, task: str, request: str) -> Iterator[str]:
    """One attempt, in a worker of the cluster; only text goes to and fro."""
    if version != __version__:
        raise ImportError(f"this machine has memscan {__version__}")
    news: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def work() -> None:
        news.put(perform(task, json.loads(request), news.put))

    threading.Thread(target=work, daemon=True).start()
    while True:
        value = news.get()
        yield json.dumps(value)
        if not isinstance(value, int):
            return
