"""memscan detect: compare targets with a source."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING, Any

import click

from memscan import __version__
from memscan.cli import outputs
from memscan.cli.places import cache_directory
from memscan.cli.process import ExitCode, complain, note, warn, write_stdout
from memscan.cli.progress import progress_bars

if TYPE_CHECKING:
    from memscan.baseline import Baseline
    from memscan.cache import Cache
    from memscan.records import Report

_LEVELS = ("identical", "near-duplicate", "review")


@click.command(name="detect", context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--target",
    "targets",
    metavar="PATH",
    multiple=True,
    required=True,
    help="The image under suspicion, or a directory of them. Repeatable.",
)
@click.option(
    "--source",
    "sources",
    metavar="PATH",
    multiple=True,
    required=True,
    help="The training images: a directory or an image. Repeatable; a file counts once.",
)
@click.option("-r", "--recursive", is_flag=True, help="Search directories at every depth.")
@click.option(
    "--exclude",
    metavar="GLOB",
    multiple=True,
    help="Leave out what matches below a given directory; * matches / too. Repeatable.",
)
@click.option("--follow-symlinks", is_flag=True, help="Enter directories behind links.")
@click.option(
    "--exclude-self",
    is_flag=True,
    help="Do not compare a target with the source image that is the same file.",
)
@click.option(
    "--near-threshold",
    metavar="BITS",
    type=click.IntRange(0, 64),
    default=5,
    show_default=True,
    help="Largest distance of a Near-Duplicate.",
)
@click.option(
    "--distinct-threshold",
    metavar="BITS",
    type=click.IntRange(0, 64),
    default=10,
    show_default=True,
    help="Largest distance that is still worth a review.",
)
@click.option(
    "--top-k",
    metavar="N",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="List the N closest matches.",
)
@click.option(
    "--format",
    "stdout_format",
    type=click.Choice(["text", "json", "jsonl", "csv", "junit"]),
    default="text",
    show_default=True,
    help="What is printed on stdout.",
)
@click.option(
    "--output",
    "output_paths",
    metavar="FILE",
    multiple=True,
    help="Write the report to FILE too, as .txt, .json, .jsonl, .csv or .xml. Repeatable.",
)
@click.option(
    "--fail-on",
    type=click.Choice(_LEVELS),
    help="Exit with 1 if a target reaches this level; each includes the ones before it.",
)
@click.option(
    "--baseline",
    "baseline_path",
    metavar="FILE",
    help="Accepted findings, which --fail-on passes over.",
)
@click.option(
    "--update-baseline",
    is_flag=True,
    help="Accept what this scan finds: add it to the baseline.",
)
@click.option(
    "--holdout",
    metavar="PATH",
    multiple=True,
    help="Images that the model never saw, for a second rate to compare with. Repeatable.",
)
@click.option(
    "--max-failures",
    metavar="N",
    type=click.IntRange(min=0),
    help="Exit with 3 if more images cannot be read  [default: 0 with --fail-on, else no limit]",
)
@click.option(
    "--max-pixels",
    metavar="N",
    type=click.IntRange(min=1),
    help="Refuse images with more pixels  [default: 178956970, as Pillow does]",
)
@click.option("--jobs", metavar="N", type=click.IntRange(1, 1024), help="Threads  [default: cores]")
@click.option(
    "--fast",
    is_flag=True,
    help="Decode JPEG sources at reduced scale; what comes close is hashed again exactly.",
)
@click.option("--no-cache", is_flag=True, help="Neither use nor fill the cache of hashes.")
@click.option(
    "--cache-dir",
    metavar="DIR",
    help="Where the cache lies  [default: MEMSCAN_CACHE_DIR or the user's cache directory]",
)
@click.option("--quiet", is_flag=True, help="Print the report only if it needs attention.")
@click.option("--verbose", is_flag=True, help="Name each source image that cannot be read.")
@click.option("--no-progress", is_flag=True, help="Draw no progress bar.")
@click.version_option(__version__, prog_name="memscan", message="%(prog)s %(version)s")
def command(
    targets: tuple[str, ...],
    sources: tuple[str, ...],
    stdout_format: str,
    output_paths: tuple[str, ...],
    fail_on: str | None,
    baseline_path: str | None,
    update_baseline: bool,
    max_failures: int | None,
    max_pixels: int | None,
    no_cache: bool,
    cache_dir: str | None,
    quiet: bool,
    verbose: bool,
    no_progress: bool,
    **options: Any,
) -> int:
    """Find the training image that is closest to each generated image.

    \b
    Verdicts, by the Hamming distance of 64-bit perceptual hashes:
      Identical       0
      Near-Duplicate  1 to 5
      Distinct        6 and more; 6 to 10 is inconclusive and worth a review

    Exit codes: 0 done, 1 --fail-on was reached, 2 unusable input, 3 too many unreadable images,
    70 internal error or unwritable output, 130 interrupted, 143 terminated.
    """  # noqa: D301 (the escape is how click keeps lines)
    outputs.check_writable(output_paths)
    if update_baseline:
        _check_updatable(baseline_path)
    from memscan import decode, detection, reports  # numpy and Pillow, not for --help
    from memscan.cache import Cache
    from memscan.records import Level

    baseline = _baseline(baseline_path, update_baseline)
    cache = None if no_cache else Cache(cache_dir or cache_directory())
    with progress_bars(not no_progress) as progress:
        report = detection.detect(
            targets,
            sources,
            max_pixels=decode.MAX_PIXELS if max_pixels is None else max_pixels,
            baseline=baseline,
            cache=cache,
            progress=progress,
            **options,
        )
    if cache is not None:
        cache.close()
    _warn(report, cache)
    if update_baseline and baseline is not None:
        report = _accept_all(report, baseline)
    gate = Level(fail_on or Level.NEAR_DUPLICATE)
    for path in output_paths:
        style = reports.Style(verbose=True, gate=gate)
        outputs.write_whole(path, reports.render(report, outputs.format_of(path), style))
    if not quiet or _needs_attention(report):
        style = reports.Style(verbose=verbose, gate=gate)
        write_stdout(reports.render(report, stdout_format, style))
    return _exit_code(report, fail_on, max_failures)


def _check_updatable(path: str | None) -> None:
    if path is None:
        raise click.UsageError("--update-baseline needs --baseline FILE")
    outputs.check_replaceable(path)


def _baseline(path: str | None, may_be_missing: bool) -> Baseline | None:
    if path is None:
        return None
    from memscan.baseline import Baseline

    if may_be_missing and not os.path.lexists(path):
        return Baseline(path)
    return Baseline.read(path)


def _accept_all(report: Report, baseline: Baseline) -> Report:
    """The report with everything accepted, after the baseline was written."""
    grown = baseline.updated(report.findings)
    outputs.write_whole(grown.path, grown.text())
    added = len(grown.entries) - len(baseline.entries)
    note(f"{added} pairs were added to the baseline {grown.path}")
    return dataclasses.replace(report, findings=grown.accept(report.findings))


def _warn(report: Report, cache: Cache | None) -> None:
    if cache is not None and cache.trouble:
        warn(cache.trouble)
    inside = report.targets_in_source
    if inside:
        warn(
            f"targets that lie in the source match themselves: {len(inside)}, first {inside[0]} "
            "(--exclude-self leaves each out of its own comparison)"
        )


def _needs_attention(report: Report) -> bool:
    from memscan.records import Level
    from memscan.verdicts import reaches

    found = any(reaches(finding, Level.REVIEW) for finding in report.findings)
    return found or bool(report.failures)


def _exit_code(report: Report, fail_on: str | None, max_failures: int | None) -> int:
    """What a pipeline reads: unusable input before a leak, a leak before an incomplete scan."""
    from memscan.records import Level
    from memscan.verdicts import reaches

    for failure in report.named_failures:
        complain(f"{failure.path}: {failure.message}")
    if report.named_failures:
        return ExitCode.UNUSABLE_INPUT
    if fail_on and any(reaches(finding, Level(fail_on)) for finding in report.findings):
        return ExitCode.REFUSED
    allowed = 0 if max_failures is None and fail_on else max_failures
    if allowed is not None and len(report.failures) > allowed:
        complain(
            f"{len(report.failures)} images could not be read, --max-failures allows {allowed}; "
            "the scan is incomplete"
        )
        return ExitCode.INCOMPLETE
    return ExitCode.DONE
