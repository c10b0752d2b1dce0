"""memscan train ldm: a latent diffusion model whose memory can be measured."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from memscan.cli import curves, listed, options, replacing
from memscan.cli.process import ExitCode, note, warn, write_stdout
from memscan.cli.progress import progress_bars
from memscan.errors import InputError
from memscan.reports.names import inert

if TYPE_CHECKING:
    from memscan.detectors.diffusion.captions import Captioned
    from memscan.detectors.diffusion.fitting import Trained

CAPTIONS = ("none", "folder", "name", "text")


@click.command(name="ldm", context_settings={"help_option_names": ["-h", "--help"]})
@listed.directories("A directory of images. Repeatable.")
@click.option(
    "--list",
    "listing",
    metavar="FILE",
    help="A CSV file of images: path, and perhaps caption or class, and copies.",
)
@click.option(
    "--base-dir", metavar="DIR", help="Where the paths of --list begin  [default: its own]"
)
@click.option(
    "--captions",
    type=click.Choice(CAPTIONS),
    help="Captions of --images: none, the folder's name, the file's name, or a .txt file beside "
    "each image  [default: none]",
)
@click.option(
    "--copies",
    metavar="FROM-TO|FILE",
    help="How often images come: drawn for each between two numbers, or a CSV file of path and "
    "copies  [default: once]",
)
@click.option(
    "--autoencoder", metavar="DIR", help="An AutoencoderKL  [default: one is trained first]"
)
@click.option("--output", metavar="DIR", help="A new directory, as diffusers writes it.")
@click.option("--config", metavar="FILE", help="What is to differ from the defaults, as JSON.")
@click.option("--print-config", is_flag=True, help="Print the whole configuration and stop.")
@curves.plot
@options.device
@options.max_pixels
@options.jobs
@options.no_progress
def command(
    output: str | None,
    autoencoder: str | None,
    copies: str | None,
    config: str | None,
    print_config: bool,
    plot: str | None,
    device: str,
    max_pixels: int | None,
    jobs: int | None,
    no_progress: bool,
    **chosen: Any,
) -> int:
    """Train a latent diffusion model (extras learned, diffusion).

    An autoencoder, then a U-Net with a text encoder in its latents. Images that come in copies are
    remembered, so that detectors of memorisation can be tried on a model whose secrets are known.
    The output is a Stable Diffusion to diffusers, and to memscan sample and probe; training.json
    in it says what it was trained on.
    Run the same command again after a stop: it goes on after the last epoch.
    """
    from memscan.detectors.extras import require

    require("torch", "learned")
    from memscan.detectors import configuration
    from memscan.detectors.diffusion.recipe import Recipe

    recipe = Recipe() if config is None else configuration.read(config, Recipe())
    if print_config:
        write_stdout(configuration.text(recipe))
        return ExitCode.DONE
    if output is None:
        raise click.UsageError("name the --output to write")
    require("diffusers", "diffusion")
    require("transformers", "diffusion")
    from memscan import decode
    from memscan.detectors.diffusion import captions, fitting, layout

    layout.require_new(output)
    curves.check(plot)
    images = _images(**chosen)
    if copies is not None:
        images = captions.with_copies(images, copies, recipe.seed)
    replacing.check_inputs(
        (plot,), (config, chosen["listing"], copies, *(one.path for one in images))
    )
    with progress_bars(not no_progress, verb="") as progress:
        done = fitting.train(
            images,
            output,
            recipe,
            autoencoder_folder=autoencoder,
            device=device,
            max_pixels=decode.MAX_PIXELS if max_pixels is None else max_pixels,
            jobs=jobs,
            progress=progress,
        )
    for failure in done.failures:
        warn(f"{failure.path}: left out: {failure.message}")
    if done.cut:
        warn(f"{done.cut} captions are longer than {recipe.tokens} tokens and were cut")
    if done.run.resumed:
        note("Went on from the checkpoint of a run that was stopped.")
    curves.write(plot, done.run)
    write_stdout(_summary(output, done))
    return ExitCode.DONE


def _images(
    images: tuple[str, ...],
    listing: str | None,
    base_dir: str | None,
    captions: str | None,
    **selection: Any,
) -> list[Captioned]:
    """The images that the options name. Raises InputError."""
    from memscan.detectors.diffusion import captions as captioning

    if bool(images) == (listing is not None):
        raise InputError("give either --images or --list")
    if listing is None:
        if base_dir is not None:
            raise InputError("--base-dir belongs to --list")
        return captioning.captioned(listed.found(images, **selection), captions or "none")
    if any(selection.values()) or captions is not None:
        raise InputError(
            "--captions, --recursive, --exclude and --follow-symlinks belong to --images"
        )
    return captioning.read_list(listing, base_dir)


def _summary(output: str, done: Trained) -> str:
    images = len(done.images)
    copies = sum(one.copies for one in done.images)
    repeated = sum(one.copies > 1 for one in done.images)
    captions = len({one.caption for one in done.images} - {""})
    told = done.run.summary
    losses = told["validation"]
    lines = [
        f"Wrote {inert(os.path.normpath(output))}, a latent diffusion model of {images} images "
        f"with {captions} captions.",
        f"{repeated} images come in copies, {copies} images in all.",
        f"{told['epochs']} epochs in {told['seconds']} s; the loss is {losses['loss']:.3f} over "
        "the images, each counted once.",
    ]
    if "repeated" in losses:
        lines.append(
            f"Over those that come in copies it is {losses['repeated']:.3f}, over the others "
            f"{losses['once']:.3f}: what is memorised is denoised better."
        )
    return "\n".join(lines) + "\n"
