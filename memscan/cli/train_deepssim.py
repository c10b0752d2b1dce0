"""memscan train deepssim: an encoder whose cosine is the SSIM of aligned images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from memscan.cli import curves, options, outputs, replacing
from memscan.cli.listed import image_list, listed_images, of_split
from memscan.cli.process import ExitCode, note, warn, write_stdout
from memscan.cli.progress import progress_bars
from memscan.errors import InputError
from memscan.reports.names import inert

if TYPE_CHECKING:
    from memscan.detectors.deepssim_recipe import Recipe
    from memscan.detectors.deepssim_training import Trained

WEIGHTS = {".safetensors": "safetensors"}


@click.command(name="deepssim", context_settings={"help_option_names": ["-h", "--help"]})
@image_list
@click.option("--output", metavar="FILE", help="The weights: model.safetensors.")
@options.config
@options.print_config
@click.option("--epochs", metavar="N", type=click.IntRange(1, 100_000), help="Most epochs.")
@click.option(
    "--minutes",
    metavar="M",
    type=click.FloatRange(min=0, min_open=True),
    help="Stop after the epoch in which so many minutes have passed.",
)
@click.option("--seed", metavar="N", type=click.IntRange(0, 1 << 31), help="Another start.")
@curves.plot
@options.device
@options.max_pixels
@options.no_progress
def command(
    output: str | None,
    config: str | None,
    print_config: bool,
    epochs: int | None,
    minutes: float | None,
    seed: int | None,
    plot: str | None,
    device: str,
    max_pixels: int | None,
    no_progress: bool,
    **chosen: Any,
) -> int:
    """Train an encoder whose cosine is the SSIM of two images, once they are aligned.

    Of a --list, the images of the split train are learned from, and those of val kept apart for
    validation; where there are none, and of --images, a share is kept apart.

    The weights are written with a card beside them (model.json), which detect and compare take
    with --detector deepssim. A run that was stopped goes on when it is started again: its
    checkpoint lies beside the output.

    Needs torch: pip install 'memscan[learned]'
    """
    recipe = _recipe(config, epochs, minutes, seed)
    if print_config:
        from memscan.detectors import configuration

        write_stdout(configuration.text(recipe))
        return ExitCode.DONE
    if output is None:
        raise click.UsageError("name the --output to write")
    outputs.check_writable([output], WEIGHTS)
    curves.check(plot)
    from memscan.detectors.extras import require

    require("torch", "learned")
    from memscan import decode
    from memscan.detectors import deepssim_training

    listed = listed_images(**chosen)
    read = [config, chosen["listing"], *(one.path for one in listed)]
    replacing.check_weights(output, plot, read, recipe.init)
    if chosen["images"]:
        learned, validation = [one.path for one in listed], []
    else:
        learned, validation = of_split(listed, "train"), of_split(listed, "val")
    with progress_bars(not no_progress, verb="") as progress:
        done = deepssim_training.train(
            learned,
            output,
            recipe,
            validation=validation,
            device=device,
            max_pixels=max_pixels or decode.MAX_PIXELS,
            progress=progress,
        )
    for failure in done.failures:
        warn(f"{failure.path}: left out: {failure.message}")
    if done.run.resumed:
        note("Went on from the checkpoint of a run that was stopped.")
    curves.write(plot, done.run)
    write_stdout(_summary(output, done))
    return ExitCode.DONE


def _recipe(
    config: str | None, epochs: int | None, minutes: float | None, seed: int | None
) -> Recipe:
    """The configuration in a file, with what was said on the command line."""
    from memscan.detectors import configuration
    from memscan.detectors.deepssim_recipe import Recipe

    recipe = Recipe() if config is None else configuration.read(config, Recipe())
    said = {"epochs": epochs, "minutes": minutes, "seed": seed}
    try:
        return configuration.changed(
            recipe, {name: value for name, value in said.items() if value is not None}
        )
    except ValueError as error:
        raise InputError(str(error)) from error


def _summary(output: str, done: Trained) -> str:
    card = done.detector.card
    told, measured = card.training, card.training["validation"]
    lines = [
        f"Wrote {inert(output)} and its card, from {told['images']} images.",
        f"{told['epochs']} epochs in {told['seconds']} s; the weights are those of epoch "
        f"{told['best_epoch'] + 1}.",
        f"On pairs of {told['validation_images']} other images, turned and flipped: "
        f"mean absolute error {measured['mae']:.3f}, Spearman {measured['spearman']:.3f}.",
    ]
    return "\n".join(lines) + "\n"
