from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.cli.running import MEMSCAN, ROOT, run

pytest.importorskip("torch", reason="torch is not installed (extra learned)")
pytest.importorskip("sklearn", reason="scikit-learn is not installed (extra diffusion)")

from memscan.cli import memscan, outputs, probe_demo
from memscan.cli.process import run_command
from memscan.errors import OutputError
from memscan.evaluation.digits import plan as plans
from memscan.evaluation.digits import seeds as experiments
from memscan.evaluation.digits.checkpoint import Checkpoint
from memscan.evaluation.digits.plan import Plan
from memscan.memorisation import Experiment
from tests.evaluation.digits.test_seeds import TINY, outcome


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the command says on stderr."""
    lines: list[str] = []
    monkeypatch.setattr("memscan.cli.process._say", lines.append)
    return lines


def test_it_trains_measures_and_writes(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    said: list[str],
) -> None:
    monkeypatch.setattr(probe_demo, "_plan", lambda duplicates, quick: TINY)
    monkeypatch.chdir(tmp_path)
    words = "probe demo --seeds 1 --device cpu --jobs 1 --output a.json --output a.txt"
    assert run_command(memscan, words.split()) == 0
    text = capfd.readouterr().out
    assert "Methods compared" in text
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == text
    document = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert [seed["seed"] for seed in document["seeds"]] == [0]
    assert sorted(os.listdir(tmp_path)) == ["a.json", "a.txt"]
    assert said[-1].startswith("Took 0.")


def test_finished_seeds_are_kept_until_the_result_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    def full(path: str, _: str) -> None:
        raise OutputError(f"{path}: no space left")

    monkeypatch.setattr(probe_demo, "_plan", lambda duplicates, quick: TINY)
    monkeypatch.chdir(tmp_path)
    Checkpoint("a.json.checkpoint", TINY).write({0: outcome(0)})
    words = "probe demo --seeds 1 --device cpu --output a.json".split()
    with monkeypatch.context() as patch:
        patch.setattr(outputs, "write_whole", full)
        assert run_command(memscan, words) == 70
    assert said == ["Error: a.json: no space left"]
    assert run_command(memscan, words) == 0
    assert os.listdir(tmp_path) == ["a.json"]


@pytest.mark.parametrize(
    ("words", "seeds", "plan"),
    [
        ("", 5, Plan()),
        ("--quick", 1, plans.QUICK),
        ("--quick --seeds 2", 2, plans.QUICK),
        ("--seeds 3", 3, Plan()),
    ],
)
def test_what_is_asked_for_is_run(
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    said: list[str],
    words: str,
    seeds: int,
    plan: Plan,
) -> None:
    asked = []

    def run(plan: Plan, seeds: range, **_: object) -> Experiment:
        asked.append((plan, list(seeds)))
        return experiments.together(TINY, [outcome(0)])

    monkeypatch.setattr(experiments, "run", run)
    assert run_command(memscan, ["probe", "demo", *words.split(), "--format", "json"]) == 0
    assert asked == [(plan, list(range(seeds)))]
    assert json.loads(capfd.readouterr().out)["seeds"][0]["auc"]["iip"] == 1.0


def test_duplicates_are_those_that_were_asked_for() -> None:
    assert probe_demo._plan(12, False).recipe.duplicates == 12
    assert probe_demo._plan(12, True).recipe.memorised == plans.QUICK.recipe.memorised


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("--output a.csv", "must end in one of .json, .txt"),
        ("--seeds 0", "0 is not in the range"),
        ("--duplicates 0", "0 is not in the range"),
        ("--device abacus", "abacus: no such device"),
        ("--output kept.json", "kept.json.checkpoint: no checkpoint that can be used; delete it"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    said: list[str],
    words: str,
    sentence: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "kept.json.checkpoint").write_text("other", encoding="utf-8")
    assert run_command(memscan, ["probe", "demo", *words.split()]) == 2
    assert sentence in said[-1]
    assert [line.startswith("Error: ") for line in said].count(True) == 1


@pytest.mark.parametrize("library", ["torch", "sklearn"])
def test_without_a_library_the_extra_is_named(tmp_path: Path, library: str) -> None:
    code = f"import sys; sys.modules[{library!r}] = None\n"
    (tmp_path / "sitecustomize.py").write_text(code, encoding="utf-8")
    done = run(
        MEMSCAN, "probe", "demo", env={"PYTHONPATH": os.pathsep.join((str(tmp_path), str(ROOT)))}
    )
    assert done.returncode == 2
    assert f"this needs {library}, which is not installed: pip install" in done.stderr
    assert "memscan[diffusion]" in done.stderr
