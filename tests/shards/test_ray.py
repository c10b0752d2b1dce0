"""The engine on Ray: on this machine's own Ray, and on a cluster that loses parts of itself.

It takes about a minute, 1.5 GB of memory and some MB in /dev/shm (or, if that is small, in /tmp).
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Iterator

import pytest

from memscan.errors import InputError
from memscan.shards import LocalEngine, RayEngine, ShardEngine, ray_engine
from tests.cli.running import ROOT, environment
from tests.processes import is_running, wait_until
from tests.shards import tasks
from tests.shards.contract import TASKS, EngineContract, run, shards
from tests.shards.nodes import Nodes, cluster

ray_is_missing = pytest.mark.skipif(
    not any(Path(folder, "ray", "__init__.py").exists() for folder in sys.path),
    reason="ray is not installed",
)
pytestmark = ray_is_missing


@pytest.fixture(scope="module")
def own_ray() -> Iterator[ShardEngine]:
    with RayEngine(jobs=2) as engine:
        yield engine


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    with cluster() as (nodes, settings), pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        yield nodes


class TestRayOfItsOwn(EngineContract):
    @pytest.fixture
    def engine(self, own_ray: ShardEngine) -> ShardEngine:
        return own_ray


def test_it_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    requests = shards(tmp_path, 3, seconds=300)
    requests[0]["seconds"] = 0
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        monkeypatch.setenv("RAY_TMPDIR", folder)
        with RayEngine(jobs=2) as engine:
            assert next(engine.run(TASKS + "wait", requests)).index == 0
            wait_until(lambda: len(tasks.processes(tmp_path)) >= 2)
            assert len(os.listdir(folder)) == 1
        wait_until(lambda: not any(map(is_running, tasks.processes(tmp_path))))
        assert os.listdir(folder) == []
    assert list(home.iterdir()) == []


def test_a_gpu_that_is_not_there_is_told(nodes: Nodes) -> None:
    engine = RayEngine(nodes.address, gpus_per_task=0.5)
    with pytest.raises(InputError, match="offers a GPU"), engine:
        pass


def test_no_cluster_is_told() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(InputError, match=f"no Ray cluster at {address}"), RayEngine(address):
            pass


def test_something_else_at_the_address_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_engine, "_CONNECT_SECONDS", 3)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(InputError, match=address), RayEngine(address):
            pass


def test_another_version_of_ray_is_told(
    nodes: Nodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text("import ray\nray.__version__ = '2.0.0'\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(InputError, match=r"another version of Ray or Python.*2\.0\.0"):
        RayEngine(nodes.address).__enter__()


def test_a_cluster_that_loses_a_worker_and_a_machine_loses_no_shard(
    nodes: Nodes, tmp_path: Path
) -> None:
    here, there, release = tmp_path / "here", tmp_path / "there", tmp_path / "release"
    for folder in (here, there):
        folder.mkdir()
    with LocalEngine(2) as local:
        run(local, "write_part", shards(here, 24, images=10, pause=0))

    def disturb() -> None:
        try:
            wait_until(lambda: len(_parts(there)) == 2)  # what is begun from now on is held
            wait_until(lambda: len(_in_the_middle(there)) == 3)  # one on each machine
            killed = _in_the_middle(there)[0]
            os.kill(killed, signal.SIGKILL)
            wait_until(lambda: not is_running(killed))
            wait_until(lambda: len(_in_the_middle(there)) == 3)
            held = _in_the_middle(there)
            nodes.remove()
            wait_until(lambda: not all(map(is_running, held)))
        finally:
            release.touch()
        nodes.add()

    disturbing = threading.Thread(target=disturb)
    disturbing.start()
    requests = shards(there, 24, images=10, pause=0, release=str(release))
    for request in requests[:2]:
        del request["release"]
    with RayEngine(nodes.address) as engine:
        outcomes = run(engine, "write_part", requests)
    disturbing.join()
    assert [o.failure for o in outcomes] == [None] * 24
    assert sum(o.attempts - 1 for o in outcomes) >= 2  # the worker's shard and the machine's
    assert _parts(there) == _parts(here)
    assert len(_parts(there)) == 24


DRIVER = f"""
import sys
from memscan.shards import RayEngine
from tests.shards.contract import shards
requests = shards(sys.argv[2], 16, images=10, pause=0.03)
with RayEngine(sys.argv[1] or None, jobs=2) as engine:
    for outcome in engine.run({TASKS!r} + "write_part", requests):
        print(outcome.index, flush=True)
"""


@pytest.mark.parametrize("own", [False, True], ids=["a cluster", "its own Ray"])
def test_a_driver_that_is_killed_is_run_again(nodes: Nodes, tmp_path: Path, own: bool) -> None:
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER, "" if own else nodes.address, str(tmp_path)],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env=environment(),
        text=True,
    )
    assert driver.stdout is not None
    for _ in range(5):
        assert driver.stdout.readline()
    driver.kill()
    driver.communicate(timeout=30)
    wait_until(lambda: not any(map(is_running, tasks.processes(tmp_path))))
    wait_until(lambda: not list(Path(os.environ["RAY_TMPDIR"]).glob("memscan-*")))
    before = _written(tmp_path)
    assert 5 <= len(before) < 16
    with RayEngine(nodes.address) as engine:
        outcomes = run(engine, "write_part", shards(tmp_path, 16, images=10, pause=0))
    written = [o.result["written"] for o in outcomes if o.result is not None]
    assert sum(written) == 16 - len(before)
    after = _written(tmp_path)
    assert {name: after[name] for name in before} == before  # not written a second time
    assert len(after) == 16


def test_a_machine_without_this_memscan_is_told(
    nodes: Nodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text("import memscan\nmemscan.__version__ = '99'\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with RayEngine(nodes.address) as engine, pytest.raises(InputError, match="need memscan 99"):
        list(engine.run(TASKS + "number", [{"number": 1}]))


def test_a_driver_that_comes_to_an_end_is_told(nodes: Nodes, tmp_path: Path) -> None:
    with RayEngine(nodes.address) as engine:
        requests = shards(tmp_path, 3, seconds=300)
        requests[0]["seconds"] = 0
        outcomes = engine.run(TASKS + "wait", requests)
        assert next(outcomes).index == 0
        engine._driver.kill()
        with pytest.raises(InputError, match="Ray came to an end"):
            next(outcomes)


def _in_the_middle(folder: Path) -> list[int]:
    """The processes that have begun a part and not ended it."""
    unfinished = (int(path.suffixes[-2][1:]) for path in folder.glob("*.part.*.tmp"))
    return list(filter(is_running, unfinished))


def _parts(folder: Path) -> dict[str, bytes]:
    return {part.name: part.read_bytes() for part in folder.glob("*.part")}


def _written(folder: Path) -> dict[str, tuple[int, int]]:
    """Which file each part is, and when it was written."""
    stats = {part.name: part.stat() for part in folder.glob("*.part")}
    return {name: (stat.st_ino, stat.st_mtime_ns) for name, stat in stats.items()}
