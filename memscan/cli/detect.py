"""memscan detect: compare targets with a source."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING, Any

import click

from memscan import __version__
from memscan.cli import options, outputs
from memscan.cli.gate import exit_code
from memscan.cli.kept import kept_hashes
from memscan.cli.lists import lists
from memscan.cli.process import ExitCode, complain, note, warn, write_stdout
from memscan.cli.progress import progress_bars
from memscan.reports import FORMATS, SUFFIXES
from memscan.sources.stores import shown

if TYPE_CHECKING:
    from memscan.baseline import Baseline
    from memscan.networks import Networks
    from memscan.report import Report

_VIEWS = ("plain", "training", "thorough")
_LEVELS = ("identical", "near-duplicate", "review")


@click.command(name="detect", context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--target",
    "targets",
    metavar="PATH",
    multiple=True,
    required=True,
    help="The image under suspicion, or a directory, archive or Parquet file of them. Repeatable.",
)
@click.option(
    "--source",
    "sources",
    metavar="PATH",
    multiple=True,
    help="The training images: a directory, image, archive, Parquet file, table of hashes, URL or "
    "pattern. Repeatable; a file counts once.",
)
@options.files_from
@options.nul
@click.option(
    "--hash-column",
    metavar="NAME",
    help="Read Parquet and CSV sources as hashes that others made, in this column.",
)
@options.recursive
@options.exclude
@options.follow_symlinks
@options.exclude_self
@options.hash
@options.detector
@options.verify
@options.weights
@options.trust_weights
@options.device
@click.option(
    "--near-threshold",
    metavar="BITS",
    type=click.IntRange(0, 256),
    help="Largest distance of a Near-Duplicate  [default: 5 with phash]",
)
@click.option(
    "--distinct-threshold",
    metavar="BITS",
    type=click.IntRange(0, 256),
    help="Largest distance that is still worth a review  [default: 10 with phash]",
)
@click.option(
    "--views",
    type=click.Choice(_VIEWS),
    default="plain",
    show_default=True,
    help="Compare mirrored and cropped renderings of the images too.",
)
@click.option(
    "--top-k",
    metavar="N",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="List the N closest matches.",
)
@options.stdout_format(FORMATS)
@options.outputs(SUFFIXES)
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
@options.max_failures(gate="--fail-on")
@options.engine
@options.address
@options.max_pixels
@options.jobs
@click.option(
    "--fast",
    is_flag=True,
    help="Decode JPEG sources at reduced scale; what comes close is hashed again exactly.",
)
@options.no_cache
@options.cache_dir
@options.quiet
@click.option(
    "--verbose",
    is_flag=True,
    help="Name each source image that cannot be read, and show chance levels.",
)
@options.no_progress
@click.version_option(__version__, prog_name="memscan", message="%(prog)s %(version)s")
def command(
    targets: tuple[str, ...],
    sources: tuple[str, ...],
    files_from: tuple[str, ...],
    nul: bool,
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
    detector: str | None,
    verify: str | None,
    weights: tuple[str, ...],
    trust_weights: bool,
    device: str,
    **scan: Any,
) -> int:
    """Find the training image that is closest to each generated image.

    \b
    Verdicts, by the Hamming distance of 64-bit perceptual hashes (the README has the thresholds of
    other hashes):
      Identical       0
      Near-Duplicate  1 to 5
      Distinct        6 and more; 6 to 10 is inconclusive and worth a review

    Exit codes: 0 done, 1 --fail-on was reached, 2 unusable input, 3 too many unreadable images,
    70 internal error or unwritable output, 130 interrupted, 143 terminated.
    """  # noqa: D301 (the escape is how click keeps lines)
    if not sources and not files_from:
        raise click.UsageError("Missing option '--source'.")
    options.refuse_hash_beside(detector)
    outputs.check_writable(output_paths)
    _check_baseline(baseline_path, update_baseline, output_paths)
    from memscan import decode, detection, reports  # numpy and Pillow, not for --help
    from memscan.networks import open_networks
    from memscan.records import Level

    for format in (stdout_format, *map(outputs.format_of, output_paths)):
        reports.require(format)
    networks = open_networks(detector, verify, weights, trust=trust_weights, device=device)
    baseline = _baseline(baseline_path, update_baseline, scan["hash"], networks)
    with kept_hashes(no_cache, cache_dir) as cache, progress_bars(not no_progress) as progress:
        report = detection.detect(
            targets,
            sources,
            max_pixels=decode.MAX_PIXELS if max_pixels is None else max_pixels,
            baseline=baseline,
            files_from=lists(files_from, nul),
            networks=networks,
            cache=cache,
            progress=progress,
            **scan,
        )
    _warn(report)
    grown = baseline.updated(report.findings) if update_baseline and baseline else None
    if grown is not None:
        report = dataclasses.replace(report, findings=grown.accept(report.findings))
    gate = Level(fail_on or Level.NEAR_DUPLICATE)
    for path in output_paths:
        style = reports.Style(verbose=True, gate=gate)
        outputs.write_whole(path, reports.render(report, outputs.format_of(path), style))
    if not quiet or _needs_attention(report):
        style = reports.Style(verbose=verbose, gate=gate)
        write_stdout(reports.render(report, stdout_format, style))
    code = _exit_code(report, fail_on, max_failures)
    if grown is not None and code is not ExitCode.UNUSABLE_INPUT:
        _write_baseline(grown)  # last: nothing is accepted that was not shown
    return code


def _check_baseline(path: str | None, update: bool, output_paths: tuple[str, ...]) -> None:
    if path is None:
        if update:
            raise click.UsageError("--update-baseline needs --baseline FILE")
        return
    if os.path.realpath(path) in map(os.path.realpath, output_paths):
        raise click.UsageError(f"{path}: given as the baseline and as an output")
    if update:
        outputs.check_replaceable(path)


def _baseline(
    path: str | None, may_be_missing: bool, hash: str, networks: Networks
) -> Baseline | None:
    if path is None:
        return None
    from memscan import encoders
    from memscan.baseline import Baseline

    bits, learned = 64 * encoders.choose(hash).words, networks.encoder
    fresh = Baseline(path, (), hash, bits, learned.detector.fingerprint if learned else None)
    return _read_again(fresh, may_be_missing)


def _read_again(baseline: Baseline, may_be_missing: bool) -> Baseline:
    """What the file of a baseline of this kind holds now."""
    if may_be_missing and not os.path.exists(baseline.path):
        return dataclasses.replace(baseline, entries=())
    return baseline.read(baseline.path, baseline.hash, baseline.hash_bits, baseline.detector)


def _write_baseline(grown: Baseline) -> None:
    """Write what was accepted, with what another scan may have accepted meanwhile."""
    known = _read_again(grown, True)
    merged = known.with_entries(grown.entries)
    outputs.write_whole(merged.path, merged.text())
    added = len(merged.entries) - len(known.entries)
    note(
        f"{added} {'pair was' if added == 1 else 'pairs were'} added to the baseline {merged.path}"
    )


def _warn(report: Report) -> None:
    for sentence in report.warnings:
        warn(sentence)
    inside = report.targets_in_source
    if inside:
        warn(
            f"targets that lie in the source or holdout match themselves: {len(inside)}, "
            f"first {shown(inside[0])} "
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
        complain(f"{shown(failure.path)}: {failure.message}")
    if report.named_failures:
        return ExitCode.UNUSABLE_INPUT
    reached = any(reaches(finding, Level(fail_on)) for finding in report.findings if fail_on)
    allowed = 0 if max_failures is None and fail_on else max_failures
    if any(failure.is_shard for failure in report.failures) and not reached:
        return ExitCode.INCOMPLETE
    return exit_code(reached, len(report.failures), allowed)
