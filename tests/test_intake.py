from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from memscan import Cache, intake, views
from memscan.crew import Crew, WorkerError
from memscan.intake import Intake
from memscan.records import Failure, Stage
from tests.drawing import claim_size, picture, save


@pytest.fixture
def paths(tmp_path: Path) -> list[str]:
    """Images in every state, under names that are hard to pass on."""
    names = [f"{number:03d}" for number in range(40)] + ["line\nbreak", "a\udcff", "\u202eé"]
    paths = [save(picture(seed), tmp_path / f"{name}.png") for seed, name in enumerate(names)]
    Path(paths[3]).write_bytes(Path(paths[3]).read_bytes()[:300])
    Path(paths[9]).write_bytes(b"")
    claim_size(Path(paths[17]), 10_000, 10_000)
    return [*paths, str(tmp_path / "missing.png")]


def by_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "PROCESSES_FROM", 1)


def assert_equal(one: Any, other: Any) -> None:
    (table, failures), (other_table, other_failures) = one, other
    assert table.paths == other_table.paths
    assert np.array_equal(table.hashes, other_table.hashes)
    assert np.array_equal(table.low_information, other_table.low_information)
    assert np.array_equal(table.views, other_table.views)
    assert failures == other_failures


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("view_set", [views.NONE, views.of_source("training")])
def test_processes_give_what_threads_give(
    paths: list[str], fast: bool, view_set: views.ViewSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hashed() -> Any:
        scan = Intake(max_pixels=1_000_000, jobs=2)
        return scan.hash_files(paths, "", fast=fast, view_set=view_set)

    by_threads = hashed()
    assert by_threads[0].views.shape == (len(paths) - 4, len(view_set.names))
    assert [failure.stage for failure in by_threads[1]] == [
        Stage.DECODE,
        Stage.DECODE,
        Stage.DECODE,
        Stage.READ,
    ]
    by_processes(monkeypatch)
    asked: list[Any] = []
    ask = Crew.ask

    def noted(self: Crew, request: Any) -> Any:
        asked.append(request)
        return ask(self, request)

    monkeypatch.setattr(Crew, "ask", noted)
    assert_equal(hashed(), by_threads)
    assert len(asked) == 2  # chunks of 32


def test_what_processes_hashed_is_kept(
    paths: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_processes(monkeypatch)
    monkeypatch.setattr("memscan.stamps._FINE_TICK", 0)
    with Cache(str(tmp_path / "cache")) as cache:
        first = Intake(jobs=2, cache=cache).hash_files(paths, "")
        monkeypatch.setattr(intake, "hash_files", None)
        readable = [path for path in paths if path in set(first[0].paths)]
        again = Intake(jobs=1, cache=cache).hash_files(readable, "")
    assert_equal(again, (first[0], ()))


def test_without_processes_threads_do_the_work(
    paths: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = Intake(jobs=2).hash_files(paths, "")
    by_processes(monkeypatch)
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert_equal(Intake(jobs=2).hash_files(paths, ""), expected)


def test_an_image_that_brings_its_decoder_down_is_a_failure(
    paths: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (table, failures) = Intake(jobs=2).hash_files(paths, "")
    by_processes(monkeypatch)
    ask = Crew.ask

    def ask_or_crash(self: Crew, request: Any) -> Any:
        if paths[20] in request["paths"]:
            raise WorkerError
        return ask(self, request)

    monkeypatch.setattr(Crew, "ask", ask_or_crash)
    found, lost = Intake(jobs=2).hash_files(paths, "")
    assert found.paths == [path for path in table.paths if path != paths[20]]
    assert set(lost) - set(failures) == {
        Failure(paths[20], Stage.DECODE, "the process that decoded it came to an end")
    }
