"""What a denoising network learns from: latents with noise of some step, and their captions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from memscan.detectors.diffusion.schedules import Schedule

Rows = npt.NDArray[np.int64]


class Draw(NamedTuple):
    """Latents, the noise that is added to them, its steps, and the tokens of the captions.

    The steps stay in main memory, where the schedule is.
    """

    clean: torch.Tensor
    noise: torch.Tensor
    steps: torch.Tensor
    tokens: torch.Tensor


@dataclass(frozen=True)
class Examples:
    """All that is drawn from.

    ``latents`` are float32 of shape (n, channels, height, width), ``tokens`` int64 (n, length) and
    ``empty`` those of no caption; ``copies`` says how often each row comes. A share
    ``unconditional`` of draws is without its caption.
    """

    latents: torch.Tensor
    tokens: Rows
    empty: Rows
    copies: Rows
    schedule: Schedule
    unconditional: float
    device: torch.device

    def batch(self, rng: np.random.Generator, size: int) -> Draw:
        """A batch to learn from: rows as often as they have copies, steps evenly."""
        rows = np.searchsorted(
            np.cumsum(self.copies), rng.integers(0, self.copies.sum(), size), "right"
        )
        steps = rng.integers(0, len(self.schedule.alphas_bar), size)
        return self._draw(rng, rows, steps, rng.random(size) < self.unconditional)

    def checks(self, rng: np.random.Generator, rows: Rows, count: int, size: int) -> list[Draw]:
        """``count`` draws of some rows in batches of ``size``, to measure the loss at.

        They go over all steps evenly, and each row is as likely, whatever its copies.
        """
        steps = np.arange(count) * len(self.schedule.alphas_bar) // count
        pieces = np.array_split(steps, -(-count // size))
        return [self._draw(rng, rng.choice(rows, len(piece)), piece, piece < 0) for piece in pieces]

    def loss(self, network: Any, draw: Draw) -> torch.Tensor:
        """The mean squared error of what the network predicts: the noise, or the velocity."""
        shares = self.schedule.alphas_bar[draw.steps].view(-1, 1, 1, 1)
        signal, noise = (
            root.float().to(self.device) for root in (shares**0.5, (1 - shares) ** 0.5)
        )
        wanted = draw.noise
        if self.schedule.prediction == "v_prediction":
            wanted = signal * draw.noise - noise * draw.clean
        noisy = signal * draw.clean + noise * draw.noise
        found = network(noisy, draw.steps.to(self.device), draw.tokens)
        return functional.mse_loss(found.float(), wanted)

    def _draw(
        self, rng: np.random.Generator, rows: Rows, steps: Rows, left_out: npt.NDArray[np.bool_]
    ) -> Draw:
        noise = rng.standard_normal((len(rows), *self.latents.shape[1:]), np.float32)
        tokens = np.where(left_out[:, None], self.empty, self.tokens[rows])
        return Draw(
            self.latents[torch.from_numpy(rows)].to(self.device),
            torch.from_numpy(noise).to(self.device),
            torch.from_numpy(steps),
            torch.from_numpy(tokens).to(self.device),
        )
