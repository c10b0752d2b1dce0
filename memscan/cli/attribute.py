"""memscan attribute: which generator seems to have made images, and how well that can be told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Sequence

import click

from memscan.cli import options, outputs
from memscan.cli.gate import exit_code
from memscan.cli.process import warn, write_stdout
from memscan.cli.progress import progress_bars
from memscan.reports.attribution import SUFFIXES, render, require

if TYPE_CHECKING:
    from memscan.attributions import AttributionReport, PerformanceReport
    from memscan.fingerprints.fingerprint import Fingerprint


@click.command(name="attribute", context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--target",
    "targets",
    metavar="PATH",
    multiple=True,
    help="Images whose maker is asked for: an image, a directory or archive. Repeatable.",
)
@click.option(
    "--evaluate",
    "evaluated",
    metavar="DIR",
    help="Measure the fingerprints instead, on folders 0_real and 1_fake in DIR, or in folders "
    "there that are called as the generators.",
)
@click.option(
    "--fingerprints",
    "fingerprint_paths",
    metavar="PATH",
    multiple=True,
    required=True,
    help="A fingerprint, or a directory of them: *.dif.npz, or published NAME/chk_0.pt. "
    "Repeatable.",
)
@click.option(
    "--calibrate",
    "real_paths",
    metavar="PATH",
    multiple=True,
    help="Real images, from which thresholds come. Repeatable.",
)
@click.option(
    "--rate", metavar="SHARE", type=float, default=0.05, show_default=True,
    help="The share of real images that thresholds may accuse.",
)  # fmt: skip
@click.option(
    "--shifts/--no-shifts",
    "search",
    default=None,
    help="Where no fingerprint names an image as it lies, look at all 8 x 8 phases of the grid as "
    "well: the image may have been moved  [default: with --calibrate]",
)
@click.option(
    "--residual",
    type=click.Choice(("laplacian", "wiener")),
    help="By which images are compared with published fingerprints  [default: laplacian]",
)
@click.option(
    "--robustness/--no-robustness",
    default=True,
    help="With --evaluate: measure altered images as well.",
)
@click.option(
    "--top",
    metavar="N",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    help="Targets that the text shows, the most suspect first.",
)
@options.outputs(SUFFIXES)
@options.stdout_format(("text", "json", "csv"))
@options.recursive
@options.exclude
@options.follow_symlinks
@options.max_failures()
@options.max_pixels
@options.jobs
@click.option("--verbose", is_flag=True, help="Name each image that cannot be read.")
@options.no_progress
def command(
    targets: tuple[str, ...],
    evaluated: str | None,
    fingerprint_paths: tuple[str, ...],
    real_paths: tuple[str, ...],
    rate: float,
    search: bool | None,
    residual: str | None,
    robustness: bool,
    top: int,
    output_paths: tuple[str, ...],
    stdout_format: str,
    recursive: bool,
    exclude: tuple[str, ...],
    follow_symlinks: bool,
    max_failures: int | None,
    max_pixels: int | None,
    jobs: int | None,
    verbose: bool,
    no_progress: bool,
) -> int:
    """Say which generator seems to have made each image, or that none of these did.

    Fingerprints are made by memscan train dif. The scores are no evidence of copies: no training
    image is looked at.
    """
    if bool(targets) == (evaluated is not None):
        raise click.UsageError("give either --target or --evaluate")
    if evaluated is not None and search is not None:
        raise click.UsageError("--evaluate measures both ways: leave --shifts and --no-shifts out")
    if evaluated is None and not robustness:
        raise click.UsageError("--no-robustness belongs to --evaluate")
    outputs.check_writable(output_paths, SUFFIXES)
    from memscan import decode, engines  # numpy and Pillow, not for --help
    from memscan.attribution import attributing, evaluating, fingerprints
    from memscan.attribution.reading import Settings
    from memscan.sources.directories import Selection

    formats = {path: outputs.format_of(path, SUFFIXES) for path in output_paths}
    for format in formats.values():
        require(format)
    engines.check(jobs)
    found = fingerprints.find(fingerprint_paths, residual or fingerprints.PUBLISHED_RESIDUAL)
    if residual is not None:
        _warn_of_own([one.fingerprint for one in found])
    limit = decode.MAX_PIXELS if max_pixels is None else max_pixels
    report: AttributionReport | PerformanceReport
    with progress_bars(not no_progress, "Reading") as progress:
        settings = Settings(Selection(recursive, exclude, follow_symlinks), limit, jobs, progress)
        if evaluated is None:
            report = attributing.attribute(
                targets, found, calibrate=real_paths, rate=rate, search=search, settings=settings
            )
        else:
            report = evaluating.evaluate(
                evaluated,
                found,
                calibrate=real_paths,
                rate=rate,
                robustness=robustness,
                settings=settings,
            )
        for path, format in formats.items():
            outputs.write_whole(path, render(report, format, top, verbose))
    for sentence in report.warnings:
        warn(sentence)
    write_stdout(render(report, stdout_format, top, verbose))
    return exit_code(False, len(report.lost), max_failures)


def _warn_of_own(some: Sequence[Fingerprint]) -> None:
    """Tell of fingerprints that --residual changes nothing for; UsageError if these are all."""
    own = sum(one.made != "published" for one in some)
    if own == len(some):
        raise click.UsageError("--residual is for published fingerprints; these have their own")
    if own:
        warn(f"--residual is for published fingerprints; {own} of {len(some)} have their own")
