from __future__ import annotations

import copy
import dataclasses
import json
import math
from pathlib import Path
from typing import Any, Iterator

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed (the learned extra has it)")

import torch
from torch import nn

from memscan.detectors import training
from memscan.detectors.training import Checkpoints, Epoch, Figures, Plan, Run
from memscan.errors import InputError

CPU = torch.device("cpu")
PLAN = Plan(epochs=6, patience=10, steps=4, seed=3)


class StoppedError(Exception):
    pass


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.3), nn.ReLU(), nn.Linear(8, 1))


def fit(model: nn.Module, plan: Plan = PLAN, **settings: Any) -> Run:
    """A line through points with noise, by which batches differ."""

    def batches(rng: np.random.Generator) -> Iterator[torch.Tensor]:
        for _ in range(plan.steps):
            yield torch.from_numpy(rng.standard_normal((16, 3), np.float32))

    def loss_of(x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.mse_loss(model(x)[:, 0], x.sum(1))

    def validate() -> Figures:
        with torch.inference_mode():
            x = torch.from_numpy(np.random.default_rng(99).standard_normal((64, 3), np.float32))
            return {"loss": float(loss_of(x))}

    settings = {"validate": validate, "loss_of": loss_of, **settings}
    optimiser = settings.pop("optimiser", None) or torch.optim.AdamW(model.parameters(), lr=0.01)
    return training.fit(model, optimiser, batches, plan=plan, device=CPU, **settings)


def same(one: nn.Module, other: nn.Module) -> bool:
    states = one.state_dict(), other.state_dict()
    return all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_the_loss_falls_and_steps_are_counted() -> None:
    seen: list[tuple[str, int, int]] = []
    run = fit(network(), progress=lambda *step: seen.append(step))
    losses = [epoch.validation["loss"] for epoch in run.epochs]
    assert losses[-1] < losses[0]
    assert [epoch.number for epoch in run.epochs] == list(range(6))
    assert seen == [("training", done, 24) for done in range(1, 25)]
    assert run.best == int(np.argmin(losses))
    assert run.summary["epochs"] == 6
    assert run.summary["validation"] == run.epochs[run.best].validation


def test_two_runs_give_the_same_weights() -> None:
    models = network(), network()
    for model in models:
        fit(model)
    assert same(*models)
    other = network()
    fit(other, dataclasses.replace(PLAN, seed=4))
    assert not same(models[0], other)


@pytest.mark.parametrize("stop_after", [1, 3, 5])
@pytest.mark.parametrize("shape", ["constant", "cosine"])
def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(
    tmp_path: Path, stop_after: int, shape: str
) -> None:
    plan = dataclasses.replace(PLAN, shape=shape, warmup=0.2)
    whole, resumed = network(), network()
    expected = fit(whole, plan)
    checkpoints = Checkpoints(str(tmp_path / "x.checkpoint"), "same")

    def stop(run: Run) -> None:
        if len(run.epochs) == stop_after:
            raise StoppedError

    with pytest.raises(StoppedError):
        fit(resumed, plan, checkpoints=checkpoints, on_epoch=stop)
    again = network()
    run = fit(again, plan, checkpoints=checkpoints)
    assert same(whole, again)
    assert (run.resumed, run.best) == (True, expected.best)
    assert [epoch.loss for epoch in run.epochs] == [epoch.loss for epoch in expected.epochs]
    checkpoints.remove()
    checkpoints.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_finished_checkpoint_is_not_trained_on(tmp_path: Path) -> None:
    checkpoints = Checkpoints(str(tmp_path / "x.checkpoint"), "same")
    first, second = network(), network()
    fit(first, checkpoints=checkpoints)
    assert len(fit(second, checkpoints=checkpoints).epochs) == 6
    assert same(first, second)


def test_the_best_weights_are_kept_and_patience_ends_it() -> None:
    model, states = network(), []
    losses = iter([5.0, 3.0, 4.0, 3.0, 9.0, 1.0])

    def validate() -> Figures:
        states.append({name: value.clone() for name, value in model.state_dict().items()})
        return {"loss": next(losses)}

    run = fit(model, dataclasses.replace(PLAN, patience=2), validate=validate)
    assert (len(run.epochs), run.best) == (4, 1)
    assert all(torch.equal(states[1][name], value) for name, value in model.state_dict().items())
    assert not model.training


def test_the_last_weights_are_kept_where_that_is_asked_for() -> None:
    model, losses = network(), iter([3.0, 1.0, 2.0, 4.0])
    seen: list[nn.Module] = []

    def validate() -> Figures:
        seen.append(copy.deepcopy(model))
        return {"loss": next(losses)}

    plan = dataclasses.replace(PLAN, epochs=4, patience=1, keeps_last=True)
    run = fit(model, plan, validate=validate)
    assert (run.best, len(run.epochs)) == (3, 4)
    assert same(model, seen[3])
    assert not same(model, seen[1])


def test_minutes_end_it_after_the_epoch_in_which_they_pass() -> None:
    run = fit(network(), dataclasses.replace(PLAN, minutes=1e-9))
    assert len(run.epochs) == 1


@pytest.mark.parametrize("broken", ["loss_of", "validate"])
def test_a_loss_that_is_no_number_is_told(broken: str) -> None:
    model = network()
    parts: dict[str, Any] = {
        "loss_of": lambda x: model(x).sum() * math.nan,
        "validate": lambda: {"loss": math.nan},
    }
    with pytest.raises(InputError, match="the training diverged"):
        fit(model, **{broken: parts[broken]})


def test_the_checkpoint_of_another_training_is_refused(tmp_path: Path) -> None:
    path = str(tmp_path / "x.checkpoint")
    fit(network(), checkpoints=Checkpoints(path, "one"))
    with pytest.raises(InputError, match=r"x\.checkpoint: the checkpoint of another training"):
        fit(network(), checkpoints=Checkpoints(path, "other"))


EPOCH = {"number": 0, "loss": 1.0, "validation": {"loss": 1.0}, "seconds": 1.0}


def records(**changes: Any) -> dict[str, Any]:
    return {"identity": "one", "best": 0, "epochs": [EPOCH], **changes}


def saved(path: Path, record: Any, **tensors: torch.Tensor) -> None:
    """A checkpoint of :func:`network` before its first step, with such a record."""
    from safetensors.torch import save_file

    for name, value in network().state_dict().items():
        for prefix in ("network", "best"):
            tensors.setdefault(f"{prefix}.{name}", value.clone())
    save_file(tensors, path, {"memscan": json.dumps(record)})


def resume(path: Path) -> Run:
    return fit(network(), checkpoints=Checkpoints(str(path), "one"))


@pytest.mark.parametrize(
    "content", [b"", b"garbage that is long enough", b"\x80\x04.", b"PK\3\4" + b"\0" * 40]
)
def test_a_file_that_is_no_checkpoint_is_to_be_deleted(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.checkpoint"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"x\.checkpoint: .*; delete it"):
        resume(path)


def test_a_cut_checkpoint_is_to_be_deleted(tmp_path: Path) -> None:
    path = tmp_path / "x.checkpoint"
    fit(network(), checkpoints=Checkpoints(str(path), "one"))
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(InputError, match="no checkpoint that can be used; delete it"):
        resume(path)


@pytest.mark.parametrize(
    "record",
    [
        None,
        [],
        "one",
        7,
        {},
        records(best=1),
        records(best=-1),
        records(best="first"),
        records(best=math.inf),
        records(epochs=[]),
        records(epochs=3),
        records(epochs=[3]),
        records(epochs=[{**EPOCH, "validation": {}}]),
        records(epochs=[{**EPOCH, "validation": 1.0}]),
        records(epochs=[{**EPOCH, "seconds": None}]),
        records(epochs=[{"number": 0}]),
    ],
)
def test_a_record_without_meaning_is_to_be_deleted(tmp_path: Path, record: Any) -> None:
    path = tmp_path / "x.checkpoint"
    saved(path, records())
    assert resume(path).resumed
    saved(path, record)
    with pytest.raises(InputError, match="no checkpoint that can be used; delete it"):
        resume(path)


@pytest.mark.parametrize("name", ["network.0.bias", "best.0.bias", "optimiser.first.step"])
def test_tensors_that_do_not_fit_are_to_be_deleted(tmp_path: Path, name: str) -> None:
    path = tmp_path / "x.checkpoint"
    saved(path, records(), **{name: torch.zeros(2)})
    with pytest.raises(InputError, match="no checkpoint that can be used; delete it"):
        resume(path)


def test_gradients_are_clipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "LONGEST_GRADIENT", 0.01)
    model = network()
    optimiser = torch.optim.SGD(model.parameters(), lr=1.0)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    plan = Plan(epochs=1, patience=1, steps=1)
    fit(model, plan, optimiser=optimiser, loss_of=lambda x: 1e6 * model(x).sum())
    moved = sum(float(((model.state_dict()[name] - before[name]) ** 2).sum()) for name in before)
    assert 0 < moved**0.5 <= 0.0101


def test_rates_warm_up_and_fall() -> None:
    plan = Plan(1, 1, 1, shape="cosine", warmup=0.1)
    assert plan.rate(0.05) == pytest.approx(0.5)
    assert plan.rate(0.1) == pytest.approx(1)
    assert plan.rate(0.55) == pytest.approx(0.5)
    assert plan.rate(1.0) == pytest.approx(0)
    assert Plan(1, 1, 1).rate(0.7) == 1
    assert 0 < plan.rate(0) < 0.1


def test_an_epoch_is_what_a_checkpoint_says_of_it() -> None:
    epoch = Epoch(3, 0.5, {"loss": 0.25, "mae": 0.125}, 1.5)
    assert Epoch(**dataclasses.asdict(epoch)) == epoch
