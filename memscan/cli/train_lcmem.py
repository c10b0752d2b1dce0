"""memscan train lcmem: the two stages of LCMem."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from memscan.cli import curves, options, outputs, replacing
from memscan.cli.listed import image_list, listed_images
from memscan.cli.process import ExitCode, note, warn, write_stdout
from memscan.cli.progress import progress_bars
from memscan.errors import InputError
from memscan.reports.names import inert

if TYPE_CHECKING:
    from memscan.detectors.lcmem_training import Trained

_SUFFIXES = {".safetensors": "safetensors"}


@click.command(name="lcmem", context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--stage",
    type=click.Choice(("latent", "image")),
    required=True,
    help="On latents, or then on images that are edited anew each time.",
)
@image_list
@click.option("--latents", metavar="DIR", help="Stage latent: what memscan latents wrote.")
@click.option("--init", metavar="FILE", help="Stage image: the weights of stage latent.")
@click.option(
    "--autoencoder", metavar="DIR", help="Stage image: the autoencoder, which --init holds as well."
)
@click.option("--output", metavar="FILE", help="The weights: model.safetensors.")
@options.config
@options.print_config
@curves.plot
@options.device
@options.max_pixels
@options.jobs
@options.no_progress
def command(
    stage: str,
    latents: str | None,
    init: str | None,
    autoencoder: str | None,
    output: str | None,
    config: str | None,
    print_config: bool,
    plot: str | None,
    device: str,
    max_pixels: int | None,
    jobs: int | None,
    no_progress: bool,
    **chosen: Any,
) -> int:
    """Train a detector of images of one identity (extras learned, diffusion).

    Both stages write weights and their card, model.json beside model.safetensors. Run the same
    command again after a stop: it goes on after the last epoch.
    """
    from memscan.detectors.extras import require

    require("torch", "learned")
    from memscan.detectors import configuration, lcmem_recipe

    latent_recipe, image_recipe = lcmem_recipe.LatentRecipe(), lcmem_recipe.ImageRecipe()
    if config is not None and stage == "latent":
        latent_recipe = configuration.read(config, latent_recipe)
    elif config is not None:
        image_recipe = configuration.read(config, image_recipe)
    recipe = latent_recipe if stage == "latent" else image_recipe
    if print_config:
        write_stdout(configuration.text(recipe))
        return ExitCode.DONE
    if output is None:
        raise click.UsageError("name the --output to write")
    require("diffusers", "diffusion")
    if stage == "latent" and (latents is None or init is not None or autoencoder is not None):
        raise InputError("the stage latent takes --latents, and neither --init nor --autoencoder")
    if stage == "image" and (init is None or latents is not None):
        raise InputError("the stage image takes --init, and no --latents")
    outputs.check_writable([output], _SUFFIXES)
    curves.check(plot)
    listed = listed_images(**chosen)
    from memscan import decode
    from memscan.detectors import lcmem_fitting, lcmem_training
    from memscan.detectors.diffusion import parts
    from memscan.detectors.latents import ENCODER

    read = [config, chosen["listing"], *(one.path for one in listed)]
    if latents is not None:
        read.append(os.path.join(latents, ENCODER))
    if autoencoder is not None:  # all that is there, since weights may be in shards
        read += [os.path.join(autoencoder, name) for name in parts.names_in(autoencoder)]
    replacing.check_weights(output, plot, read, init)

    with progress_bars(not no_progress, verb="") as progress:
        how = lcmem_fitting.Options(
            device=device,
            max_pixels=decode.MAX_PIXELS if max_pixels is None else max_pixels,
            jobs=jobs,
            progress=progress,
        )
        if latents is not None:
            done = lcmem_training.train_on_latents(latents, listed, output, latent_recipe, how)
        elif init is not None:
            done = lcmem_training.train_on_images(
                init, listed, output, image_recipe, how, autoencoder_folder=autoencoder
            )
    for failure in done.failures:
        warn(f"{failure.path}: {failure.message}")
    if done.run.resumed:
        note("Went on from the checkpoint of a run that was stopped.")
    curves.write(plot, done.run)
    write_stdout(_told(output, done))
    return ExitCode.DONE


def _told(output: str, done: Trained) -> str:
    best = done.run.epochs[done.run.best]
    return (
        f"{inert(output)}: trained on {done.images['train']} images, "
        f"{done.images['val']} validated; "
        f"{len(done.run.epochs)} epochs, of which epoch {best.number + 1} is kept\n"
        f"validation: loss {best.validation['loss']:.4f}, AUC {best.validation['auc']:.4f}\n"
        f"sha256 {done.card.sha256}\n"
    )
