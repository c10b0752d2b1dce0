"""memscan train autoencoder: a small autoencoder where no published one can be had."""

from __future__ import annotations

import os
from typing import Any

import click

from memscan.cli import curves, options, replacing
from memscan.cli.listed import image_list, listed_images, of_split
from memscan.cli.process import ExitCode, note, warn, write_stdout
from memscan.cli.progress import progress_bars
from memscan.errors import InputError


@click.command(name="autoencoder", context_settings={"help_option_names": ["-h", "--help"]})
@image_list
@click.option("--output", metavar="DIR", help="A directory as diffusers writes it.")
@options.config
@options.print_config
@curves.plot
@options.device
@options.max_pixels
@options.jobs
@options.no_progress
def command(
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
    """Train a small AutoencoderKL in a few minutes (extras learned, diffusion).

    Of a --list, the images of the split train are taken; some of them measure the loss.
    Run the same command again after a stop: it goes on after the last epoch. Any other directory
    that diffusers wrote does as well wherever an --autoencoder is asked for.
    """
    from memscan.detectors.extras import require

    require("torch", "learned")
    from memscan.detectors import autoencoder_training, configuration

    recipe = autoencoder_training.Recipe()
    if config is not None:
        recipe = configuration.read(config, recipe)
    if print_config:
        write_stdout(configuration.text(recipe))
        return ExitCode.DONE
    if output is None:
        raise click.UsageError("name the --output to write")
    require("diffusers", "diffusion")
    if os.path.exists(output) and not os.path.isdir(output):
        raise InputError(f"{output}: is no directory")
    curves.check(plot)
    listed = listed_images(**chosen)
    from memscan import decode
    from memscan.detectors.autoencoder import CONFIG, WEIGHTS

    replacing.check_inputs(
        (os.path.join(output, CONFIG), os.path.join(output, WEIGHTS), plot),
        (config, chosen["listing"], *(one.path for one in listed)),
    )
    with progress_bars(not no_progress, verb="") as progress:
        done = autoencoder_training.train(
            [one.path for one in listed] if chosen["images"] else of_split(listed, "train"),
            output,
            recipe,
            device=device,
            max_pixels=decode.MAX_PIXELS if max_pixels is None else max_pixels,
            jobs=jobs,
            progress=progress,
        )
    for failure in done.failures:
        warn(f"{failure.path}: {failure.message}")
    if done.run.resumed:
        note("Went on from the checkpoint of a run that was stopped.")
    curves.write(plot, done.run)
    error = done.run.epochs[done.run.best].validation["absolute_error"]
    write_stdout(
        f"{output}: {len(done.run.epochs)} epochs; unseen images come back with a mean absolute "
        f"error of {error:.3f} of the range\nsha256 {done.sha256}\n"
    )
    return ExitCode.DONE
