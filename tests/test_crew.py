from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Iterator

import pytest

from memscan.crew import Crew, WorkerError, serve, serve_with_news
from tests.cli.running import ROOT, environment
from tests.drawing import needs_posix
from tests.processes import is_running, wait_until


def work() -> None:
    """What the workers of these tests run."""
    serve(_reply)


def _reply(request: Any) -> Any:
    if request == "die":
        os._exit(3)
    if request == "sleep":
        time.sleep(60)
    if request == "chatter":
        print("not an answer")
    return {"worker": os.getpid(), "request": request}


def work_with_news() -> None:
    """A worker that counts before it answers."""
    serve_with_news(_count)


def _count(request: int, tell: Callable[[int], None]) -> str:
    for number in range(request):
        tell(number)
    return "done"


def never_ready() -> None:
    """A worker that ends before its greeting."""


@pytest.fixture
def crew() -> Iterator[Crew]:
    with Crew(2, __name__, work.__name__) as crew:
        yield crew


def test_every_request_has_its_own_answer(crew: Crew) -> None:
    requests = [{"text": f"é\udcff\u202e\n{number}"} for number in range(200)]
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(crew.ask, requests))
    assert [answer["request"] for answer in answers] == requests
    assert len({answer["worker"] for answer in answers}) == 2


def test_what_a_worker_prints_is_no_answer(crew: Crew) -> None:
    assert crew.ask("chatter")["request"] == "chatter"


def test_a_worker_that_is_lost_is_replaced(crew: Crew) -> None:
    for _ in range(3):
        with pytest.raises(WorkerError):
            crew.ask("die")
    assert [crew.ask(number)["request"] for number in range(8)] == list(range(8))


def test_news_comes_before_the_answer() -> None:
    with Crew(1, __name__, work_with_news.__name__) as crew:
        for number in (3, 0, 100):
            heard: list[int] = []
            assert crew.ask(number, heard.append) == "done"
            assert heard == list(range(number))
        assert crew.ask(2) == "done"  # nobody listens


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")
def test_lost_workers_leave_nothing_open() -> None:
    with Crew(1, __name__, work.__name__) as crew:
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(3):
            with pytest.raises(WorkerError):
                crew.ask("die")
        assert len(os.listdir("/proc/self/fd")) == before


def test_a_closed_crew_answers_nobody() -> None:
    with Crew(1, __name__, work.__name__) as crew:
        pass
    with pytest.raises(WorkerError):
        crew.ask("anybody")


def test_closing_does_not_wait_for_a_busy_worker() -> None:
    with Crew(1, __name__, work.__name__) as crew:
        lost: list[type] = []

        def ask() -> None:
            try:
                crew.ask("sleep")
            except WorkerError:
                lost.append(WorkerError)

        asking = threading.Thread(target=ask)
        asking.start()
        time.sleep(0.2)
        began = time.monotonic()
    asking.join(timeout=10)
    assert time.monotonic() - began < 10
    assert lost == [WorkerError]


def test_no_interpreter_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(OSError, match="nowhere"):
        Crew(2, __name__, work.__name__)


def test_a_worker_that_does_not_answer_is_told_at_once() -> None:
    with pytest.raises(WorkerError):
        Crew(2, __name__, never_ready.__name__)


CALLER = f"""
import sys
from memscan.crew import Crew
import threading
crew = Crew(2, {__name__!r}, "work")
print(*(worker.pid for worker in crew._all), flush=True)
threading.Thread(target=crew.ask, args=("sleep",), daemon=True).start()
sys.stdin.read()
"""


@needs_posix
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_workers_end_with_a_caller_that_is_killed(number: int) -> None:
    caller = subprocess.Popen(
        [sys.executable, "-c", CALLER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
        env=environment(),
        text=True,
    )
    assert caller.stdout is not None
    workers = [int(word) for word in caller.stdout.readline().split()]
    assert len(workers) == 2
    assert all(map(is_running, workers))
    caller.send_signal(number)
    caller.communicate(timeout=30)
    wait_until(lambda: not any(map(is_running, workers)))
