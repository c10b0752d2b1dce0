"""A small autoencoder, trained in minutes on a CPU, where no published one can be had.

Square windows of the images are encoded, sampled and decoded; the loss is the mean absolute error
and a little of the KL divergence from a normal distribution (Rombach et al., 2022).
"""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass
from typing import Any, Callable, Iterator, NamedTuple, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from memscan import decode, stamps
from memscan.detectors import autoencoder, configuration, devices, pictures, training
from memscan.detectors.ahead import ahead, workers
from memscan.detectors.cards import Input
from memscan.detectors.configuration import number, whole
from memscan.detectors.pictures import Bytes, Pictures
from memscan.detectors.training import Figures, Plan, Run
from memscan.errors import InputError
from memscan.records import Failure, Progress


@dataclass(frozen=True)
class Recipe:
    """How the autoencoder is built and trained.

    Images are brought to squares of ``side`` pixels, windows of them are ``window`` wide; there are
    ``levels`` resolutions, each half the one before, of which the first has ``width`` channels and
    the others twice as many. ``divergence`` is the weight of the KL divergence, summed over a
    latent; ``held_out`` the share of images that measure the loss: with 0, those that are learned
    from do, for an autoencoder of no other images. ``log_variance`` is added to that with which the
    posterior begins: with -6, a deviation of 0.05 instead of 1, latents do not drown in it for the
    first hundreds of steps.
    """

    side: int = whole(128, 16, 1024)
    window: int = whole(64, 16, 1024)
    levels: int = whole(3, 1, 5)
    width: int = whole(16, 8, 512)
    latent_channels: int = whole(4, 1, 32)
    layers: int = whole(1, 1, 4)
    batch: int = whole(16, 1, 1024)
    steps: int = whole(40, 1, 100_000)
    epochs: int = whole(15, 1, 10_000)
    patience: int = whole(5, 1, 10_000)
    minutes: float | None = configuration.minutes()
    learning_rate: float = number(2e-3, 1e-7, 1)
    divergence: float = number(1e-6, 0, 1)
    log_variance: float = number(0.0, -20, 0)
    held_out: float = number(0.1, 0, 0.5)
    seed: int = whole(42, 0, 1 << 31)

    @property
    def config(self) -> autoencoder.Config:
        """The autoencoder, as diffusers describes it."""
        return {
            "in_channels": 3,
            "latent_channels": self.latent_channels,
            "block_out_channels": [self.width] + [2 * self.width] * (self.levels - 1),
            "down_block_types": ["DownEncoderBlock2D"] * self.levels,
            "layers_per_block": self.layers,
            "act_fn": "silu",
            "norm_num_groups": 8,
            "sample_size": self.side,
            "use_quant_conv": True,
            "mid_block_add_attention": False,
        }

    def plan(self) -> Plan:
        """How long to train."""
        return Plan(
            self.epochs,
            self.patience,
            self.steps,
            self.minutes,
            shape="cosine",
            warmup=0.05,
            seed=self.seed,
        )


@dataclass(frozen=True)
class Trained:
    """What came of it: the SHA-256 of the weights, the run, and images that could not be read."""

    sha256: str
    run: Run
    failures: Sequence[Failure]


def train(
    paths: Sequence[str],
    folder: str,
    recipe: Recipe = Recipe(),
    *,
    device: str = "auto",
    max_pixels: int = decode.MAX_PIXELS,
    jobs: int | None = None,
    progress: Progress | None = None,
    on_epoch: Callable[[Run], None] | None = None,
) -> Trained:
    """Train an autoencoder on images, and write it to ``folder`` in the layout of diffusers.

    A run that was stopped goes on from the checkpoint beside ``folder``. Raises InputError where
    the recipe has no meaning or fewer than two images can be read, OutputError.
    """
    if recipe.window > recipe.side or recipe.window % (1 << (recipe.levels - 1)):
        raise InputError("the window must be a multiple of the reduction, and not above the side")
    try:
        autoencoder.parse_config(recipe.config)
    except ValueError as error:
        raise InputError(str(error)) from error
    where = devices.choose(device)
    square = Input(recipe.side, recipe.side)
    store, _, failures = pictures.readable(paths, square, max_pixels, jobs, progress)
    if len(store) < 2:
        raise InputError(f"training needs two images that can be read, here are {len(store)}")
    order = np.random.default_rng([recipe.seed, 0xAE]).permutation(len(store))
    held_out = max(1, round(recipe.held_out * len(store))) if recipe.held_out else 0
    checks = order[:held_out] if held_out else order
    checked = _windows(store, _draw(checks, recipe, np.random.default_rng(0), len(checks)))

    torch.manual_seed(recipe.seed)
    model: nn.Module = autoencoder.build(recipe.config).to(where)
    _narrow(model, recipe)
    optimiser = torch.optim.AdamW(model.parameters(), lr=recipe.learning_rate, weight_decay=1e-4)

    def batches(rng: np.random.Generator) -> Iterator[Bytes]:
        draws = (_draw(order[held_out:], recipe, rng, recipe.batch) for _ in range(recipe.steps))
        return ahead(lambda draw: _windows(store, draw), draws, workers(jobs, where))

    def loss_of(windows: Bytes) -> torch.Tensor:
        target = torch.from_numpy(windows).to(where).float() / 127.5 - 1
        error, divergence = _reconstruction(model, target, sampled=True)
        return error + recipe.divergence * divergence

    def validate() -> Figures:
        target = torch.from_numpy(checked).to(where).float() / 127.5 - 1
        pieces = torch.split(target, recipe.batch)
        parts = [_reconstruction(model, piece, sampled=False) for piece in pieces]
        shares = [len(piece) / len(target) for piece in pieces]
        error = sum(share * float(one) for share, (one, _) in zip(shares, parts))
        divergence = sum(share * float(one) for share, (_, one) in zip(shares, parts))
        return {"loss": error + recipe.divergence * divergence, "absolute_error": error / 2}

    state = training.Checkpoints(
        folder.rstrip("/\\") + training.CHECKPOINT_SUFFIX, _identity(store, recipe)
    )
    run = training.fit(
        model,
        optimiser,
        batches,
        loss_of,
        validate,
        recipe.plan(),
        device=where,
        checkpoints=state,
        progress=progress,
        on_epoch=on_epoch,
    )
    sha256 = autoencoder.save(model.cpu(), folder)
    state.remove()
    return Trained(sha256, run, failures)


def _narrow(model: Any, recipe: Recipe) -> None:
    """Let the posterior begin as narrow as the recipe says."""
    with torch.no_grad():
        model.quant_conv.bias[recipe.latent_channels :] += recipe.log_variance


class _Draw(NamedTuple):
    """Where windows of ``size`` pixels are cut out, and which of them are mirrored."""

    rows: list[int]
    tops: list[int]
    lefts: list[int]
    mirrored: list[bool]
    size: int


def _draw(
    rows: npt.NDArray[np.int64], recipe: Recipe, rng: np.random.Generator, count: int
) -> _Draw:
    chosen = rows[rng.integers(0, len(rows), count)].tolist()
    tops, lefts = rng.integers(0, recipe.side - recipe.window + 1, (2, count)).tolist()
    return _Draw(chosen, tops, lefts, (rng.random(count) < 0.5).tolist(), recipe.window)


def _windows(store: Pictures, draw: _Draw) -> Bytes:
    """The windows of drawn images."""
    cut = [
        image[:, top : top + draw.size, left : left + draw.size]
        for image, top, left in zip(store.pixels(draw.rows), draw.tops, draw.lefts)
    ]
    return np.stack([one[:, :, ::-1] if flag else one for one, flag in zip(cut, draw.mirrored)])


def _reconstruction(
    model: Any, target: torch.Tensor, sampled: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """The mean absolute error (of a range of 2) and the divergence of a batch."""
    posterior = model.encode(target).latent_dist
    drawn = model.decode(posterior.sample() if sampled else posterior.mode()).sample
    return (drawn - target).abs().mean(), posterior.kl().mean()


def _identity(store: Pictures, recipe: Recipe) -> str:
    """What makes a checkpoint that of this training."""
    names = "\0".join(store.paths).encode("utf-8", "surrogateescape")
    settings = dataclasses.replace(recipe, minutes=None)
    document = f"{configuration.text(settings)}{stamps.digest(store.paths)}".encode()
    return hashlib.sha256(document + names).hexdigest()
