"""LCMem trained in two stages: on latents that were made before, then on images.

The second stage begins with the network of the first and encodes images anew, each second view
edited at random, through the frozen encoder. Both stages write weights that hold the encoder.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
from dataclasses import dataclass
from typing import Any, Callable, Iterator, List, Mapping, NamedTuple, Sequence, Tuple, Union

import numpy as np
import torch

from memscan import decode
from memscan.detectors import (
    autoencoder,
    cards,
    configuration,
    devices,
    latents,
    lcmem,
    pictures,
    siamese,
    training,
    weights,
)
from memscan.detectors.ahead import ahead
from memscan.detectors.autoencoder import Encoder
from memscan.detectors.cards import Card
from memscan.detectors.identities import Listed, Members
from memscan.detectors.lcmem_recipe import ImageRecipe, LatentRecipe, Objective
from memscan.detectors.siamese import Embedded, Siamese
from memscan.detectors.training import Figures, Run
from memscan.errors import InputError
from memscan.records import Failure, Progress

Pairs = List[Tuple[int, int]]
Recipe = Union[LatentRecipe, ImageRecipe]

VALIDATION_DRAWS = 8
"""How often each identity is validated, in pairs drawn once for all epochs."""

_SAME_EACH_TIME = 0x7A11D


class Batch(NamedTuple):
    """Pairs of identities that are distinct; ``shift`` makes others of them."""

    first: torch.Tensor
    second: torch.Tensor
    shift: int


@dataclass(frozen=True)
class Options:
    """What does not change the weights, but for the device."""

    device: str = "auto"
    max_pixels: int = decode.MAX_PIXELS
    jobs: int | None = None
    progress: Progress | None = None
    on_epoch: Callable[[Run], None] | None = None

    @property
    def workers(self) -> int:
        """Threads that make batches."""
        return self.jobs or min(8, os.cpu_count() or 1)


@dataclass(frozen=True)
class Trained:
    """The card that was written, the run, images that could not be read, and how many were."""

    card: Card
    run: Run
    failures: Sequence[Failure]
    images: Mapping[str, int]


def train_on_latents(
    folder: str,
    listed: Sequence[Listed],
    output: str,
    recipe: LatentRecipe,
    options: Options = Options(),
) -> Trained:
    """Stage one, on a directory of latents; positives are two views, or two images, of an identity.

    Identities with nothing but one latent are left out: their positives would be the same twice.
    Raises InputError, OutputError.
    """
    where = devices.choose(options.device)
    found = latents.read(folder)
    rows = {os.path.abspath(name): row for row, name in enumerate(found.names)}
    views = found.making.views
    known = [one for one in listed if os.path.abspath(one.path) in rows]
    if not known:
        raise InputError(f"{folder}: holds latents of none of the {len(listed)} images listed")

    places: dict[str, list[tuple[int, int]]] = {}
    members: dict[str, Members] = {}
    for split in ("train", "val"):
        own = [one for one in known if one.split == split]
        places[split] = [(rows[os.path.abspath(one.path)], view) for one in own
                         for view in range(views)]  # fmt: skip
        all_members = Members.of([one.identity for one in own for _ in range(views)])
        members[split] = Members(tuple(one for one in all_members.rows if len(one) > 1))
        _require_identities(split, members[split], "two latents (memscan latents --views 2)")

    encoder = found.encoder()
    torch.manual_seed(recipe.schedule.seed)
    network = Siamese(recipe.size, encoder.channels, recipe.dimensions).to(where)

    def make(split: str, jitter: float) -> Callable[[tuple[Pairs, int]], Batch]:
        def made(draw: tuple[Pairs, int]) -> Batch:
            pairs, seed = draw
            rng = np.random.default_rng(seed)
            first, second = (
                torch.from_numpy(found.gather(*zip(*(places[split][pair[side]] for pair in pairs))))
                for side in (0, 1)
            )
            first, second = siamese.normalised(first), siamese.normalised(second)
            if jitter:
                noise = rng.standard_normal(second.shape, np.float32)
                second = second + jitter * torch.from_numpy(noise)
            return Batch(first, second, int(rng.integers(1, len(pairs))))

        return made

    checked = _drawn_once(make("val", 0), members["val"], recipe.schedule.batch)
    run = _fit(network, lambda batch: network(batch.first.to(where), batch.second.to(where)),
               make("train", recipe.jitter), members["train"], checked, recipe, options, where,
               output, _identity("latent", recipe, listed, found.sha256))  # fmt: skip
    images = {split: len(places[split]) // views for split in places}
    side, size = found.making.side, recipe.size
    record = _record("latent", recipe, run, members, images)
    card = lcmem.card_of("lcmem latent stage", side, size, recipe.dimensions, encoder,
                         found.sha256, record)  # fmt: skip
    return _written(output, encoder, network, card, run, found.failures, images)


def train_on_images(
    init: str,
    listed: Sequence[Listed],
    output: str,
    recipe: ImageRecipe,
    options: Options = Options(),
    *,
    autoencoder_folder: str | None = None,
) -> Trained:
    """Stage two, from the weights ``init`` of stage one, whose autoencoder it keeps.

    ``autoencoder_folder`` may name the autoencoder once more; another one is an error. Positives
    are an image, and an edited image of its identity: another one where there is another. Raises
    InputError, OutputError.
    """
    where = devices.choose(options.device)
    begun = lcmem.load(init, cards.read(init), options.device)
    made_with = str(begun.card.architecture.get("autoencoder_sha256"))
    if autoencoder_folder is not None and autoencoder.load(autoencoder_folder)[1] != made_with:
        raise InputError(f"{autoencoder_folder}: not the autoencoder that {init} was trained with")

    used = [one for one in listed if one.split in ("train", "val")]
    store, kept, failures = pictures.readable(
        [one.path for one in used], begun.card.input, options.max_pixels, options.jobs,
        options.progress,
    )  # fmt: skip
    members = {split: _members_of(used, kept, split) for split in ("train", "val")}
    for split in members:
        _require_identities(split, members[split], "an image that can be read")

    def make(draw: tuple[Pairs, int]) -> Batch:
        pairs, seed = draw
        rng = np.random.default_rng(seed)
        first = torch.from_numpy(store.pixels([one for one, _ in pairs])).float() / 255
        second = recipe.augmentation.apply(store.pixels([other for _, other in pairs]), rng)
        return Batch(first, second, int(rng.integers(1, len(pairs))))

    encoder, network = begun.encoder, begun.network.requires_grad_(True)

    def embedded(batch: Batch) -> Embedded:
        with torch.no_grad():
            pixels = torch.cat([batch.first, batch.second]).to(where)
            first, second = encoder(pixels).chunk(2)
        both: Embedded = network(first, second)
        return both

    checked = _drawn_once(make, members["val"], recipe.schedule.batch)
    run = _fit(network, embedded, make, members["train"], checked, recipe, options, where, output,
               _identity("image", recipe, listed, begun.sha256))  # fmt: skip
    images = {split: sum(map(len, members[split].rows)) for split in members}
    record = {**_record("image", recipe, run, members, images), "init": begun.sha256,
              "first_stage": begun.card.training}  # fmt: skip
    card = dataclasses.replace(begun.card, name="lcmem", training=record, calibration=None,
                               cuts=lcmem.CUTS)  # fmt: skip
    return _written(output, encoder, network, card, run, failures, images)


def _fit(
    network: Siamese,
    embedded: Callable[[Batch], Embedded],
    make: Callable[[tuple[Pairs, int]], Batch],
    members: Members,
    checked: Sequence[Batch],
    recipe: Recipe,
    options: Options,
    where: torch.device,
    output: str,
    identity: str,
) -> Run:
    """Train the network by the recipe, with a checkpoint beside the output."""
    schedule, objective = recipe.schedule, recipe.objective
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=schedule.learning_rate, weight_decay=schedule.weight_decay
    )

    def batches(rng: np.random.Generator) -> Iterator[Batch]:
        return ahead(make, _draws(members, rng, schedule.batch, schedule.steps), options.workers)

    def loss_of(batch: Batch) -> torch.Tensor:
        return siamese.loss(network, embedded(batch), batch.shift, objective.entropy,
                            objective.temperature)  # fmt: skip

    state = training.Checkpoints(output + training.CHECKPOINT_SUFFIX, identity)
    return training.fit(
        network,
        optimiser,
        batches,
        loss_of,
        lambda: _validation(network, embedded, checked, objective),
        schedule.plan(),
        device=where,
        checkpoints=state,
        progress=options.progress,
        on_epoch=options.on_epoch,
    )


def _draws(
    members: Members, rng: np.random.Generator, batch: int, count: int
) -> Iterator[tuple[Pairs, int]]:
    """Pairs of batches, each with a seed of its own: who makes it, and when, changes nothing."""
    size = min(batch, len(members.rows))
    for pairs in members.batches(rng, size, count):
        yield pairs, int(rng.integers(1 << 62))


def _drawn_once(
    make: Callable[[tuple[Pairs, int]], Batch], members: Members, batch: int
) -> list[Batch]:
    """The batches that validate all epochs alike."""
    rng = np.random.default_rng(_SAME_EACH_TIME)
    rounds = -(-VALIDATION_DRAWS * len(members.rows) // min(batch, len(members.rows)))
    return [make(draw) for draw in _draws(members, rng, batch, rounds)]


def _validation(
    network: Siamese,
    embedded: Callable[[Batch], Embedded],
    checked: Sequence[Batch],
    objective: Objective,
) -> Figures:
    """The loss, and the area under the ROC curve of all pairs of different batches."""
    losses, right, others = [], [], []
    for batch in checked:
        both = embedded(batch)
        losses.append(float(siamese.loss(network, both, batch.shift, objective.entropy,
                                         objective.temperature)))  # fmt: skip
        logits = network.logits(both[0][:, None], both[1][None])
        diagonal = torch.eye(len(logits), dtype=torch.bool, device=logits.device)
        right.append(logits[diagonal])
        others.append(logits[~diagonal])
    return {"loss": float(np.mean(losses)), "auc": _auc(torch.cat(right), torch.cat(others))}


def _auc(right: torch.Tensor, others: torch.Tensor) -> float:
    """How often a right pair scores higher than another; half of equal ones."""
    ranked = others.sort().values
    below = torch.searchsorted(ranked, right.contiguous())
    up_to = torch.searchsorted(ranked, right.contiguous(), right=True)
    return float((below + up_to).double().mean() / (2 * len(others)))


def _members_of(used: Sequence[Listed], kept: Sequence[int], split: str) -> Members:
    """The identities of one split, by rows of the pictures that can be read."""
    own = [row for row, place in enumerate(kept) if used[place].split == split]
    grouped = Members.of([used[kept[row]].identity for row in own])
    return Members(tuple(tuple(own[place] for place in group) for group in grouped.rows))


def _require_identities(split: str, members: Members, what: str) -> None:
    if len(members.rows) < 2:
        raise InputError(
            f"pairs of different identities need two with {what} in the split {split}; there "
            f"{'is one' if members.rows else 'are none'}"
        )


def _identity(stage: str, recipe: Recipe, listed: Sequence[Listed], made_with: str) -> str:
    """What makes a checkpoint that of this training."""
    names = "\0".join(f"{one.path}\0{one.identity}\0{one.split}" for one in listed)
    document = f"{stage} {made_with} {configuration.text(recipe)}{names}"
    return hashlib.sha256(document.encode("utf-8", "surrogateescape")).hexdigest()


def _record(
    stage: str,
    recipe: Recipe,
    run: Run,
    members: Mapping[str, Members],
    images: Mapping[str, int],
) -> Mapping[str, Any]:
    """What a card says of the training."""
    return {
        "stage": stage,
        "recipe": dataclasses.asdict(recipe),
        "identities": {split: len(members[split].rows) for split in members},
        "images": dict(images),
        **run.summary,
    }


def _written(
    output: str,
    encoder: Encoder,
    network: Siamese,
    card: Card,
    run: Run,
    failures: Sequence[Failure],
    images: Mapping[str, int],
) -> Trained:
    card = weights.write(output, lcmem.state_of(encoder, network), card)
    training.Checkpoints(output + training.CHECKPOINT_SUFFIX, "").remove()
    return Trained(card, run, failures, images)
