from __future__ import annotations

import os
import threading
from pathlib import Path

from memscan.shards import HereEngine, Outcome
from tests.processes import wait_until
from tests.shards.contract import TASKS, run, shards


def test_the_work_is_done_in_this_process_a_shard_at_a_time(tmp_path: Path) -> None:
    with HereEngine() as engine:
        results = [o.result for o in run(engine, "number", [{"number": n} for n in range(9)])]
        assert [result["process"] for result in results if result] == [os.getpid()] * 9
        together = [o.result for o in run(engine, "crowd", shards(tmp_path, 4))]
        assert {count["together"] for count in together if count} == {1}


def test_failures_are_those_of_every_engine(tmp_path: Path) -> None:
    with HereEngine() as engine:
        assert run(engine, "refuse", shards(tmp_path, 1)) == [Outcome(0, None, "0 is no shard", 1)]
        (tmp_path / "again").mkdir()
        assert run(engine, "fail", shards(tmp_path / "again", 1, failures=2)) == [
            Outcome(0, {}, None, 3)
        ]


def test_progress_is_told_on_the_way(tmp_path: Path) -> None:
    seen: list[int] = []
    with HereEngine() as engine:
        list(engine.run(TASKS + "images", shards(tmp_path, 2, images=10, pause=0.05),
                        progress=seen.append))  # fmt: skip
    assert seen == sorted(set(seen))
    assert seen[-1] == 20
    assert len(seen) > 3


def test_the_end_of_the_block_ends_the_work(tmp_path: Path) -> None:
    before = threading.active_count()
    with HereEngine() as engine:
        for _ in engine.run(TASKS + "images", shards(tmp_path, 9, images=5, pause=0.05)):
            break
    wait_until(lambda: threading.active_count() == before)
