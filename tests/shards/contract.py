"""What every engine keeps: the tests of each engine inherit these, with an engine of 2 jobs."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any, Iterator

import pytest

from memscan.shards import Outcome, ShardEngine
from tests.shards import tasks

TASKS = "tests.shards.tasks:"


def run(engine: ShardEngine, task: str, requests: list[dict[str, Any]]) -> list[Outcome]:
    """All outcomes, in the order of the requests."""
    outcomes = list(engine.run(TASKS + task, iter(requests)))
    assert sorted(outcome.index for outcome in outcomes) == list(range(len(requests)))
    return sorted(outcomes, key=lambda outcome: outcome.index)


def shards(folder: Path, count: int, **options: Any) -> list[dict[str, Any]]:
    return [{"number": number, "folder": str(folder), **options} for number in range(count)]


class EngineContract:
    def test_every_request_has_one_result(self, engine: ShardEngine) -> None:
        requests = [{"number": n, "text": f"é\udcff\u202e\n{n}"} for n in range(100)]
        outcomes = run(engine, "number", requests)
        assert all(o.failure is None and o.attempts == 1 for o in outcomes)
        results = [o.result for o in outcomes if o.result is not None]
        assert [{k: r[k] for k in ("number", "text")} for r in results] == requests

    def test_no_requests_have_no_outcomes(self, engine: ShardEngine) -> None:
        assert run(engine, "number", []) == []

    def test_a_refusal_of_the_task_is_final(self, engine: ShardEngine, tmp_path: Path) -> None:
        outcomes = run(engine, "refuse", shards(tmp_path, 3))
        assert outcomes == [Outcome(n, None, f"{n} is no shard", 1) for n in range(3)]
        assert [tasks.attempts_at(tmp_path, n) for n in range(3)] == [1, 1, 1]

    def test_an_exception_is_tried_again(self, engine: ShardEngine, tmp_path: Path) -> None:
        assert run(engine, "fail", shards(tmp_path, 1, failures=2)) == [Outcome(0, {}, None, 3)]

    def test_an_exception_every_time_is_a_failure(
        self, engine: ShardEngine, tmp_path: Path
    ) -> None:
        (outcome,) = run(engine, "fail", shards(tmp_path, 1, failures=9))
        reason = "given up after 3 attempts: OSError: no answer for 0"
        assert outcome == Outcome(0, None, reason, 3)
        assert tasks.attempts_at(tmp_path, 0) == 3

    @pytest.mark.parametrize("how", ["exit", "kill"])
    def test_a_shard_that_crashes_its_worker_fails_alone(
        self, engine: ShardEngine, tmp_path: Path, how: str
    ) -> None:
        requests = shards(tmp_path, 12, how=how)
        requests[3]["crashes"], requests[7]["crashes"] = 99, 1
        outcomes = run(engine, "crash", requests)
        assert outcomes[3].result is None
        assert str(outcomes[3].failure).startswith("given up after 3 attempts: ")
        assert str(outcomes[3].failure).endswith("came to an end")
        attempts = [tasks.attempts_at(tmp_path, n) for n in range(12)]
        assert attempts == [o.attempts for o in outcomes]
        assert attempts == [1, 1, 1, 3, 1, 1, 1, 2, 1, 1, 1, 1]
        assert all(o.result == {} for o in outcomes if o.index != 3)

    @pytest.mark.parametrize(
        ("task", "reason"),
        [
            ("leave", "SystemExit: 0"),
            ("unwritable", "not JSON serializable"),
            ("nowhere", "has no attribute 'nowhere'"),
        ],
    )
    def test_a_task_that_is_no_task_is_told(
        self, engine: ShardEngine, task: str, reason: str
    ) -> None:
        (outcome,) = run(engine, task, [{}])
        assert reason in str(outcome.failure)

    def test_progress_counts_each_image_once(self, engine: ShardEngine, tmp_path: Path) -> None:
        requests = shards(tmp_path, 4, images=10, pause=0.05)
        requests[1]["crash_after"] = 8
        seen: list[int] = []
        outcomes = list(engine.run(TASKS + "images", requests, progress=seen.append))
        assert len(outcomes) == 4
        assert seen == sorted(set(seen))
        assert seen[-1] == 40
        assert len(seen) > 4  # more than one report for each shard

    def test_requests_are_taken_as_there_is_room(self, engine: ShardEngine) -> None:
        taken = itertools.count()
        last = -1

        def endless() -> Iterator[dict[str, Any]]:
            nonlocal last
            for last in taken:
                yield {"number": last}

        for ended, _ in enumerate(engine.run(TASKS + "number", endless())):
            assert last - ended < 5
            if ended == 30:
                break

    def test_no_more_shards_at_once_than_jobs(self, engine: ShardEngine, tmp_path: Path) -> None:
        together = [o.result for o in run(engine, "crowd", shards(tmp_path, 20))]
        assert {count["together"] for count in together if count} <= {1, 2}

    def test_a_run_that_is_left_does_not_disturb_the_next(self, engine: ShardEngine) -> None:
        for _ in engine.run(TASKS + "number", ({"number": n} for n in range(50))):
            break
        assert len(run(engine, "number", [{"number": n} for n in range(50)])) == 50
