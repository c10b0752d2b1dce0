"""Training a latent diffusion model: an autoencoder, then the noise in its latents.

Rombach et al. (2022) on the scale of a case study: what is memorised, and from how many copies,
can be found out in minutes. All conditions are captions: of a class its name, of no condition "".
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
from dataclasses import dataclass
from typing import Any, Callable, Iterator, Sequence

import numpy as np
import torch

from memscan import decode, stamps
from memscan.detectors import (
    autoencoder,
    autoencoder_training,
    configuration,
    devices,
    inputs,
    pictures,
    training,
)
from memscan.detectors.ahead import ahead, workers
from memscan.detectors.cards import Input
from memscan.detectors.diffusion import clip, layout, schedules, unets, vocabularies
from memscan.detectors.diffusion.captions import Captioned
from memscan.detectors.diffusion.conditional import Averaged, Conditional
from memscan.detectors.diffusion.draws import Draw, Examples, Rows
from memscan.detectors.diffusion.recipe import Recipe
from memscan.detectors.diffusion.vocabularies import Vocabulary
from memscan.detectors.pictures import Pictures
from memscan.detectors.training import Figures, Run
from memscan.errors import InputError
from memscan.records import Failure, Progress


@dataclass(frozen=True)
class Trained:
    """What came of it.

    ``images`` were learned from, ``failures`` could not be read; ``cut`` captions were longer than
    the tokens that a prompt has.
    """

    run: Run
    images: Sequence[Captioned]
    failures: Sequence[Failure]
    cut: int


DEFAULT = Recipe()


def train(
    images: Sequence[Captioned],
    folder: str,
    recipe: Recipe = DEFAULT,
    *,
    autoencoder_folder: str | None = None,
    device: str = "auto",
    max_pixels: int = decode.MAX_PIXELS,
    jobs: int | None = None,
    progress: Progress | None = None,
    on_epoch: Callable[[Run], None] | None = None,
) -> Trained:
    """Train a model on images and write it to ``folder``, in the layout of Stable Diffusion.

    The autoencoder in ``autoencoder_folder`` is taken, or a new one trained before. An epoch draws
    each image as often as it has copies; the model is the average of the weights at the end. A run
    that was stopped goes on from the checkpoints beside and in ``folder``. Raises InputError where
    the recipe has no meaning, ``folder`` holds something else, or fewer than two images can be
    read, OutputError.
    """
    layout.require_new(folder)
    unet = _unet_config(recipe, autoencoder_folder)
    where = devices.choose(device)
    checkpoint = folder.rstrip("/\\") + training.CHECKPOINT_SUFFIX
    square = Input(recipe.autoencoder.side, recipe.autoencoder.side)
    store, places, failures = pictures.readable(
        [one.path for one in images], square, max_pixels, jobs, progress
    )
    if len(store) < 2:
        raise InputError(f"training needs two images that can be read, here are {len(store)}")
    layout.begin(folder)
    read = [images[place] for place in places]
    vae, vae_sha = _autoencoder(
        autoencoder_folder, folder, os.path.exists(checkpoint), recipe, store.paths,
        device=device, max_pixels=max_pixels, jobs=jobs, progress=progress,
    )  # fmt: skip
    latents = _latents(vae.to(where), store, where, workers(jobs, where), progress)
    vae.to("cpu")
    scale = 1 / max(float(latents.std()), 1e-3)

    vocabulary = vocabularies.learn([one.caption for one in read], recipe.vocabulary)
    torch.manual_seed(recipe.seed)
    network = Conditional(
        unets.build(unet), clip.build_encoder(_text_config(recipe, len(vocabulary.numbers)))
    )
    averaged = Averaged(network, recipe.average).to(where)
    optimiser = torch.optim.AdamW(network.parameters(), lr=recipe.learning_rate, weight_decay=1e-4)
    optimiser.register_step_post_hook(lambda *_: averaged.follow())
    tokens, empty, cut = _tokens(vocabulary, [one.caption for one in read], recipe.tokens)
    examples = Examples(
        scale * latents,
        tokens,
        empty,
        np.array([one.copies for one in read]),
        schedules.parse(recipe.scheduler()),
        recipe.unconditional,
        where,
    )
    checks = {
        name: examples.checks(
            np.random.default_rng([recipe.seed, 0x1D]), rows, recipe.checks, recipe.batch
        )
        for name, rows in _groups(examples.copies).items()
    }

    def batches(rng: np.random.Generator) -> Iterator[Draw]:
        for _ in range(recipe.steps):
            yield examples.batch(rng, recipe.batch)

    def validate() -> Figures:
        return {
            name: sum(
                float(examples.loss(averaged.average, draw)) * len(draw.steps) for draw in drawn
            )
            / recipe.checks
            for name, drawn in checks.items()
        }

    state = training.Checkpoints(checkpoint, _identity(read, recipe, vae_sha))
    run = training.fit(
        averaged,
        optimiser,
        batches,
        lambda draw: examples.loss(averaged, draw),
        validate,
        recipe.plan(),
        device=where,
        checkpoints=state,
        progress=progress,
        on_epoch=on_epoch,
    )
    kept = averaged.average.cpu()
    layout.write(
        folder,
        vae=vae,
        scale=scale,
        unet=kept.unet,
        text=kept.text,
        vocabulary=vocabulary,
        scheduler=recipe.scheduler(),
        record=_record(recipe, read, run, autoencoder_folder),
    )
    state.remove()
    return Trained(run, read, failures, cut)


def _unet_config(recipe: Recipe, autoencoder_folder: str | None) -> dict[str, Any]:
    """The U-Net for the latents of the autoencoder that is given or will be trained.

    Raises InputError where they do not fit the recipe, before anything is trained.
    """
    config = recipe.autoencoder.config
    if autoencoder_folder is not None:
        config = autoencoder.read_config(autoencoder_folder)
        if config["in_channels"] != 3:
            raise InputError(f"{autoencoder_folder}: the autoencoder takes no images in colour")
    reduction = 1 << (len(config["block_out_channels"]) - 1)
    side, rest = divmod(recipe.autoencoder.side, reduction)
    if rest or side % (1 << (recipe.levels - 1)):
        raise InputError(
            f"images of {recipe.autoencoder.side} pixels cannot be halved "
            f"{len(config['block_out_channels']) + recipe.levels - 2} times: another side or fewer "
            "levels helps"
        )
    try:
        schedules.parse(recipe.scheduler())
        clip.parse_config(recipe.text(recipe.vocabulary))
        return unets.parse_config(recipe.unet(config["latent_channels"], (side, side)))
    except ValueError as error:
        raise InputError(f"the recipe has no meaning: {error}") from error


def _text_config(recipe: Recipe, vocabulary: int) -> dict[str, Any]:
    begin, end = vocabulary - 2, vocabulary - 1
    special = {"bos_token_id": begin, "eos_token_id": end, "pad_token_id": end}
    return {**recipe.text(vocabulary), **special}


def _autoencoder(
    given: str | None, folder: str, begun: bool, recipe: Recipe, paths: Sequence[str], **how: Any
) -> tuple[Any, str]:
    """The autoencoder that was given, that of a run that got past it, or one trained now."""
    own = os.path.join(folder, layout.VAE)
    if given is None and not (begun and os.path.isdir(own)):
        autoencoder_training.train(paths, own, recipe.autoencoder, **how)
    vae, _, sha256 = autoencoder.load_whole(own if given is None else given)
    return vae, sha256


def _latents(
    vae: Any, store: Pictures, where: torch.device, threads: int, progress: Progress | None
) -> torch.Tensor:
    """The modes of all images' latents, in memory."""
    found = []
    at_once = inputs.at_once(store.wanted)
    rows = (range(len(store))[start : start + at_once] for start in range(0, len(store), at_once))
    done = 0
    with torch.inference_mode():
        for pixels in ahead(store.pixels, rows, threads):
            scaled = torch.from_numpy(pixels).to(where).float() / 127.5 - 1
            found.append(vae.encode(scaled).latent_dist.mode().cpu())
            done += len(pixels)
            if progress is not None:
                progress("latents", done, len(store))
    return torch.cat(found).clone()


def _groups(copies: Rows) -> dict[str, Rows]:
    """The rows at which the loss is measured: all, and those that come once and more often."""
    groups = {"once": np.flatnonzero(copies == 1), "repeated": np.flatnonzero(copies > 1)}
    every = {"loss": np.arange(len(copies))}
    return {**every, **groups} if all(map(len, groups.values())) else every


def _tokens(
    vocabulary: Vocabulary, captions: Sequence[str], length: int
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], int]:
    """The tokens of captions, int64 (n, length), those of none, and how many were too long."""
    tokenizer = clip.build_tokenizer(vocabulary.numbers, vocabulary.merges)
    texts = [clip.characters(one) for one in captions]
    cut = sum(len(tokenizer(one).input_ids) > length for one in texts)
    words = clip.Prompts(tokenizer, None, length)
    return words.numbers(texts).numpy(), words.numbers([""]).numpy(), cut


def _record(
    recipe: Recipe, images: Sequence[Captioned], run: Run, autoencoder_folder: str | None
) -> dict[str, Any]:
    return {
        "memscan_ldm": 1,
        "finished": True,
        "recipe": dataclasses.asdict(recipe),
        "autoencoder": autoencoder_folder,
        "training": run.summary,
        "images": [dataclasses.asdict(one) for one in images],
    }


def _identity(images: Sequence[Captioned], recipe: Recipe, vae_sha: str) -> str:
    """What makes a checkpoint that of this training."""
    network = dataclasses.replace(recipe, autoencoder=autoencoder_training.Recipe(), minutes=None)
    paths = [one.path for one in images]
    rows = [f"{one.path}\0{one.caption}\0{one.copies}" for one in images]
    document = "\0".join(
        (
            configuration.text(network),
            str(recipe.autoencoder.side),
            stamps.digest(paths),
            vae_sha,
            *rows,
        )
    )
    return hashlib.sha256(document.encode("utf-8", "surrogateescape")).hexdigest()
