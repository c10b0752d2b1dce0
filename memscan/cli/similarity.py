"""memscan similarity: score all targets with all sources by a learned detector."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from memscan.cli import options, outputs
from memscan.cli.gate import exit_code
from memscan.cli.kept import kept_hashes
from memscan.cli.process import note, warn, write_stdout
from memscan.cli.progress import progress_bars
from memscan.sources.stores import shown

if TYPE_CHECKING:
    from memscan.likeness import LikenessReport

_SUFFIXES = {".npz": "npz", ".parquet": "parquet"}  # as in matrix_files, which needs numpy


@click.command(name="similarity", context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--target",
    "targets",
    metavar="PATH",
    multiple=True,
    required=True,
    help="The images under suspicion: an image, a directory or archive of them. Repeatable.",
)
@click.option(
    "--source",
    "sources",
    metavar="PATH",
    multiple=True,
    required=True,
    help="The training images, likewise, or a table of their embeddings. Repeatable.",
)
@options.pair_detector("What the images are compared by.", default="deepssim")
@options.weights
@options.trust_weights
@options.device
@options.outputs(_SUFFIXES)
@click.option(
    "--labels",
    metavar="FILE",
    help="A CSV file of pairs: path_a (a target), path_b (a source), and label (different, "
    "similar, duplicate) or ssim; perhaps split.",
)
@click.option(
    "--heat-maps",
    "folder",
    metavar="DIR",
    help="Draw where the pairs that are shown agree, into an empty directory.",
)
@click.option(
    "--heat-by",
    type=click.Choice(("agreement", "layercam", "occlusion")),
    help="How heat is found  [default: agreement with deepssim, else occlusion]",
)
@click.option(
    "--top",
    metavar="N",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    help="Targets that are shown, the most alike first.",
)
@options.seed("the halves of labelled pairs")
@options.recursive
@options.exclude
@options.follow_symlinks
@options.exclude_self
@options.stdout_format(("text", "json"))
@options.max_failures()
@options.max_pixels
@options.jobs
@options.no_cache
@options.cache_dir
@options.verbose
@options.no_progress
def command(
    targets: tuple[str, ...],
    sources: tuple[str, ...],
    detector: str,
    weights: tuple[str, ...],
    trust_weights: bool,
    device: str,
    output_paths: tuple[str, ...],
    labels: str | None,
    folder: str | None,
    heat_by: str | None,
    top: int,
    seed: int,
    recursive: bool,
    exclude: tuple[str, ...],
    follow_symlinks: bool,
    exclude_self: bool,
    stdout_format: str,
    max_failures: int | None,
    max_pixels: int | None,
    jobs: int | None,
    no_cache: bool,
    cache_dir: str | None,
    verbose: bool,
    no_progress: bool,
) -> int:
    """Score all generated images with all training images by a learned detector.

    Prints the training image most like each generated one, and how many pairs are different,
    similar and duplicates by the cuts of the weights' card, by those that DeepSSIM was published
    with, and by those that are fitted on labelled pairs.

    An output holds the score of every pair: in .npz as the matrix scores (targets x sources) with
    the names in targets and sources; in .parquet as rows of target, source and score.
    """
    outputs.check_writable(output_paths, _SUFFIXES)
    from memscan import decode, engines, networks  # numpy and Pillow, not for --help
    from memscan.detectors import heat_maps
    from memscan.intake import Intake
    from memscan.learned import LearnedEncoder
    from memscan.reports.similarity import render
    from memscan.reports.similarity.text import about_classes
    from memscan.similarity import collecting, comparing, drawing, matrix_files, sizes
    from memscan.sources.directories import Selection

    formats = {path: outputs.format_of(path, _SUFFIXES) for path in output_paths}
    for format in formats.values():
        matrix_files.require(format)
    if folder is not None:
        drawing.require_empty(folder)
    engines.check(jobs)
    opened = networks.open_one(detector, weights, trust=trust_weights, device=device)
    for sentence in networks.lapses(opened, weights):
        warn(sentence)
    encoder = LearnedEncoder(opened, has_cosines=detector in networks.ENCODERS)
    method = heat_maps.choose(encoder.detector, heat_by)
    selection = Selection(recursive, exclude, follow_symlinks)
    limit = decode.MAX_PIXELS if max_pixels is None else max_pixels
    with kept_hashes(no_cache, cache_dir) as cache, progress_bars(not no_progress) as progress:
        intake = Intake(limit, jobs, cache, progress)
        collections = collecting.collect(targets, sources, encoder, selection, intake)
        for path, format in formats.items():
            rows, columns = len(collections.targets.table), len(collections.sources.table)
            sizes.require_room(rows, columns, path, format)
            note(sizes.sentence(rows, columns, path, format))
        report = comparing.compare(
            collections,
            formats,
            labelled=labels,
            exclude_self=exclude_self,
            seed=seed,
            progress=progress,
        )
        _warn(report)
        if folder is not None:
            drawn = drawing.draw(
                report.most_alike[:top],
                encoder.detector,
                folder,
                method,
                about_classes=" ".join(about_classes(report)),
                max_pixels=limit,
                remote_places=collections.remote_places,
                progress=progress,
            )
            lost = sum(one.picture is None for one in drawn)
            note(f"{folder}: {len(drawn) - lost} pairs were drawn; index.html shows them")
            if lost:
                warn(f"{lost} pairs could not be drawn; {drawing.INDEX} says why")
    write_stdout(render(report, stdout_format, top, verbose))
    return exit_code(False, len(report.target_failures) + len(report.source_failures), max_failures)


def _warn(report: LikenessReport) -> None:
    for sentence in report.warnings:
        warn(sentence)
    inside = report.targets_in_source
    if inside:
        warn(
            f"targets that lie in the source match themselves: {len(inside)}, "
            f"first {shown(inside[0])} (--exclude-self leaves each out of its own comparison)"
        )
