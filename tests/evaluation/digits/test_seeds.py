from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="torch is not installed (extra learned)")
pytest.importorskip("sklearn", reason="scikit-learn is not installed (extra diffusion)")

import torch

from memscan.crew import Crew, WorkerError
from memscan.detectors.diffusion.digits_recipe import Recipe
from memscan.errors import InputError, OutputError
from memscan.evaluation.digits import experiment, seeds
from memscan.evaluation.digits.checkpoint import Checkpoint
from memscan.evaluation.digits.experiment import Outcome
from memscan.evaluation.digits.plan import QUICK, Plan
from memscan.memorisation import Setting
from memscan.reports.memorisation import render

TINY = Plan(
    Recipe(memorised=8, steps=10, width=16, blocks=1, batch=16),
    depths=(2, 1),
    guidances=(3.0,),
    edits=("as-is", "mirrored"),
    reference=10,
    others=20,
    samples=10,
)


def outcome(seed: int) -> Outcome:
    """A seed in which IIP is right, and loss and its ablation are wrong."""
    right = [float(place < 4) for place in range(24)]
    wrong = [-score for score in right]
    scores = {"iip": right, "iip, unoptimised": wrong, "loss": wrong}
    both = {"as-is": scores, "mirrored": scores}
    return Outcome(seed, Setting(2, 3.0), (0.75, 0.5), 0.25, 4, both)


def test_two_processes_give_what_one_after_the_other_gives(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    path = tmp_path / "kept"
    done = seeds.run(
        TINY,
        [3, 1],
        device="cpu",
        jobs=2,
        checkpoint=str(path),
        progress=lambda *news: told.append(news),
    )
    alone = [experiment.run(TINY, seed, torch.device("cpu")) for seed in (3, 1)]
    assert done == seeds.together(TINY, alone)
    assert [trial.seed for trial in done.trials] == [3, 1]
    assert told[-1] == ("experiments", 2000, 2000)
    assert [units for _, units, _ in told] == sorted(units for _, units, _ in told)
    assert list(Checkpoint(str(path), TINY).read().values()) in (alone, alone[::-1])


def test_seeds_that_are_finished_are_not_run_again(tmp_path: Path) -> None:
    path = str(tmp_path / "kept")
    Checkpoint(path, TINY).write({seed: outcome(seed) for seed in (0, 1)})
    done = seeds.run(TINY, [1, 0], jobs=1, checkpoint=path)
    assert done == seeds.together(TINY, [outcome(1), outcome(0)])


def test_a_seed_that_is_finished_is_kept_when_another_one_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(crew: object, plan: Plan, seed: int, device: str, news: Any) -> None:
        failed = (seed, "failed", InputError("no more"))
        news.put((seed, "outcome", outcome(seed)) if seed == 4 else failed)

    class NoCrew:
        def __init__(self, *_: object) -> None: ...
        def __enter__(self) -> None: ...
        def __exit__(self, *_: object) -> None: ...

    monkeypatch.setattr(seeds, "Crew", NoCrew)
    monkeypatch.setattr(seeds, "_ask", ask)
    path = str(tmp_path / "kept")
    with pytest.raises(InputError, match="no more"):
        seeds.run(TINY, [4, 5], jobs=1, checkpoint=path)
    assert Checkpoint(path, TINY).read() == {4: outcome(4)}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (json.dumps({"plan": QUICK.fields, "outcomes": []}), "of another experiment; delete it"),
        ("weights", "no checkpoint that can be used; delete it"),
        ("[]", "no checkpoint that can be used; delete it"),
        ("[" * 100_000, "no checkpoint that can be used; delete it"),
        ('{"plan": {"recipe": {"speed": 9}}}', "no checkpoint that can be used; delete it"),
        (json.dumps({"plan": TINY.fields, "outcomes": [{"seed": 1}]}), "no checkpoint that can"),
        (json.dumps({"plan": TINY.fields, "outcomes": 3}), "no checkpoint that can be used"),
        ("\udcff", "no checkpoint that can be used; delete it"),
    ],
)
def test_another_file_is_no_checkpoint(tmp_path: Path, content: str, sentence: str) -> None:
    path = tmp_path / "kept"
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError, match=sentence) as raised:
        seeds.run(TINY, [0], checkpoint=str(path))
    assert str(raised.value).startswith(f"{path}: ")


def test_a_checkpoint_that_cannot_be_written_is_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be"):
        Checkpoint(str(tmp_path / "none/kept"), TINY).write({})


def test_a_process_that_ends_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(*_: object) -> None:
        raise WorkerError

    monkeypatch.setattr(Crew, "ask", ask)
    monkeypatch.setattr(Crew, "_start", lambda crew: None)
    monkeypatch.setattr("memscan.crew._answer", lambda worker: None)
    with pytest.raises(InputError, match="the process of seed 7 ended without an answer"):
        seeds.run(TINY, [7], device="cpu", jobs=1)


def test_what_goes_wrong_in_a_thread_is_raised_and_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Crew, "ask", lambda *_: {"no": "outcome"})
    monkeypatch.setattr(Crew, "_start", lambda crew: None)
    monkeypatch.setattr("memscan.crew._answer", lambda worker: None)
    with pytest.raises(KeyError, match="choosing"):
        seeds.run(TINY, [7], device="cpu", jobs=1)


def test_a_plan_goes_through_json() -> None:
    for plan in (TINY, QUICK, Plan()):
        assert Plan.of(json.loads(json.dumps(plan.fields))) == plan


def test_the_report_says_what_was_measured() -> None:
    done = seeds.together(TINY, [outcome(0), outcome(5)])
    text = render(done, "text")
    assert "on 8 images that stand there 30 times" in text
    assert "5         2         3         25 %       100.0          0.0     0.0" in text
    assert "iip is ahead of loss" in text
    assert "mirrored: left and right exchanged" in text
    document = json.loads(render(done, "json"))
    assert document["plan"]["recipe"]["memorised"] == 8
    assert [seed["auc"]["iip"] for seed in document["seeds"]] == [1.0, 1.0]
    assert document["seeds"][0]["choosing"][1] == {"depth": 1, "guidance": 3.0, "auc": 0.5}
    assert document["edits"]["mirrored"]["methods"]["loss"]["auc"]["value"] == 0.0
    assert document["edits"]["as-is"]["remembered"] == 8
    assert document["edits"]["as-is"]["others"] == 40
