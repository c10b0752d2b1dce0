"""The noise schedule of a diffusion model, as the files of diffusers describe it."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import Any, Mapping

import torch

from memscan.detectors.diffusion import parts
from memscan.errors import InputError

CONFIG = "scheduler_config.json"

PREDICTIONS = ("epsilon", "v_prediction")
"""What a network predicts: the noise, or v = sqrt(a) noise - sqrt(1 - a) z_0.

The second is of Salimans and Ho (2022).
"""

_SHAPES = ("linear", "scaled_linear", "squaredcos_cap_v2")
_LARGEST_BETA = 0.999


@dataclass(frozen=True)
class Schedule:
    """The share of the signal's variance after each step, float64 (T,), and what is predicted."""

    alphas_bar: torch.Tensor
    prediction: str

    def noise(self, predicted: torch.Tensor, latents: torch.Tensor, step: int) -> torch.Tensor:
        """The noise in latents of a step for which the network gave ``predicted``."""
        if self.prediction == "epsilon":
            return predicted
        share = float(self.alphas_bar[step])
        return math.sqrt(share) * predicted + math.sqrt(1 - share) * latents


def read(folder: str) -> Schedule:
    """The schedule of a directory ``scheduler``, of whatever sampler. Raises InputError."""
    path = os.path.join(folder, CONFIG)
    document = parts.read_object(path)
    try:
        return parse(document)
    except ValueError as error:
        raise InputError(f"{path}: {error}") from error


def parse(document: Mapping[str, Any]) -> Schedule:
    """The schedule in a document; silence means what it means to diffusers. Raises ValueError."""
    if not any(name in document for name in ("num_train_timesteps", "beta_schedule", "beta_end")):
        raise ValueError("not the schedule of a diffusion model with betas")
    prediction = parts.word(document, "prediction_type", "epsilon", PREDICTIONS)
    if parts.flag(document, "rescale_betas_zero_snr", False):
        raise ValueError("rescale_betas_zero_snr leaves no signal in the last step")
    steps = parts.whole(document, "num_train_timesteps", 1000, 2, 10_000)
    if document.get("trained_betas") is not None:
        betas = _given(document["trained_betas"], steps)
    else:
        shape = parts.word(document, "beta_schedule", "linear", _SHAPES)
        first = parts.number(document, "beta_start", 1e-4, 1e-9, _LARGEST_BETA)
        last = parts.number(document, "beta_end", 0.02, 1e-9, _LARGEST_BETA)
        betas = _betas(shape, first, last, steps)
    alphas_bar = torch.cumprod(1 - betas, 0)
    if float(alphas_bar[-1]) < 1e-12:
        raise ValueError("the betas leave no signal in the last step")
    return Schedule(alphas_bar, prediction)


def _betas(shape: str, first: float, last: float, steps: int) -> torch.Tensor:
    if shape == "linear":
        return torch.linspace(first, last, steps, dtype=torch.float64)
    if shape == "scaled_linear":
        return torch.linspace(math.sqrt(first), math.sqrt(last), steps, dtype=torch.float64) ** 2
    times = torch.arange(steps + 1, dtype=torch.float64) / steps  # Nichol and Dhariwal, 2021
    signal = torch.cos((times + 0.008) / 1.008 * math.pi / 2) ** 2
    return (1 - signal[1:] / signal[:-1]).clamp(max=_LARGEST_BETA)


def _given(values: Any, steps: int) -> torch.Tensor:
    if not isinstance(values, list) or len(values) != steps:
        raise ValueError("trained_betas must be as many as num_train_timesteps")
    if any(type(beta) not in (int, float) or not 0 < beta <= _LARGEST_BETA for beta in values):
        raise ValueError(f"trained_betas must be positive numbers up to {_LARGEST_BETA}")
    return torch.tensor(values, dtype=torch.float64)
