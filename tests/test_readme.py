"""Every command in the README runs, and what it shows is what it prints."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from memscan import cli, decode, records
from memscan.cli import detect
from memscan.reports import FORMATS, csv_table
from tests.cli.running import MEMSCAN, ROOT, environment, run

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
CONSOLE = [body for language, body in BLOCKS if language == "console"]
SHELL = [line for language, body in BLOCKS if language == "sh" for line in body.splitlines()]
SETUP = [line for line in SHELL if line.startswith("python3 -m venv ")]


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory like a fresh clone after the first run, with images to scan."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "detect.py").write_bytes((ROOT / "detect.py").read_bytes())
    run(MEMSCAN, "demo", "demo")
    (tmp_path / "demo/generated_images").rename("generated")
    (tmp_path / "demo/training_data").rename("train")
    run(MEMSCAN, "demo", "again")
    for name in ("generated_images", "training_data"):
        (tmp_path / "again" / name).rename(tmp_path / "demo" / name)
    return tmp_path


def run_line(line: str) -> subprocess.CompletedProcess[str]:
    words = shlex.split(line)
    assert words[0] == "python"
    return subprocess.run(
        [sys.executable, *words[1:]], capture_output=True, text=True, env=environment(), check=False
    )


def test_the_blocks_are_all_of_a_kind_that_is_tested() -> None:
    assert {language for language, _ in BLOCKS} == {"sh", "console", "python"}


@pytest.mark.usefixtures("clone")
@pytest.mark.parametrize("body", CONSOLE)
def test_commands_print_what_is_shown(body: str) -> None:
    command, shown = body.split("\n", 1)
    assert command.startswith("$ ")
    assert run_line(command[2:]).stdout == shown


@pytest.mark.usefixtures("clone")
@pytest.mark.parametrize("line", [line for line in SHELL if line not in SETUP])
def test_other_commands_run(line: str) -> None:
    done = run_line(line)
    assert done.returncode == (1 if "--fail-on" in line else 0), done.stderr
    assert done.stderr == ""


def test_there_are_two_commands_that_set_everything_up() -> None:
    """One runs the main job and one the tests; .ci/run runs both."""
    first, tests = SETUP
    assert "memscan demo" in first
    assert "detect.py --target" in first
    assert "pytest" in tests


@pytest.mark.skipif(os.name != "posix", reason="the command is for a POSIX shell")
def test_the_first_run_works_on_this_python(clone: Path) -> None:
    """The part after the installation, which .ci/run does for real."""
    (clone / "demo").rename(clone / "elsewhere")
    line = SETUP[0].split(" && ", 2)[2].replace(".venv/bin/python", shlex.quote(sys.executable))
    done = subprocess.run(
        ["bash", "-c", line], capture_output=True, text=True, env=environment(), check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Verdict: Identical") + done.stdout.count("Verdict: Near") == 3


@pytest.mark.usefixtures("clone")
def test_the_python_example_runs() -> None:
    (code,) = (body for language, body in BLOCKS if language == "python")
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment(), check=True
    )
    assert len(done.stdout.splitlines()) == 4
    assert re.fullmatch(r"[0-9a-f]{16}", done.stdout.splitlines()[-1])


def test_every_command_and_option_is_described() -> None:
    for name in cli.memscan.commands:
        assert re.search(rf"^### .*`memscan {name}`$", README, re.MULTILINE)
    for parameter in detect.command.params:
        if isinstance(parameter, click.Option):
            assert f"`{max(parameter.opts, key=len)}" in README


def one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def test_lists_are_complete() -> None:
    readme = one_line(README)
    assert ", ".join(f"`{suffix}`" for suffix in sorted(decode.SUFFIXES)) in readme
    assert ", ".join(decode.FORMATS) in readme
    assert ", ".join(f"`{column}`" for column in csv_table.COLUMNS) in readme
    for format in FORMATS:
        assert f"`{format}`" in README
    for reason in records.Reason:
        assert f"- `{reason.value}`" in README
    for stage in records.Stage:
        assert f"`{stage.value}`" in README
