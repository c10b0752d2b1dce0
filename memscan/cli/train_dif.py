"""memscan train dif: the fingerprint that a generator leaves in its images."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Sequence

import click

from memscan.cli import curves, options, outputs, replacing
from memscan.cli.process import ExitCode, note, warn, write_stdout
from memscan.cli.progress import progress_bars
from memscan.errors import InputError
from memscan.reports.names import inert

if TYPE_CHECKING:
    from memscan.detectors.dif.making import Made

SUFFIX = ".dif.npz"  # these as in memscan.fingerprints, which needs numpy
RESIDUALS = ("laplacian", "wiener", "denoiser")
METHODS = ("dif", "mean")


@click.command(name="dif", context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--real",
    metavar="DIR",
    multiple=True,
    help="A directory of images that no generator made. Repeatable.",
)
@click.option(
    "--generated",
    metavar="DIR",
    multiple=True,
    help="A directory of images of one generator. Repeatable.",
)
@options.recursive
@options.exclude
@options.follow_symlinks
@click.option("--output", metavar="FILE", help=f"The fingerprint: model{SUFFIX}.")
@click.option("--name", metavar="NAME", help="What the generator is called  [default: the file]")
@click.option(
    "--residual",
    type=click.Choice(RESIDUALS),
    default=RESIDUALS[0],
    show_default=True,
    help="What is taken of an image; a denoiser is trained on the real ones.",
)
@click.option(
    "--method",
    type=click.Choice(METHODS),
    default=METHODS[0],
    show_default=True,
    help="The loss of DIF, or the mean residual, which needs no torch.",
)
@click.option("--config", metavar="FILE", help="What is to differ from the defaults, as JSON.")
@click.option("--print-config", is_flag=True, help="Print the whole configuration and stop.")
@curves.plot
@options.device
@options.max_pixels
@options.jobs
@options.no_progress
def command(
    real: tuple[str, ...],
    generated: tuple[str, ...],
    output: str | None,
    name: str | None,
    residual: str,
    method: str,
    config: str | None,
    print_config: bool,
    plot: str | None,
    device: str,
    max_pixels: int | None,
    jobs: int | None,
    no_progress: bool,
    **selection: Any,
) -> int:
    """Learn the fingerprint that a generator leaves in its images, beside real ones.

    A share of the images is held out and tells how good the fingerprint is. Give both folders in
    one file format: formats leave traces, too. A run that was stopped goes on when it is started
    again: its checkpoints lie beside the output.

    Needs torch: pip install 'memscan[learned]'; for --method mean only with --residual denoiser
    """
    from memscan import decode
    from memscan.detectors import configuration
    from memscan.detectors.dif.making import Maker
    from memscan.detectors.dif.recipe import Recipe

    recipe = Recipe() if config is None else configuration.read(config, Recipe())
    try:
        recipe.check()
    except InputError as error:
        raise InputError(f"{config}: {error}") from error
    if print_config:
        write_stdout(configuration.text(recipe))
        return ExitCode.DONE
    if not (real and generated):
        raise click.UsageError("name the images: --real and --generated")
    if output is None:
        raise click.UsageError("name the --output to write")
    if not output.lower().endswith(SUFFIX):
        raise InputError(f"{output}: the name of a fingerprint must end in {SUFFIX}")
    outputs.check_replaceable(output)
    if plot is not None and method == "mean":
        raise click.UsageError("--method mean is no training that --plot could draw")
    curves.check(plot)
    real_paths, fake_paths = (_images(folders, selection) for folders in (real, generated))
    replacing.check_inputs((output, plot), (config, *real_paths, *fake_paths))
    with progress_bars(not no_progress, verb="") as progress:
        maker = Maker(
            recipe,
            residual,
            method,
            device,
            max_pixels or decode.MAX_PIXELS,
            jobs,
            progress,
        )
        done = maker.make(real_paths, fake_paths, output, name or _name(output))
    for failure in done.failures:
        warn(f"{failure.path}: left out: {failure.message}")
    for warning in done.warnings:
        warn(warning)
    if done.run is not None:
        if done.run.resumed:
            note("Went on from the checkpoint of a run that was stopped.")
        curves.write(plot, done.run)
    write_stdout(_summary(output, done))
    return ExitCode.DONE


def _images(folders: Sequence[str], selection: Any) -> list[str]:
    """The image files in directories, after warnings of those that cannot be listed."""
    from memscan.sources import given
    from memscan.sources.directories import Selection

    listings = given.list_images(folders, Selection(**selection), "directory")
    given.require_files(listings, "training")
    for failure in given.unlisted(listings):
        warn(f"{failure.path}: {failure.message}")
    return given.in_bytewise_order(listings)


def _name(output: str) -> str:
    """The name of the file without what every fingerprint ends in."""
    return os.path.basename(output)[: -len(SUFFIX)]


def _summary(output: str, done: Made) -> str:
    found, worth = done.fingerprint, done.worth
    images = found.training["images"]
    lines = [
        f"Wrote {inert(output)}, from {images['real']} real and {images['generated']} generated "
        "images.",
        f"Mean correlation of the real ones {found.mean_real:+.4f}, of the generated ones "
        f"{found.mean_fake:+.4f}.",
        f"Of images held out, {worth.accuracy.share:.1%} are told right (95 % interval "
        f"{worth.accuracy.low:.1%} to {worth.accuracy.high:.1%}): {worth.real.count} of "
        f"{worth.real.total} real, {worth.fake.count} of {worth.fake.total} generated; the classes "
        f"lie {worth.separation:.1f} deviations apart.",
    ]
    if worth.accuracy.low <= 0.5:
        lines.append("That may be chance: the interval does not lie above 50 %.")
    return "\n".join(lines) + "\n"
