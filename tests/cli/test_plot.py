from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from tests.cli.running import DETECT, MEMSCAN, ROOT, run
from tests.reports.documents import document

PLOT = [*MEMSCAN, "plot"]


@pytest.fixture(autouse=True)
def audit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("audit.json").write_text(json.dumps(document()))


def needs_matplotlib() -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed (see the report extra)")


def test_the_figure_is_written_in_each_format() -> None:
    needs_matplotlib()
    names = ["a.png", "a.PDF", "a.svg"]
    done = run(PLOT, "audit.json", *[word for name in names for word in ("--output", name)])
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)
    assert Path("a.png").read_bytes().startswith(b"\x89PNG")
    assert Path("a.PDF").read_bytes().startswith(b"%PDF")
    assert b"<svg" in Path("a.svg").read_bytes()
    assert sorted(os.listdir()) == ["a.PDF", "a.png", "a.svg", "audit.json"]


@pytest.mark.usefixtures("work")
def test_the_report_of_a_scan_can_be_drawn() -> None:
    needs_matplotlib()
    scan = ["--target", "generated", "--source", "training_data", "-r", "--output", "scan.json"]
    assert run(DETECT, *scan).returncode == 0
    done = run(PLOT, "scan.json", "--output", "scan.png")
    assert (done.stderr, done.returncode) == ("", 0)


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help(flag: str) -> None:
    done = run(PLOT, flag)
    assert done.stdout.startswith("Usage: ")
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "Missing argument 'AUDIT.json'"),
        (["audit.json"], "Missing option '--output'"),
        (["audit.json", "--output", "a.gif"], "a.gif: the name of an output must end in one of"),
        (["missing.json", "--output", "a.png"], "missing.json: cannot be read: No such file"),
        (["notes.txt", "--output", "a.png"], "notes.txt: it is not one JSON document; 'memscan"),
        (["other.json", "--output", "a.png"], "other.json: it is not the JSON document of a scan"),
        (["\x1b[31m", "--output", "a.png"], r"\x1b[31m: cannot be read"),
    ],
)
def test_unusable_input_ends_with_one_sentence_and_2(arguments: list[str], sentence: str) -> None:
    Path("notes.txt").write_text("no JSON")
    Path("other.json").write_text('{"schema_version": 1, "groups": []}')
    done = run(PLOT, *arguments)
    assert (done.stdout, done.returncode) == ("", 2)
    assert done.stderr.splitlines()[-1].startswith(f"Error: {sentence}")
    assert not list(Path().glob("*.png"))


def test_an_unwritable_output_ends_with_70() -> None:
    assert run(PLOT, "audit.json", "--output", "no/where.png").returncode == 70


def test_without_matplotlib_it_names_the_extra() -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); sys.modules['matplotlib'] = None\n"
        "from memscan.entry import memscan; memscan()"
    )
    done = run([sys.executable, "-c", code], "plot", "audit.json", "--output", "a.png")
    assert done.returncode == 2
    assert done.stderr == (
        "Error: plots need matplotlib, which is not installed: pip install 'memscan[report]'\n"
    )


def test_a_broken_matplotlib_is_not_called_absent() -> None:
    Path("broken").mkdir()
    Path("broken/matplotlib.py").write_text("raise ImportError('half an installation')")
    path = os.pathsep.join(["broken", str(ROOT)])
    done = run(PLOT, "audit.json", "--output", "a.png", env={"PYTHONPATH": path})
    assert done.returncode == 70
    assert "half an installation" in done.stderr
