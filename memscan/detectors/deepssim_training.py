"""The training of a DeepSSIM network on photographs, from the images to weights with a card."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from dataclasses import dataclass
from typing import Any, Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from memscan import decode
from memscan.detectors import classes, configuration, devices, ssim_pairs, tiles, training, weights
from memscan.detectors.backbones import ConvNeXt
from memscan.detectors.cards import Card, Input
from memscan.detectors.deepssim import (
    KIND,
    Architecture,
    DeepSSIM,
    Network,
    assemble,
    fill,
)
from memscan.detectors.deepssim_recipe import Alterations, Recipe
from memscan.detectors.ssim import ssim, standardised
from memscan.detectors.ssim_pairs import LABELS, Label, Pairs
from memscan.detectors.tiles import Tiles
from memscan.detectors.training import Checkpoints, Figures, Plan, Run
from memscan.errors import InputError
from memscan.records import Failure, Progress

_EMBEDDED_AT_ONCE = 256
_SURPLUS = 3  # pairs that are made for each that is measured on
_LONGEST_NAME = 200  # what a card takes


@dataclass(frozen=True)
class Trained:
    """A network, how its training went, and the images that could not be read."""

    detector: DeepSSIM
    run: Run
    failures: tuple[Failure, ...]


def train(
    images: Sequence[str],
    output: str,
    recipe: Recipe,
    *,
    validation: Sequence[str] = (),
    device: str = "auto",
    max_pixels: int = decode.MAX_PIXELS,
    progress: Progress | None = None,
    on_epoch: Callable[[Run], None] | None = None,
) -> Trained:
    """Train a network on images and write its weights and card to ``output``.

    ``images`` are files to learn from, and those of ``validation`` are kept apart; where there are
    none, a share of the images is. A checkpoint beside the output is written after each epoch;
    where one lies there, training goes on from it. Raises InputError and OutputError.
    """
    where = devices.choose(device)
    images, validation = once(images), once(validation)
    require_apart(images, validation)
    start = None if recipe.init is None else weights.read_bytes(recipe.init)
    everything, failures = tiles.read(
        sorted([*images, *validation], key=os.fsencode),
        recipe.side,
        recipe.tiles,
        recipe.seed,
        max_pixels=max_pixels,
        progress=progress,
    )
    parts = split(everything, recipe, validation)
    del everything  # of which the parts are copies
    learned, held_out = (part.to(where) for part in parts)
    torch.manual_seed(recipe.seed)
    network = Network(_architecture(recipe))
    if recipe.init is not None and start is not None:
        initialise(network.backbone, recipe.init, start)
        network.backbone.freeze(recipe.frozen)
    network.to(where)
    checkpoints = Checkpoints(output + training.CHECKPOINT_SUFFIX, _identity(recipe, parts, start))
    run = training.fit(
        network,
        torch.optim.AdamW(groups(network, recipe), weight_decay=recipe.weight_decay),
        lambda rng: _batches(learned, recipe, rng),
        lambda pairs: loss(network, pairs, recipe.spread),
        _validation(network, held_out, recipe),
        Plan(
            epochs=recipe.epochs,
            patience=recipe.patience,
            steps=recipe.steps,
            minutes=recipe.minutes,
            shape=recipe.shape,
            warmup=recipe.warmup,
            seed=recipe.seed,
        ),
        device=where,
        checkpoints=checkpoints,
        progress=progress,
        on_epoch=on_epoch,
    )
    card = _card(recipe, run, learned, held_out, name_of(output))
    card = weights.write(output, network.state_dict(), card)
    checkpoints.remove()
    detector = assemble(output, network.state_dict(), card, card.sha256 or "", where)
    return Trained(detector, run, failures)


def once(paths: Sequence[str]) -> list[str]:
    """One path of each file, so that no file is on both sides of a split under two names."""
    files = {os.path.realpath(path): path for path in sorted(paths, key=os.fsencode, reverse=True)}
    return list(files.values())


def require_apart(images: Sequence[str], validation: Sequence[str]) -> None:
    """Raise InputError for a file that is in both, by whatever path."""
    learned = set(map(os.path.realpath, images))
    for path in validation:
        if os.path.realpath(path) in learned:
            raise InputError(f"{path}: is to be learned from, and validated on as well")


def split(everything: Tiles, recipe: Recipe, validation: Sequence[str] = ()) -> tuple[Tiles, Tiles]:
    """The photographs for training and those for validation, which are named or drawn.

    What is drawn depends on the seed and on the order of photographs by path. Raises InputError
    where either part has fewer than two.
    """
    count = len(everything)
    if validation:
        named = set(validation)
        is_kept = np.array([path in named for path in everything.paths], np.bool_)
        learned, kept = np.flatnonzero(~is_kept), np.flatnonzero(is_kept)
    else:
        order = np.random.default_rng(recipe.seed).permutation(count)
        most = min(max(2, round(recipe.validation * count)), count // 2)
        learned, kept = np.sort(order[most:]), np.sort(order[:most])
    if min(len(learned), len(kept)) < 2:
        raise InputError(
            "training and validation need two images each that can be read, there are "
            f"{len(learned)} and {len(kept)}"
        )
    return everything.of(learned), everything.of(kept)


def initialise(backbone: ConvNeXt, path: str, content: bytes) -> None:
    """Begin with published weights of ConvNeXt; their classifier is left out. Raises InputError."""
    wanted = backbone.state_dict()
    found = weights.parse(path, content)
    fill(backbone, {name: found[name].float() for name in wanted if name in found}, path)


def name_of(output: str) -> str:
    """The name of weights on their card: that of the file, as a line that a card may hold."""
    stem = os.path.splitext(os.path.basename(output))[0]
    return "".join(one if one.isprintable() else "_" for one in stem)[:_LONGEST_NAME]


def groups(network: Network, recipe: Recipe) -> list[dict[str, Any]]:
    """What the optimiser trains: head and means at the full rate, each stage before it slower."""
    rate = recipe.rate
    parts: list[tuple[list[nn.Module], float]] = [([network.pools, network.projection], rate)]
    backbone = network.backbone
    for reduce, stage in reversed(list(zip(backbone.downsample_layers, backbone.stages))):
        rate *= recipe.layer_decay
        parts.append(([reduce, stage], rate))
    made = []
    for modules, rate in parts:
        parameters = [each for module in modules for each in module.parameters()]
        trained = [parameter for parameter in parameters if parameter.requires_grad]
        if trained:
            made.append({"params": trained, "lr": rate})
    return made


def loss(network: Network, pairs: Pairs, spread: float) -> torch.Tensor:
    """The mean squared difference of cosine and SSIM over pairs of images as they are.

    ``spread`` is the weight of the same for images of different photographs, whose SSIM is 0 but
    for chance.
    """
    rows = network(standardised(pairs.images))
    with devices.full_precision(rows.device):
        cosines = rows @ rows.T
    errors = (cosines[pairs.one, pairs.other] - pairs.ssim) ** 2
    of_one = pairs.photographs[:, None] == pairs.photographs
    strangers = cosines.masked_fill(of_one, 0)
    unlike: torch.Tensor = (strangers**2).sum() / (~of_one).sum().clamp(min=1)
    total: torch.Tensor = (pairs.weights * errors).mean() + spread * unlike
    return total


def predicted(network: Network, pairs: Pairs) -> npt.NDArray[np.float64]:
    """The cosines of pairs, of shape (m,)."""
    with torch.inference_mode():
        parts = torch.split(standardised(pairs.images), _EMBEDDED_AT_ONCE)
        rows = torch.cat([network.unflipped(part) for part in parts])
        cosines = (rows[pairs.one] * rows[pairs.other]).sum(1)
    return cosines.cpu().double().numpy()


def figures(cosines: npt.NDArray[np.float64], ssim: npt.NDArray[np.float64]) -> Figures:
    """Loss, mean absolute error and Spearman's rank correlation, 0 if all of either are equal."""
    return {
        "loss": float(np.mean((cosines - ssim) ** 2)),
        "mae": classes.absolute_error(cosines, ssim),
        "spearman": classes.rank_correlation(cosines, ssim) or 0.0,
    }


def measured_pairs(
    photographs: Tiles,
    side: int,
    count: int,
    shares: Alterations,
    rng: np.random.Generator,
    label: Label = ssim,
) -> Pairs:
    """``count`` pairs with a flat histogram of SSIM."""
    made = ssim_pairs.make(photographs, side, _SURPLUS * count, 2, shares, rng, label)
    return made.of(ssim_pairs.evenly(made.ssim.cpu().numpy(), count, rng))


def _batches(learned: Tiles, recipe: Recipe, rng: np.random.Generator) -> Iterator[Pairs]:
    groups, label = recipe.batch // recipe.group, LABELS[recipe.label]
    for _ in range(recipe.steps):
        pairs = ssim_pairs.make(
            learned, recipe.side, groups, recipe.group, recipe.alterations, rng, label
        )
        yield _augmented(pairs, recipe, rng)


def _augmented(pairs: Pairs, recipe: Recipe, rng: np.random.Generator) -> Pairs:
    images = ssim_pairs.augmented(pairs.images, recipe.augmentations, rng)
    return dataclasses.replace(pairs, images=images)


def _validation(network: Network, held_out: Tiles, recipe: Recipe) -> Callable[[], Figures]:
    """The same augmented pairs after each epoch."""
    rng = np.random.default_rng(recipe.seed)
    pairs = measured_pairs(
        held_out,
        recipe.side,
        recipe.validation_pairs,
        recipe.alterations,
        rng,
        LABELS[recipe.label],
    )
    pairs = _augmented(pairs, recipe, rng)
    truth = pairs.ssim.cpu().double().numpy()
    return lambda: figures(predicted(network, pairs), truth)


def _architecture(recipe: Recipe) -> Architecture:
    stem = 1 if recipe.backbone == "convnext-small-cpu" else 3
    return Architecture(
        recipe.backbone, stem, recipe.norm, recipe.hidden, recipe.dimensions, recipe.dropout
    )


def _identity(recipe: Recipe, parts: tuple[Tiles, Tiles], start: bytes | None) -> str:
    """What a checkpoint must share with a training: configuration, images, initial weights."""
    settings = dataclasses.replace(recipe, minutes=None)
    digest = hashlib.sha256(configuration.text(settings).encode("utf-8"))
    for part in parts:
        digest.update(hashlib.sha256(part.pixels.numpy().tobytes()).digest())
    digest.update(hashlib.sha256(start or b"").digest())
    return f"{KIND}-{digest.hexdigest()}"


def _card(recipe: Recipe, run: Run, learned: Tiles, held_out: Tiles, name: str) -> Card:
    return Card(
        kind=KIND,
        name=name,
        input=Input(recipe.side, recipe.side, channels=1, standardised=True),
        dimensions=recipe.dimensions,
        cuts=classes.PUBLISHED,
        architecture=_architecture(recipe).fields(),
        training={
            "images": len(learned),
            "validation_images": len(held_out),
            "tiles_of_an_image": learned.pixels.shape[1],
            "pairs": len(run.epochs) * recipe.steps * recipe.pairs_in_a_batch,
            **run.summary,
            "configuration": dataclasses.asdict(recipe),
        },
    )
