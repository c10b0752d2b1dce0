from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Iterator

import pytest

from memscan.errors import InputError
from memscan.shards import LocalEngine, Outcome, RayEngine, ShardEngine, engine
from tests.cli.running import ROOT, environment
from tests.drawing import needs_posix
from tests.processes import is_running, wait_until
from tests.shards import tasks
from tests.shards.contract import TASKS, EngineContract, run, shards


class TestLocalEngine(EngineContract):
    @pytest.fixture
    def engine(self) -> Iterator[ShardEngine]:
        with LocalEngine(2) as engine:
            yield engine


def test_engines_have_names() -> None:
    assert isinstance(engine("local", jobs=3), LocalEngine)
    assert isinstance(engine("ray", "auto", 3), RayEngine)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("spark",), "no engine 'spark'"),
        (("local", "127.0.0.1:6379"), "only for the engine ray"),
        (("local", None, 0), "jobs must lie between"),
        (("ray", None, 0), "jobs must lie between"),
        (("ray", "ray://127.0.0.1:10001"), "host:port, or auto"),
    ],
)
def test_what_no_engine_can_do_is_refused(
    arguments: tuple[str, str | None, int | None], reason: str
) -> None:
    with pytest.raises(InputError, match=reason):
        engine(*arguments)


def test_ray_that_is_not_installed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r"memscan\[ray\]"), engine("ray"):
        pass


def test_one_job_is_a_process_of_its_own_too(tmp_path: Path) -> None:
    requests = shards(tmp_path, 3, how="kill")
    requests[0]["crashes"] = 99
    with LocalEngine(1) as engine:
        outcomes = run(engine, "crash", requests)
    assert [o.attempts for o in outcomes] == [3, 1, 1]


def test_retries_can_be_none(tmp_path: Path) -> None:
    with LocalEngine(1, retries=0) as engine:
        (outcome,) = run(engine, "fail", shards(tmp_path, 1, failures=9))
    assert outcome == Outcome(0, None, "given up after 1 attempt: OSError: no answer for 0", 1)
    with pytest.raises(InputError):
        LocalEngine(1, retries=-1)


def test_without_processes_the_work_is_done_here(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with LocalEngine(2) as engine:
        results = [o.result for o in run(engine, "number", [{"number": n} for n in range(9)])]
        assert {result["process"] for result in results if result} == {os.getpid()}
        together = [o.result for o in run(engine, "crowd", shards(tmp_path, 4))]
        assert {count["together"] for count in together if count} == {1}


def test_the_end_of_the_block_ends_busy_workers(tmp_path: Path) -> None:
    requests = shards(tmp_path, 3, seconds=300)
    requests[0]["seconds"] = 0
    with LocalEngine(2) as engine:
        assert next(engine.run(TASKS + "wait", requests)).index == 0
        wait_until(lambda: len(tasks.processes(tmp_path)) == 2)
    wait_until(lambda: not any(map(is_running, tasks.processes(tmp_path))))


CALLER = f"""
import sys
from memscan.shards import LocalEngine
with LocalEngine(2) as engine:
    for _ in engine.run({TASKS!r} + "wait", [{{"folder": sys.argv[1], "seconds": 300}}] * 5):
        pass
"""


@needs_posix
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_workers_end_with_their_caller(tmp_path: Path, number: int) -> None:
    caller = subprocess.Popen(
        [sys.executable, "-c", CALLER, str(tmp_path)],
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
        env=environment(),
    )
    wait_until(lambda: len(tasks.processes(tmp_path)) == 2)
    caller.send_signal(number)
    assert caller.wait(30) != 0
    wait_until(lambda: not any(map(is_running, tasks.processes(tmp_path))))
