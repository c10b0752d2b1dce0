"""memscan lineage: which models come from which."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Sequence

import click

from memscan.cli import options, outputs, replacing
from memscan.cli.gate import exit_code
from memscan.cli.process import warn, write_stdout
from memscan.cli.progress import progress_bars
from memscan.reports.lineage import FORMATS, SUFFIXES

if TYPE_CHECKING:
    from memscan.sources.directories import Selection


@click.command(name="lineage", context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--fingerprints",
    metavar="PATH",
    multiple=True,
    required=True,
    help="A fingerprint, or a directory of them. Repeatable.",
)
@click.option(
    "--images",
    metavar="DIR",
    required=True,
    help="A directory with a folder for each model: its images, or 1_fake and perhaps 0_real.",
)
@click.option(
    "--real",
    metavar="PATH",
    multiple=True,
    help="Real images to compare with  [default: all in 0_real]. Repeatable.",
)
@click.option(
    "--residual",
    "residuals",
    type=click.Choice(("laplacian", "wiener", "own")),
    multiple=True,
    help="What of an image is compared; with several, all must agree. own is the one that each "
    "fingerprint was learned from. Repeatable  [default: own; for published fingerprints, whose "
    "own cannot be had, laplacian and wiener]",
)
@click.option(
    "--least",
    metavar="AREA",
    type=click.FloatRange(0.5, 1),
    default=0.75,
    show_default=True,
    help="The area under the ROC curve that related models surely reach.",
)
@options.recursive
@options.exclude
@options.follow_symlinks
@options.stdout_format(FORMATS)
@options.outputs(SUFFIXES)
@options.max_failures()
@options.max_pixels
@options.jobs
@click.option(
    "--verbose", is_flag=True, help="List all relations, and each image that cannot be read."
)
@options.no_progress
def command(
    fingerprints: tuple[str, ...],
    images: str,
    real: tuple[str, ...],
    residuals: tuple[str, ...],
    least: float,
    recursive: bool,
    exclude: tuple[str, ...],
    follow_symlinks: bool,
    stdout_format: str,
    output_paths: tuple[str, ...],
    max_failures: int | None,
    max_pixels: int | None,
    jobs: int | None,
    verbose: bool,
    no_progress: bool,
) -> int:
    """Tell which models are related, by every fingerprint on every model's images.

    A model that was fine-tuned from another keeps its fingerprint. Each fingerprint is tried on
    the images of each model, against real images; fingerprints and folders of one name belong
    together. Two models are called related only if each one's fingerprint is clearly seen in the
    other's images. Use images that no fingerprint was learned from.

    An output is a report (.txt, .json, .csv, .html) or a heat map (.png, .pdf, .svg).
    """
    outputs.check_writable(output_paths, SUFFIXES)
    from memscan import decode  # numpy and Pillow, not for --help
    from memscan.attribution.reading import Settings
    from memscan.lineage import tracing
    from memscan.reports import lineage as reports
    from memscan.sources.directories import Selection

    selection = Selection(recursive, exclude, follow_symlinks)
    _check_apart(output_paths, images, real, selection)
    formats = {path: outputs.format_of(path, SUFFIXES) for path in output_paths}
    for format in formats.values():
        reports.require(format)
    with progress_bars(not no_progress, verb="Comparing") as progress:
        report = tracing.trace(
            fingerprints,
            images,
            real=real,
            residuals=residuals,
            least=least,
            settings=Settings(
                selection,
                decode.MAX_PIXELS if max_pixels is None else max_pixels,
                jobs,
                progress,
            ),
        )
    for sentence in report.warnings:
        warn(sentence)
    for path, format in formats.items():
        outputs.write_whole(path, reports.as_file(report, format))
    write_stdout(reports.render(report, stdout_format, verbose))
    return exit_code(False, len(report.failures), max_failures)


def _check_apart(
    output_paths: Sequence[str], images: str, real: Sequence[str], selection: Selection
) -> None:
    """Raise InputError for a heat map that would replace an image that is read."""
    from memscan.lineage import folders
    from memscan.sources import given

    there = [path for path in output_paths if os.path.exists(path)]
    if there:
        models = [model.path for model in folders.generated(images, selection).models]
        places = [*models, *folders.real(images, real)]
        listings = given.list_images(places, selection, "image")
        replacing.check_inputs(there, given.in_bytewise_order(listings))
