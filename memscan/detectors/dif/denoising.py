"""A small DnCNN (Zhang et al., 2017) trained on one's own real images: the residual ``denoiser``.

It learns to see Gaussian noise that was added to windows of the images. Applied to an image as it
is, it sees what there is of noise in it, and what else is no picture to it.
"""

from __future__ import annotations

from typing import Callable, Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

from memscan.detectors import devices, training
from memscan.detectors.dif.recipe import Denoising, Recipe
from memscan.detectors.training import Checkpoints, Figures, Plan, Run
from memscan.fingerprints.crops import Bytes
from memscan.fingerprints.denoiser import Weights
from memscan.records import Progress


def train(
    learned: Bytes,
    held_out: Bytes,
    recipe: Recipe,
    *,
    device: str = "auto",
    checkpoints: Checkpoints | None = None,
    progress: Progress | None = None,
    on_epoch: Callable[[Run], None] | None = None,
) -> Weights:
    """Train a denoiser on crops, uint8 of shape (n, side, side, 3); ``held_out`` choose the epoch.

    A run that was stopped goes on from its checkpoint. Raises InputError where the training
    diverges, or a checkpoint is that of another.
    """
    wanted = recipe.denoising
    where = devices.choose(device)
    torch.manual_seed(recipe.seed)
    network = build(wanted).to(where)
    optimiser = torch.optim.Adam(network.parameters(), lr=wanted.learning_rate)
    checked = torch.from_numpy(_windows(held_out, wanted, np.random.default_rng(0)))
    unseen = _noisy(checked, wanted, torch.Generator().manual_seed(0))

    def batches(rng: np.random.Generator) -> Iterator[torch.Tensor]:
        for _ in range(wanted.steps):
            yield torch.from_numpy(_windows(learned, wanted, rng))

    def loss_of(windows: torch.Tensor) -> torch.Tensor:
        noisy, noise = (one.to(where) for one in _noisy(windows, wanted))
        return functional.mse_loss(network(noisy).float(), noise) / wanted.noise**2

    def validate() -> Figures:
        noisy, noise = (one.to(where) for one in unseen)
        return {"loss": float(functional.mse_loss(network(noisy), noise)) / wanted.noise**2}

    plan = Plan(wanted.epochs, wanted.epochs, wanted.steps, shape="cosine", seed=recipe.seed)
    training.fit(
        network,
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
    return weights_of(network)


def build(wanted: Denoising) -> nn.Sequential:
    """An untrained network, from (n, 3, height, width) to as much."""
    parts: list[nn.Module] = []
    for layer in range(wanted.layers):
        before = 3 if layer == 0 else wanted.width
        after = 3 if layer == wanted.layers - 1 else wanted.width
        parts += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*parts[:-1])


def weights_of(network: nn.Sequential) -> Weights:
    """The weights as a fingerprint holds them."""
    found: dict[str, npt.NDArray[np.float32]] = {}
    layers = [module for module in network if isinstance(module, nn.Conv2d)]
    for number, layer in enumerate(layers):
        assert layer.bias is not None
        found[f"{number}.weight"] = layer.weight.detach().cpu().numpy().copy()
        found[f"{number}.bias"] = layer.bias.detach().cpu().numpy().copy()
    return found


def _windows(crops: Bytes, wanted: Denoising, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """A batch of windows from 0 to 1, of shape (n, 3, window, window)."""
    rows = rng.integers(0, len(crops), wanted.batch)
    corners = rng.integers(0, crops.shape[1] - wanted.window + 1, (wanted.batch, 2))
    size = wanted.window
    found = [
        crops[row, top : top + size, left : left + size].transpose(2, 0, 1)
        for row, (top, left) in zip(rows, corners)
    ]
    return np.stack(found).astype(np.float32) / np.float32(255)


def _noisy(
    windows: torch.Tensor, wanted: Denoising, generator: torch.Generator | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Windows with noise of some deviation for each, and the noise."""
    deviation = wanted.noise * torch.rand(len(windows), 1, 1, 1, generator=generator)
    noise = deviation * torch.randn(windows.shape, generator=generator)
    return windows + noise, noise
