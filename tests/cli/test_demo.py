from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest

from tests.cli.running import MEMSCAN, run
from tests.drawing import needs_posix


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_it_says_what_it_planted_and_what_to_try() -> None:
    done = run(MEMSCAN, "demo", "my demo")
    assert done.returncode == 0, done.stderr
    assert "mirrored: my demo/training_data/class_B/" in done.stdout
    (command,) = (line for line in done.stdout.splitlines() if "--recursive" in line)
    words = shlex.split(command)
    assert words[:4] == ["python", "-m", "memscan", "detect"]
    tried = run(MEMSCAN, *words[3:])
    assert tried.stdout.count("Analyzing target: ") == 8
    assert tried.stdout.count("Verdict: Distinct") == 5


def test_it_leaves_a_directory_in_use_alone() -> None:
    os.mkdir("mine")
    Path("mine/file").touch()
    done = run(MEMSCAN, "demo", "mine")
    assert (done.stdout, done.returncode) == ("", 2)
    assert done.stderr.startswith("Error: mine: not empty")


@needs_posix
def test_the_name_of_the_directory_is_shown_inert() -> None:
    done = run(MEMSCAN, "demo", "a\x1b[31mb\nc")
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    assert all(line.isprintable() for line in done.stdout.splitlines())
    assert sum(r"a\x1b[31mb\nc" in line for line in done.stdout.splitlines()) >= 8
