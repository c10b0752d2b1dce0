"""LCMem trained in two stages: on latents that were made before, then on images.

The second stage begins with the network of the first and encodes images anew, each second view
edited at random, through the frozen encoder. Both stages write weights that hold the encoder.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
from dataclasses import dataclass
from typing import Any, Mapping, Sequence, Union

import numpy as np
import torch

from memscan import stamps
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
from memscan.detectors.autoencoder import Encoder
from memscan.detectors.cards import Card
from memscan.detectors.identities import Listed, Members
from memscan.detectors.latents import Latents
from memscan.detectors.lcmem_fitting import AS_IT_IS, Batch, Draw, Learning, Options, drawn_once
from memscan.detectors.lcmem_recipe import ImageRecipe, LatentRecipe
from memscan.detectors.pictures import Pictures
from memscan.detectors.siamese import Siamese
from memscan.detectors.training import Checkpoints, Run
from memscan.errors import InputError
from memscan.records import Failure

Recipe = Union[LatentRecipe, ImageRecipe]

_ENCODED_AT_ONCE = 32


@dataclass(frozen=True)
class Trained:
    """The card that was written, the run, images that could not be read, and how many could."""

    card: Card
    run: Run
    failures: Sequence[Failure]
    images: Mapping[str, int]


def train_on_latents(
    folder: str,
    listed: Sequence[Listed],
    output: str,
    recipe: LatentRecipe,
    options: Options = AS_IT_IS,
) -> Trained:
    """Stage one, on a directory of latents; positives are two views, or two images, of an identity.

    Identities with nothing but one latent are left out: their positives would be the same twice.
    Raises InputError, OutputError.
    """
    where = devices.choose(options.device)
    found = latents.read(folder)
    encoder = found.encoder()
    least = lcmem.least_side(encoder, recipe.size)
    if found.making.side < least:
        raise InputError(
            f"{folder}: the images of its latents must have {least} pixels a side or more, not "
            f"{found.making.side} (memscan latents --side {least})"
        )
    train, val = (_LatentPairs.of(found, listed, split, recipe) for split in ("train", "val"))
    torch.manual_seed(recipe.schedule.seed)
    network = Siamese(recipe.size, encoder.channels, recipe.dimensions).to(where)
    learning = Learning(network, recipe.schedule, recipe.objective, where, options)
    checked = drawn_once(val.plain, val.members, recipe.schedule.batch)
    state = _checkpoints(output, recipe, listed, found.fingerprint)
    run = learning.fit(train.jittered, train.members, checked, state)
    images = {"train": train.images, "val": val.images}
    card = lcmem.card_of(
        "lcmem, latent stage",
        found.making.side,
        recipe.size,
        recipe.dimensions,
        encoder,
        found.sha256,
        {"stage": "latent", **_record(recipe, run, images)},
    )
    card = weights.write(output, lcmem.state_of(encoder, network), card)
    state.remove()
    return Trained(card, run, found.failures, images)


@dataclass(frozen=True)
class _LatentPairs:
    """The latents of one split; ``places`` are the rows and views of its entries."""

    found: Latents
    places: Sequence[tuple[int, int]]
    members: Members
    jitter: float

    @classmethod
    def of(
        cls, found: Latents, listed: Sequence[Listed], split: str, recipe: LatentRecipe
    ) -> _LatentPairs:
        """Those of the identities that have two latents."""
        rows = {os.path.abspath(name): row for row, name in enumerate(found.names)}
        placed = [(rows.get(os.path.abspath(one.path)), one) for one in listed]
        entries = [
            (row, view, one.identity)
            for row, one in placed
            if row is not None and one.split == split
            for view in range(found.making.views)
        ]
        groups = Members.of([identity for _, _, identity in entries]).rows
        members = Members(tuple(group for group in groups if len(group) > 1))
        _require_two(split, members, f"with two latents in {found.folder}")
        return cls(found, [(row, view) for row, view, _ in entries], members, recipe.jitter)

    @property
    def images(self) -> int:
        """The number of images."""
        return len({row for row, _ in self.places})

    def plain(self, draw: Draw) -> Batch:
        """Latents as they are."""
        first, second = (self._gathered([pair[side] for pair in draw.pairs]) for side in (0, 1))
        shift = np.random.default_rng(draw.seed).integers(1, len(draw.pairs))
        return Batch(first, second, int(shift))

    def jittered(self, draw: Draw) -> Batch:
        """The second views with noise."""
        first, second, shift = self.plain(draw)
        noise = np.random.default_rng([draw.seed, 1]).standard_normal(second.shape, np.float32)
        return Batch(first, second + self.jitter * torch.from_numpy(noise), shift)

    def _gathered(self, entries: Sequence[int]) -> torch.Tensor:
        rows, views = zip(*(self.places[entry] for entry in entries))
        return siamese.normalised(torch.from_numpy(self.found.gather(rows, views)))


def train_on_images(
    init: str,
    listed: Sequence[Listed],
    output: str,
    recipe: ImageRecipe,
    options: Options = AS_IT_IS,
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
    network = begun.network.requires_grad_(True)
    learning = Learning(network, recipe.schedule, recipe.objective, where, options)

    used = [one for one in listed if one.split in ("train", "val")]
    paths = [one.path for one in used]
    store, kept, failures = pictures.readable(
        paths, begun.card.input, options.max_pixels, options.jobs, options.progress
    )
    readable = [used[place] for place in kept]
    train, val = (_members_of(readable, split) for split in ("train", "val"))
    pairs = _ImagePairs.of(store, begun.encoder, where, recipe)
    checked = drawn_once(pairs.edited, val, recipe.schedule.batch)  # in single precision
    made_of = f"{begun.sha256} {stamps.digest(store.paths)}"
    state = _checkpoints(output, recipe, listed, made_of)
    run = learning.fit(pairs.learned, train, checked, state)
    images = {"train": sum(map(len, train.rows)), "val": sum(map(len, val.rows))}
    card = dataclasses.replace(
        begun.card,
        name="lcmem",
        cuts=lcmem.CUTS,
        calibration=None,
        training={
            "stage": "image",
            **_record(recipe, run, images),
            "init": begun.sha256,
            "first_stage": begun.card.training,
        },
    )
    card = weights.write(output, lcmem.state_of(begun.encoder, network), card)
    state.remove()
    return Trained(card, run, failures, images)


@dataclass(frozen=True)
class _ImagePairs:
    """Pairs of images, the second one edited; ``kept`` are the latents of all unedited images.

    They are None where memory does not allow them, and are then encoded anew each time.
    """

    store: Pictures
    encoder: Encoder
    where: torch.device
    recipe: ImageRecipe
    kept: torch.Tensor | None

    @classmethod
    def of(
        cls, store: Pictures, encoder: Encoder, where: torch.device, recipe: ImageRecipe
    ) -> _ImagePairs:
        """Of pictures that were read."""
        pairs = cls(store, encoder, where, recipe, None)
        wanted = store.wanted
        numbers = encoder.channels * wanted.width * wanted.height // encoder.reduction**2
        if not len(store) or 4 * numbers * len(store) > pictures.KEPT_BYTES:
            return pairs
        # In batches of its own, since rounding depends on the batch: weights must not on workers.
        batches = np.array_split(np.arange(len(store)), -(-len(store) // _ENCODED_AT_ONCE))
        kept = torch.cat([pairs._unedited(rows.tolist()) for rows in batches])
        return dataclasses.replace(pairs, kept=kept)

    def edited(self, draw: Draw) -> Batch:
        """A batch, whose second views are edited as the seed says."""
        rng = np.random.default_rng(draw.seed)
        pixels = self.store.pixels([other for _, other in draw.pairs])
        edited = self.recipe.augmentation.apply(pixels, rng)
        first = self._unedited([one for one, _ in draw.pairs])
        second = self.encoder.latents(edited, self.where)
        return Batch(first, second, int(rng.integers(1, len(draw.pairs))))

    def learned(self, draw: Draw) -> Batch:
        """The same in mixed precision, whichever thread makes it."""
        with devices.mixed_precision(self.where):
            return self.edited(draw)

    def _unedited(self, rows: Sequence[int]) -> torch.Tensor:
        if self.kept is not None:
            return self.kept[list(rows)]
        pixels = torch.from_numpy(self.store.pixels(rows)).float() / 255
        return self.encoder.latents(pixels, self.where)


def _members_of(readable: Sequence[Listed], split: str) -> Members:
    """The identities of one split, by rows of the pictures."""
    own = [row for row, one in enumerate(readable) if one.split == split]
    groups = Members.of([readable[row].identity for row in own]).rows
    members = Members(tuple(tuple(own[place] for place in group) for group in groups))
    _require_two(split, members, "with images that can be read")
    return members


def _require_two(split: str, members: Members, what: str) -> None:
    if len(members.rows) < 2:
        raise InputError(
            f"other pairs need two identities {what} in the split {split}, there "
            f"{'is one' if members.rows else 'is none'}"
        )


def _checkpoints(
    output: str, recipe: Recipe, listed: Sequence[Listed], made_of: str
) -> Checkpoints:
    """The state beside the output, and what makes it that of this training."""
    names = "\0".join(f"{one.path}\0{one.identity}\0{one.split}" for one in listed)
    settings = configuration.changed(recipe, {"schedule": {"minutes": None}})
    document = f"{made_of} {type(recipe).__name__} {configuration.text(settings)}{names}"
    identity = hashlib.sha256(document.encode("utf-8", "surrogateescape")).hexdigest()
    return Checkpoints(output + training.CHECKPOINT_SUFFIX, identity)


def _record(recipe: Recipe, run: Run, images: Mapping[str, int]) -> Mapping[str, Any]:
    """What a card says of the training."""
    return {"recipe": dataclasses.asdict(recipe), "images": dict(images), **run.summary}
