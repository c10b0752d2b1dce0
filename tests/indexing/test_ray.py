"""The same tables from a Ray cluster that loses parts of itself. Half a minute."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Iterator

import pytest

from memscan import indexing
from memscan.indexing import making
from memscan.tables.checking import verify
from memscan.tables.stored import StoredTable
from tests.cli.running import MEMSCAN, environment, run
from tests.detectors.networks import write_onnx
from tests.indexing import tasks
from tests.indexing.collections import ROOTS, files, mixture, tars
from tests.processes import is_running, wait_until
from tests.shards.nodes import Nodes, cluster

pytest.importorskip("pyarrow", reason="pyarrow is not installed")
pytestmark = pytest.mark.skipif(
    not any(Path(folder, "ray", "__init__.py").exists() for folder in sys.path),
    reason="ray is not installed",
)


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    with cluster() as (nodes, settings), pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        yield nodes


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_cluster_makes_the_same_bytes(here: Path, nodes: Nodes) -> None:
    mixture(here)
    indexing.index(ROOTS, "local", recursive=True)
    options = ["--recursive", "--output", "ray", "--engine", "ray", "--address", nodes.address]
    done = run([*MEMSCAN, "index", *ROOTS, *options])
    assert (done.returncode, done.stderr) == (0, "")
    assert files(here / "ray") == files(here / "local")


def test_a_crashing_shard_is_one_failure_of_a_ray_of_its_own(
    here: Path, nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    tars(here / "shards", 4)
    os.rename("shards/002.tar", "shards/poison.tar")
    monkeypatch.setattr(making, "TASK", tasks.CRASHING)
    done = indexing.index("shards/*.tar", "table", engine="ray", jobs=2)
    (failed,) = done.manifest.failed
    assert failed.shard.name == "shards/poison.tar"
    assert "given up after 3 attempts" in failed.reason
    assert (done.hashed, len(StoredTable.open("table"))) == (3, 9)


def test_a_worker_and_a_machine_are_lost_and_no_image_is(
    here: Path, nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    tars(here / "shards", 16)
    indexing.index("shards/*.tar", "local")
    monkeypatch.setattr(making, "TASK", tasks.SLOW)
    table = here / "table"

    def disturb() -> None:
        wait_until(lambda: len(list(table.glob("part-*"))) >= 2)
        wait_until(lambda: _kill_one(table))
        wait_until(lambda: len(list(filter(is_running, tasks.processes(table)))) == 3)  # all busy
        nodes.remove()
        nodes.add()

    disturbing = threading.Thread(target=disturb)
    disturbing.start()
    done = indexing.index("shards/*.tar", "table", engine="ray", address=nodes.address)
    disturbing.join()
    assert (done.manifest.failed, done.manifest.rows) == ((), 48)
    assert verify("table") == []
    assert files(table) == files(here / "local")


def test_a_killed_driver_is_run_again(here: Path, nodes: Nodes) -> None:
    tars(here / "shards", 16)
    indexing.index("shards/*.tar", "local")
    code = (
        f"from memscan import indexing; from memscan.indexing import making; "
        f"making.TASK = {tasks.SLOW!r}; "
        f"indexing.index('shards/*.tar', 'table', engine='ray', address={nodes.address!r})"
    )
    table = here / "table"
    driver = subprocess.Popen([sys.executable, "-c", code], env=environment())
    wait_until(lambda: len(list(table.glob("part-*"))) >= 3)
    driver.send_signal(signal.SIGKILL)
    driver.communicate(timeout=30)
    wait_until(lambda: not any(map(is_running, tasks.processes(table))))
    before = {path.name: path.stat().st_mtime_ns for path in table.glob("part-*")}
    assert 3 <= len(before) < 16
    done = indexing.index("shards/*.tar", "table", engine="ray", address=nodes.address)
    assert (done.hashed, done.already) == (16 - len(before), len(before))
    assert before == {name: (table / name).stat().st_mtime_ns for name in before}
    assert files(table) == files(here / "local")


def _kill_one(table: Path) -> bool:
    """Kill a worker that is at a shard, if there is one just now."""
    for process in filter(is_running, tasks.processes(table)):
        os.kill(process, signal.SIGKILL)
        return True
    return False


def test_a_cluster_makes_the_same_embeddings(here: Path, nodes: Nodes) -> None:
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    weights = write_onnx(here / "tiny.onnx")
    mixture(here)
    options = ["--recursive", "--detector", "encoder", "--weights", weights, "--output"]
    here_done = run([*MEMSCAN, "index", *ROOTS, *options, "local"])
    done = run(
        [*MEMSCAN, "index", *ROOTS, *options, "ray", "--engine", "ray", "--address", nodes.address]
    )
    assert (here_done.returncode, here_done.stderr) == (done.returncode, done.stderr) == (0, "")
    assert files(here / "ray") == files(here / "local")
    assert verify("ray") == []
