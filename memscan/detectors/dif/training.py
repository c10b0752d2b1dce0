"""A fingerprint learned by the loss of DIF (Deep Image Fingerprint, Sinitsa and Fried, WACV 2024).

A U-Net draws a pattern from fixed noise; it is trained until residuals of generated images
correlate with the pattern otherwise than those of real ones. The fingerprint is the moving average
of what it draws.
"""

from __future__ import annotations

from typing import Callable, Iterator, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from memscan.detectors import devices, training
from memscan.detectors.dif import loss
from memscan.detectors.dif.examples import Residuals
from memscan.detectors.dif.recipe import Recipe
from memscan.detectors.dif.unet import UNet
from memscan.detectors.training import Checkpoints, Figures, Plan, Run
from memscan.records import Progress

_AMPLITUDE = 0.1  # of the fixed noise, drawn evenly from 0 to this


class Learned(NamedTuple):
    """The pattern, float32 of shape (side, side, 3), and the mean correlation of each class."""

    pattern: npt.NDArray[np.float32]
    mean_real: float
    mean_fake: float
    run: Run


class Learner(nn.Module):
    """The U-Net with all that a training goes on from.

    Beside the fixed noise these are the moving average of what was drawn and the class means of the
    last batches, real before fake: kept as buffers, a checkpoint holds them like weights.
    """

    start: torch.Tensor
    pattern: torch.Tensor
    recent: torch.Tensor
    steps: torch.Tensor

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        self.recipe = recipe
        side = recipe.crop
        self.unet = UNet(recipe.channels, recipe.depth, recipe.base)
        self.register_buffer("start", _AMPLITUDE * torch.rand(1, recipe.channels, side, side))
        self.register_buffer("pattern", torch.zeros(side * side * 3))
        self.register_buffer("recent", torch.zeros(recipe.tail, 2))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def forward(self) -> torch.Tensor:
        """What the U-Net draws of the fixed noise and some fresh one, as a row of values."""
        fresh = torch.randn(self.start.shape)  # on the CPU, so that devices draw the same
        drawn = self.unet(self.start + self.recipe.noise * fresh.to(self.start.device))
        row: torch.Tensor = drawn[0].permute(1, 2, 0).flatten()
        return row

    def remember(self, drawn: torch.Tensor, correlations: torch.Tensor, fake: torch.Tensor) -> None:
        """Take a step's pattern into the average, and its class means among the last ones."""
        kept = self.recipe.average if self.steps else 0.0
        self.pattern.lerp_(drawn.detach(), 1 - kept)
        found = correlations.detach()
        means = torch.stack([found[~fake].mean(), found[fake].mean()])
        self.recent[int(self.steps) % len(self.recent)] = means
        self.steps += 1

    def means(self) -> tuple[float, float]:
        """The class means of the last batches, real before fake."""
        filled = self.recent[: max(1, int(self.steps))].cpu().double().mean(0)
        return float(filled[0]), float(filled[1])


def correlations(residuals: torch.Tensor, drawn: torch.Tensor) -> torch.Tensor:
    """Pearson's correlations of standardised residuals (n, values) with a pattern (values,)."""
    centred = drawn - drawn.mean()
    return residuals @ (centred / centred.std(correction=0)) / len(drawn)


def learn(
    learned: Residuals,
    held_out: Residuals,
    recipe: Recipe,
    *,
    device: str = "auto",
    checkpoints: Checkpoints | None = None,
    progress: Progress | None = None,
    on_epoch: Callable[[Run], None] | None = None,
) -> Learned:
    """Learn a fingerprint; ``held_out`` is only measured after each epoch.

    Batches hold as many images of each class. A run that was stopped goes on from its checkpoint.
    Raises InputError where the training diverges, or a checkpoint is that of another.
    """
    where = devices.choose(device)
    torch.manual_seed(recipe.seed)
    learner = Learner(recipe).to(where)
    optimiser = torch.optim.AdamW(learner.unet.parameters(), lr=recipe.learning_rate)
    half = recipe.batch // 2
    larger = max(len(learned.real), len(learned.fake))
    steps = max(1, larger // half)
    fake = torch.arange(recipe.batch) >= half

    def batches(rng: np.random.Generator) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        real_rows, fake_rows = (
            np.resize(rng.permutation(len(rows)), (steps, half))
            for rows in (learned.real, learned.fake)
        )
        for some_real, some_fake in zip(real_rows, fake_rows):
            order = torch.from_numpy(rng.permutation(recipe.batch))
            rows = np.concatenate([learned.real[some_real], learned.fake[some_fake]])
            yield torch.from_numpy(rows)[order].to(where), fake[order].to(where)

    def loss_of(batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        residuals, labels = batch
        with devices.full_precision(where):  # correlations of 0.01 need all their bits
            drawn = learner()
            found = correlations(residuals, drawn)
        learner.remember(drawn, found, labels)
        return loss.pairwise(found, labels, recipe.margin)

    real, unreal = (torch.from_numpy(rows) for rows in (held_out.real, held_out.fake))

    def validate() -> Figures:
        pattern = learner.pattern.cpu()
        found = torch.cat([correlations(real, pattern), correlations(unreal, pattern)])
        labels = torch.arange(len(found)) >= len(real)
        even = len(found) // 2 * 2
        order = torch.from_numpy(np.random.default_rng(0).permutation(len(found))[:even])
        return {"loss": float(loss.pairwise(found[order], labels[order], recipe.margin))}

    plan = Plan(
        recipe.epochs, recipe.epochs, steps, recipe.minutes, seed=recipe.seed, keeps_last=True
    )
    run = training.fit(
        learner,
        optimiser,
        batches,
        loss_of,
        validate,
        plan,
        device=where,
        checkpoints=checkpoints,
        progress=progress,
        on_epoch=on_epoch,
    )
    pattern = learner.pattern.cpu().reshape(recipe.crop, recipe.crop, 3).numpy()
    return Learned(np.ascontiguousarray(pattern), *learner.means(), run)
