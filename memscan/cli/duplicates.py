"""memscan duplicates: group the near-duplicates within a collection."""

from __future__ import annotations

from typing import Any

import click

from memscan.cli import options, outputs
from memscan.cli.gate import exit_code
from memscan.cli.kept import kept_hashes
from memscan.cli.process import warn, write_stdout
from memscan.cli.progress import progress_bars
from memscan.reports.duplicates import FORMATS, SUFFIXES, render


@click.command(name="duplicates", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("paths", metavar="DIR...", nargs=-1, required=True)
@options.recursive
@options.exclude
@options.follow_symlinks
@options.near_threshold
@options.stdout_format(FORMATS)
@options.outputs(SUFFIXES)
@click.option("--fail-on-duplicates", is_flag=True, help="Exit with 1 if there is a group.")
@options.max_failures(gate="--fail-on-duplicates")
@options.max_pixels
@options.jobs
@options.no_cache
@options.cache_dir
@options.quiet
@click.option(
    "--verbose", is_flag=True, help="Name each image that cannot be read or is low-information."
)
@options.no_progress
def command(
    paths: tuple[str, ...],
    stdout_format: str,
    output_paths: tuple[str, ...],
    fail_on_duplicates: bool,
    max_failures: int | None,
    max_pixels: int | None,
    no_cache: bool,
    cache_dir: str | None,
    quiet: bool,
    verbose: bool,
    no_progress: bool,
    **scan: Any,
) -> int:
    """Group the images of a collection that are near-duplicates of each other.

    Each DIR is a directory of images, or an image; together they are one collection, in which a
    file counts once.

    A group holds the images that lie within the threshold of one another, directly or through
    others of the group; each is listed with its distance in bits from the group's first. Flat
    images and plain gradients, which have close hashes without being copies, are left out and
    counted.
    """
    outputs.check_writable(output_paths, SUFFIXES)
    from memscan import decode, duplication  # numpy and Pillow, not for --help

    with kept_hashes(no_cache, cache_dir) as cache, progress_bars(not no_progress) as progress:
        report = duplication.duplicates(
            paths,
            max_pixels=decode.MAX_PIXELS if max_pixels is None else max_pixels,
            cache=cache,
            progress=progress,
            **scan,
        )
    for sentence in report.warnings:
        warn(sentence)
    for path in output_paths:
        format = outputs.format_of(path, SUFFIXES)
        outputs.write_whole(path, render(report, format, verbose=True))
    if not quiet or report.groups or report.failures:
        write_stdout(render(report, stdout_format, verbose))
    allowed = 0 if max_failures is None and fail_on_duplicates else max_failures
    reached = fail_on_duplicates and bool(report.groups)
    return exit_code(reached, len(report.failures), allowed)
