"""Shards on a Ray cluster, or on a Ray of this machine's own."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import queue
import secrets
import subprocess
import sys
import tempfile
import threading
from typing import IO, Any

from memscan import engines
from memscan.crew import interpreter
from memscan.errors import InputError
from memscan.shards.contract import RETRIES, News, Request, ShardEngine

_CONNECT_SECONDS = 15.0
_START_SECONDS = 60.0  # of a Ray of its own: 2 s on an idle machine, longer on a busy one
_END_SECONDS = 15.0


class RayEngine(ShardEngine):
    """Ray Core tasks, one per shard, on a cluster whose nodes have this memscan installed.

    Ray's driver runs in a process of its own (:mod:`memscan.shards.ray_driver`): what Ray prints,
    the handlers that it sets and the ways in which it can bring a process down stay there.
    """

    def __init__(
        self,
        address: str | None = None,
        jobs: int | None = None,
        gpus_per_task: float = 0,
        retries: int = RETRIES,
    ) -> None:
        """``address`` is ``host:port`` of a cluster of which this machine is a node, or ``auto``.

        The default is the environment variable RAY_ADDRESS and without it a Ray of this machine's
        own, on 127.0.0.1, with ``jobs`` workers (all cores by default). On a cluster ``jobs`` is
        how many shards are under way at once (twice its cores by default). Each shard takes one
        core and ``gpus_per_task`` GPUs. Raises InputError.
        """
        super().__init__(retries)
        engines.check(jobs)
        self._address = address or os.environ.get("RAY_ADDRESS") or None
        if self._address is not None and "://" in self._address:
            raise InputError(
                f"the address {self._address} cannot be used: run memscan on a machine of the "
                "cluster and give host:port, or auto"
            )
        self._jobs = jobs
        self._gpus_per_task = gpus_per_task
        self._room = 1
        self._lines: queue.SimpleQueue[list[Any] | None] = queue.SimpleQueue()

    def __enter__(self) -> RayEngine:
        if importlib.util.find_spec("ray") is None:
            raise InputError(
                "the engine ray needs Ray, which is not installed (pip install 'memscan[ray]')"
            )
        with contextlib.ExitStack() as undo:
            self._complaints: IO[bytes] = undo.enter_context(tempfile.TemporaryFile())
            self._driver = subprocess.Popen(
                interpreter("memscan.shards.ray_driver", "main"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._complaints,
                encoding="ascii",
                env=_environment(self._address),
                start_new_session=True,  # Ctrl-C is for the caller, who will end the driver
            )
            undo.callback(self._end)
            threading.Thread(target=self._listen, daemon=True).start()
            self._send(
                {
                    "address": self._address or "local",
                    "cores": self._jobs or engines.available_cores(),
                    "gpus_per_task": self._gpus_per_task,
                }
            )
            self._connect()
            self._undo = undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._undo.close()

    def _window(self) -> int:
        return self._room

    def _submit(self, number: int, task: str, request: Request) -> None:
        self._send([number, task, request])

    def _hear(self) -> News:
        while True:
            kind, *values = self._next_line(None)
            if kind == "refusal":
                raise InputError(values[0])
            if kind == "news":
                number, news = values
                return number, news
            self._make_room(values[0])

    def _make_room(self, cores: int) -> None:
        jobs = None if self._address is None else self._jobs  # its own Ray has so many cores
        self._room = jobs or 2 * max(cores, 1)

    def _connect(self) -> None:
        """Wait for the first word of the driver, which is how many cores there are."""
        seconds = _START_SECONDS if self._address is None else _CONNECT_SECONDS
        try:
            kind, value = self._next_line(seconds)
        except queue.Empty:
            self._driver.kill()
            reason = "Ray did not start on this machine"
            if self._address is not None:  # what it does with a wrong token, it does in silence
                reason = (
                    f"no Ray cluster that accepts this machine's token answered at {self._address}"
                )
            raise InputError(f"{reason} within {seconds:.0f} seconds") from None
        if kind == "refusal":
            raise InputError(value)
        self._make_room(value)

    def _next_line(self, seconds: float | None) -> list[Any]:
        line = self._lines.get(timeout=seconds)
        if line is None:
            self._complaints.seek(0)
            said = self._complaints.read().decode("utf-8", "replace").strip().splitlines()
            raise InputError(f"Ray came to an end{': ' + said[-1] if said else ''}")
        return line

    def _send(self, value: Any) -> None:
        assert self._driver.stdin is not None
        with contextlib.suppress(OSError):  # it has ended, which the next line will tell
            self._driver.stdin.write(json.dumps(value) + "\n")
            self._driver.stdin.flush()

    def _listen(self) -> None:
        assert self._driver.stdout is not None
        with contextlib.suppress(ValueError):  # closed by the end of the engine
            for line in self._driver.stdout:
                self._lines.put(json.loads(line))
        self._lines.put(None)

    def _end(self) -> None:
        """Let the driver end Ray, as it does when nobody asks any more; kill one that hangs."""
        assert self._driver.stdin is not None
        assert self._driver.stdout is not None
        with contextlib.suppress(OSError):
            self._driver.stdin.close()
        try:
            self._driver.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._driver.kill()
            self._driver.wait()
        self._driver.stdout.close()


def _environment(address: str | None) -> dict[str, str]:
    """What Ray reads when it is imported and started."""
    env = {
        **os.environ,
        # Workers that this machine starts find what this process finds.
        "PYTHONPATH": os.pathsep.join(os.path.abspath(path) for path in sys.path),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # what it would otherwise warn of
    }
    if address is None:
        env["RAY_AUTH_MODE"] = "token"
        env["RAY_AUTH_TOKEN"] = secrets.token_hex(32)  # not one that Ray would keep in the home
        env["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # on any system: the loopback interface
    return env
