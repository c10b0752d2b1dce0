"""The loop that all networks are trained by: epochs, validation, early stopping, checkpoints.

An epoch begins with seeds that depend on nothing but its number, so that a run that was stopped and
resumed gives the weights of one that was not (on one machine, with one number of threads).
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import time
from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterable, Mapping, TypeVar

import numpy as np
import torch
from torch import nn

from memscan.detectors import devices, weights
from memscan.detectors.weights import State
from memscan.errors import InputError
from memscan.records import Progress

Batch = TypeVar("Batch")
Figures = Dict[str, float]

CHECKPOINT_SUFFIX = ".checkpoint"

LONGEST_GRADIENT = 1.0
"""The norm to which longer gradients, of all parameters together, are cut."""


@dataclass(frozen=True)
class Plan:
    """How long to train, and how fast.

    Training stops after ``epochs``, or when the validation loss has not fallen for ``patience``
    epochs, or when ``minutes`` have passed (whatever was trained is then used). The learning rate
    follows ``shape``: "constant", or "cosine" after a warm-up over ``warmup`` of all steps. With
    ``keeps_last`` the weights are those of the last epoch, whatever its validation loss.
    """

    epochs: int
    patience: int
    steps: int
    minutes: float | None = None
    shape: str = "constant"
    warmup: float = 0.0
    seed: int = 42
    keeps_last: bool = False

    def rate(self, done: float) -> float:
        """The share of the learning rate when a share ``done`` of all steps is done."""
        if done < self.warmup:
            return max(done, 1e-3) / self.warmup
        if self.shape == "constant":
            return 1.0
        return 0.5 * (1 + math.cos(math.pi * (done - self.warmup) / (1 - self.warmup)))


@dataclass(frozen=True)
class Epoch:
    """What an epoch gave; ``validation`` holds ``loss`` and whatever else was measured."""

    number: int
    loss: float
    validation: Figures
    seconds: float


@dataclass(frozen=True)
class Run:
    """A finished training: its epochs, and the one whose weights were kept."""

    epochs: tuple[Epoch, ...]
    best: int
    resumed: bool

    @property
    def summary(self) -> dict[str, Any]:
        """What a card says of it."""
        return {
            "epochs": len(self.epochs),
            "best_epoch": self.best,
            "seconds": round(sum(epoch.seconds for epoch in self.epochs)),
            "validation": self.epochs[self.best].validation,
        }


@dataclass
class Checkpoints:
    """The state of a training on disk after each epoch, to go on from after a kill.

    ``identity`` is what must be equal for a state to be that of this training.
    """

    path: str
    identity: str

    def write(
        self, network: nn.Module, best: State, optimiser: torch.optim.Optimizer, run: Run
    ) -> None:
        """Replace the checkpoint. Raises OutputError."""
        from safetensors.torch import save

        tensors = {f"network.{name}": value for name, value in network.state_dict().items()}
        tensors.update({f"best.{name}": value for name, value in best.items()})
        for number, values in optimiser.state_dict()["state"].items():
            for name, value in values.items():
                tensors[f"optimiser.{number}.{name}"] = torch.as_tensor(value)
        record = {
            "identity": self.identity,
            "best": run.best,
            "epochs": [dataclasses.asdict(epoch) for epoch in run.epochs],
        }
        content = save(
            {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()},
            {"memscan": json.dumps(record)},
        )
        weights.write_whole(self.path, content)

    def read(
        self, network: nn.Module, optimiser: torch.optim.Optimizer
    ) -> tuple[Run, State] | None:
        """Bring network and optimiser to the state on disk; None where there is none."""
        if not os.path.exists(self.path):
            return None
        from safetensors import SafetensorError, safe_open

        unusable = f"{self.path}: no checkpoint that can be used; delete it"
        content = weights.read_bytes(self.path, "no checkpoint is one; delete it")
        try:
            tensors = weights.parse(self.path, content)
        except InputError as error:
            raise InputError(unusable) from error
        try:
            with safe_open(self.path, "pt") as file:
                record = json.loads((file.metadata() or {}).get("memscan", "null"))
            if record["identity"] != self.identity:
                raise InputError(
                    f"{self.path}: the checkpoint of another training (other images or another "
                    "configuration); delete it, or go on with what it was made with"
                )
            epochs, best = tuple(map(_epoch, record["epochs"])), int(record["best"])
            if not 0 <= best < len(epochs):
                raise ValueError("the best epoch is none of them")
            best_state = _below("best", tensors)
            network.load_state_dict(best_state)  # of the right names and shapes, as the next one
            network.load_state_dict(_below("network", tensors))
            state = optimiser.state_dict()
            for name, value in _below("optimiser", tensors).items():
                number, _, field = name.partition(".")
                state["state"].setdefault(int(number), {})[field] = value
            optimiser.load_state_dict(state)
            return Run(epochs, best, True), best_state
        except (
            SafetensorError, ValueError, KeyError, TypeError, RuntimeError, OverflowError
        ) as error:  # fmt: skip
            raise InputError(unusable) from error

    def remove(self) -> None:
        """Delete the checkpoint, once the weights are written."""
        if os.path.exists(self.path):
            os.unlink(self.path)


def fit(
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    batches: Callable[[np.random.Generator], Iterable[Batch]],
    loss_of: Callable[[Batch], torch.Tensor],
    validate: Callable[[], Figures],
    plan: Plan,
    *,
    device: torch.device,
    checkpoints: Checkpoints | None = None,
    progress: Progress | None = None,
    on_epoch: Callable[[Run], None] | None = None,
) -> Run:
    """Train ``network`` in place; it ends with the weights of the least validation loss.

    With ``plan.keeps_last`` it ends with those of the last epoch. ``batches`` gives ``plan.steps``
    batches from random numbers of its own for each epoch; ``validate`` is called with the network
    in evaluation mode and gives ``loss`` and other figures.
    ``progress`` counts steps of all epochs, ``on_epoch`` is told the run so far.
    """
    epochs: list[Epoch] = []
    best, best_state, resumed = 0, _copy(network), False
    found = checkpoints.read(network, optimiser) if checkpoints else None
    if found is not None:
        epochs, best, best_state = list(found[0].epochs), found[0].best, found[1]
        resumed = True
    rates = [group["lr"] for group in optimiser.param_groups]
    total = plan.epochs * plan.steps
    spent = sum(epoch.seconds for epoch in epochs)
    while len(epochs) < plan.epochs:
        number = len(epochs)
        if number - best > plan.patience:
            break
        if plan.minutes is not None and spent >= 60 * plan.minutes:
            break
        start = time.monotonic()
        torch.manual_seed(plan.seed * 100_003 + number)
        network.train()
        losses = []
        for step, batch in enumerate(batches(np.random.default_rng([plan.seed, number]))):
            share = plan.rate((number * plan.steps + step) / total)
            for group, rate in zip(optimiser.param_groups, rates):
                group["lr"] = rate * share
            optimiser.zero_grad(set_to_none=True)
            with devices.mixed_precision(device):
                loss = loss_of(batch)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(network.parameters(), LONGEST_GRADIENT)
            optimiser.step()
            losses.append(loss.detach())
            if progress is not None:
                progress("training", number * plan.steps + step + 1, total)
        network.eval()
        with torch.inference_mode():
            figures = validate()
        seconds = time.monotonic() - start
        spent += seconds
        mean = float(torch.stack(losses).mean())
        if not math.isfinite(mean) or not math.isfinite(figures["loss"]):
            raise InputError(
                "the training diverged: a loss is no number any more; a lower learning rate helps"
            )
        epochs.append(Epoch(number, mean, figures, seconds))
        better = number == 0 or figures["loss"] < epochs[best].validation["loss"]
        if better or plan.keeps_last:
            best, best_state = number, _copy(network)
        run = Run(tuple(epochs), best, resumed)
        if checkpoints is not None:
            checkpoints.write(network, best_state, optimiser, run)
        if on_epoch is not None:
            on_epoch(run)
    network.load_state_dict(best_state)
    network.eval()
    return Run(tuple(epochs), best, resumed)


def _epoch(record: Mapping[str, Any]) -> Epoch:
    """An epoch of a checkpoint. Raises KeyError, TypeError and ValueError."""
    figures = {name: float(value) for name, value in dict(record["validation"]).items()}
    if "loss" not in figures:
        raise ValueError("an epoch has no validation loss")
    return Epoch(int(record["number"]), float(record["loss"]), figures, float(record["seconds"]))


def _copy(network: nn.Module) -> State:
    return {name: value.detach().clone() for name, value in network.state_dict().items()}


def _below(prefix: str, tensors: Mapping[str, torch.Tensor]) -> State:
    start = len(prefix) + 1
    return {name[start:]: value for name, value in tensors.items() if name.startswith(f"{prefix}.")}
