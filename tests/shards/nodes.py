"""A Ray cluster of several nodes on this machine, in a process of its own."""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Iterator

from tests.cli.running import ROOT, environment


class Nodes:
    """A head and two more nodes of one core each, which can be removed and added."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.address = self._answer()

    def add(self) -> None:
        self._ask("add")

    def remove(self) -> None:
        """Take a node away with all that runs on it, as when its machine is switched off."""
        self._ask("remove")

    def _ask(self, what: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(what + "\n")
        self._process.stdin.flush()
        assert self._answer() == what

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


@contextlib.contextmanager
def cluster() -> Iterator[tuple[Nodes, dict[str, str]]]:
    """A cluster and what a process must have in its environment to join it."""
    with tempfile.TemporaryDirectory(prefix="nodes-", dir="/tmp") as folder:
        settings = {
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # 127.0.0.1
            "RAY_TMPDIR": folder,
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
        }
        log = (Path(folder) / "log").open("wb")
        process = subprocess.Popen(
            [sys.executable, "-c", f"from {__name__} import serve; serve()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=ROOT,
            env=environment(settings),
            text=True,
        )
        log.close()
        try:
            yield Nodes(process), settings
        finally:
            process.communicate(timeout=60)


def serve() -> None:
    """Be the process that holds the nodes, until nobody asks for more."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    from ray.cluster_utils import Cluster

    quick = {"health_check_period_ms": 500, "health_check_failure_threshold": 3}
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "_system_config": quick})
    nodes = [made.add_node(num_cpus=1), made.add_node(num_cpus=1)]
    print(made.address, file=answers, flush=True)
    for line in sys.stdin:
        if line.strip() == "add":
            nodes.append(made.add_node(num_cpus=1))
        else:
            made.remove_node(nodes.pop(0), allow_graceful=False)
        print(line.strip(), file=answers, flush=True)
    made.shutdown()
