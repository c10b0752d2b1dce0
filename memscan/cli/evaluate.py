"""memscan evaluate: how much a detector finds, and what it takes for a copy that is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from memscan.cli import options, outputs
from memscan.cli.gate import exit_code
from memscan.cli.process import ExitCode, write_stdout
from memscan.cli.progress import progress_bars
from memscan.errors import InputError
from memscan.reports.evaluation import FORMATS, SUFFIXES, Pictures, Style, render, require

if TYPE_CHECKING:
    from memscan.evaluation.benchmark import Request
    from memscan.scorecard import Scorecard


@click.command(name="evaluate", context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--images", metavar="PATH", multiple=True, help="A directory of images to edit. Repeatable."
)
@click.option("--pairs", metavar="FILE", help="A CSV file of pairs: path_a, path_b, label (1, 0).")
@click.option(
    "--identities", metavar="FILE", help="A CSV file of images: path, id and perhaps split."
)
@click.option(
    "--detectors",
    metavar="NAME,...",
    default="phash",
    show_default=True,
    help="What is evaluated: phash, dhash, phash-256, pdq; with views as in phash+training.",
)
@click.option("--edits", metavar="NAME,...", default="", help="Edits or groups of them  [all]")
@click.option("--list-edits", is_flag=True, help="Print the edits by groups, and end.")
@click.option(
    "--seed", metavar="N", type=click.IntRange(min=0), default=0, show_default=True,
    help="What decides the halves, the edits' chances and the intervals.",
)  # fmt: skip
@click.option(
    "--limit", metavar="N", type=click.IntRange(min=4), help="Evaluate N of the images, drawn."
)
@options.recursive
@options.exclude
@options.follow_symlinks
@options.stdout_format(FORMATS)
@options.outputs(SUFFIXES)
@click.option(
    "--max-failures",
    metavar="N",
    type=click.IntRange(min=0),
    help="Exit with 3 if more images cannot be read  [default: no limit]",
)
@options.max_pixels
@options.jobs
@click.option("--verbose", is_flag=True, help="Name each image that cannot be read.")
@options.no_progress
def command(
    images: tuple[str, ...],
    pairs: str | None,
    identities: str | None,
    detectors: str,
    edits: str,
    list_edits: bool,
    seed: int,
    limit: int | None,
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
    """Measure how well detectors find images that were edited.

    Each image of --images is edited in some 70 ways, from recompression to chains of edits, and
    looked for among the unedited ones. Half of the images, drawn by the seed, fit the thresholds;
    all numbers come from the other half. Ties count against the detector.

    --pairs and --identities take images that are labelled already, with paths relative to the
    list, and edit nothing.
    """
    if list_edits:
        write_stdout(_edits())
        return ExitCode.DONE
    given = [bool(images), pairs is not None, identities is not None]
    if sum(given) != 1:
        raise InputError("give one of --images, --pairs and --identities")
    outputs.check_writable(output_paths, SUFFIXES)
    formats = {outputs.format_of(path, SUFFIXES) for path in output_paths} | {stdout_format}
    for format in formats:
        require(format)
    from memscan import decode  # numpy and Pillow, not for --help
    from memscan.evaluation import benchmark

    with progress_bars(not no_progress) as progress:
        request = benchmark.Request(
            detectors=_words(detectors),
            seed=seed,
            max_pixels=decode.MAX_PIXELS if max_pixels is None else max_pixels,
            jobs=jobs,
            progress=progress,
        )
        if pairs is not None:
            card = benchmark.evaluate_pairs(pairs, request)
        elif identities is not None:
            card = benchmark.evaluate_identities(identities, request)
        else:
            card = benchmark.evaluate_edits(
                images,
                request,
                edits=_words(edits),
                limit=limit,
                recursive=recursive,
                exclude=exclude,
                follow_symlinks=follow_symlinks,
            )
        drawn = _pictures(card, request) if "html" in formats else {}
    shown = render(card, stdout_format, Style(verbose, drawn))
    whole = {format: render(card, format, Style(True, drawn)) for format in formats}
    for path in output_paths:
        outputs.write_whole(path, whole[outputs.format_of(path, SUFFIXES)])
    write_stdout(shown)
    return exit_code(False, len(card.failures), max_failures)


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _edits() -> str:
    from memscan.evaluation.edits import EDITS

    return "".join(f"{edit.group:12} {edit.name:18} {edit.description}\n" for edit in EDITS)


def _pictures(card: Scorecard, request: Request) -> Pictures:
    from memscan.evaluation import gallery

    return gallery.pictures(card, request.max_pixels, request.jobs)
