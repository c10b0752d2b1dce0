"""memscan evaluate: how much a detector finds, and what it takes for a copy that is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import click

from memscan.cli import options, outputs
from memscan.cli.gate import exit_code
from memscan.cli.process import ExitCode, write_stdout
from memscan.cli.progress import progress_bars
from memscan.errors import InputError
from memscan.reports.evaluation import FORMATS, SUFFIXES, Pictures, Style, render, require

if TYPE_CHECKING:
    from memscan.evaluation.request import Request
    from memscan.protocols import Comparison
    from memscan.scorecard import Scorecard
    from memscan.sources.directories import Selection


@click.command(name="evaluate", context_settings={"help_option_names": ["-h", "--help"]})
@options.images
@click.option("--pairs", metavar="FILE", help="A CSV file of pairs: path_a, path_b, label (1, 0).")
@options.identities
@click.option(
    "--protocol",
    type=click.Choice(("reidentification", "robustness", "classes")),
    help="Measure as the papers of LCMem and DeepSSIM did.",
)
@click.option(
    "--detectors",
    metavar="NAME,...",
    default="phash",
    show_default=True,
    help="What is evaluated: phash, dhash, phash-256, pdq; with views as in phash+training; mse, "
    "ncc, ssim, fsim; random; deepssim, lcmem, encoder with --weights.",
)
@options.weights
@options.trust_weights
@options.device
@click.option("--edits", metavar="NAME,...", default="", help="Edits or groups of them  [all]")
@click.option("--list-edits", is_flag=True, help="Print the edits by groups, and end.")
@options.seed("the halves, the edits' chances and the intervals")
@click.option(
    "--limit", metavar="N", type=click.IntRange(min=4), help="Evaluate N of the images, drawn."
)
@options.recursive
@options.exclude
@options.follow_symlinks
@options.stdout_format(FORMATS)
@options.outputs(SUFFIXES)
@options.max_failures()
@options.max_pixels
@options.jobs
@options.verbose
@options.no_progress
def command(
    images: tuple[str, ...],
    pairs: str | None,
    identities: str | None,
    protocol: str | None,
    detectors: str,
    weights: tuple[str, ...],
    trust_weights: bool,
    device: str,
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

    --protocol robustness compares each image with itself and with another one under six edits at
    four strengths; classes sorts pairs by how alike they are, aligned and misaligned;
    reidentification tells images of one identity from others, or overlapping parts of images where
    there are no identities. All detectors are in one table.
    """
    if list_edits:
        write_stdout(_edits())
        return ExitCode.DONE
    given = [bool(images), pairs is not None, identities is not None]
    if sum(given) != 1:
        raise InputError("give one of --images, --pairs and --identities")
    if protocol is not None and (pairs is not None or edits):
        raise InputError("--pairs and --edits are not for a protocol, which makes its own")
    if limit is not None and not images:
        raise InputError("--limit is for --images: of a list, everything is evaluated")
    outputs.check_writable(output_paths, SUFFIXES)
    formats = {outputs.format_of(path, SUFFIXES) for path in output_paths} | {stdout_format}
    for format in formats:
        require(format)
    from memscan import decode  # numpy and Pillow, not for --help
    from memscan.evaluation import benchmark
    from memscan.evaluation.learned_detectors import Weights
    from memscan.evaluation.request import Request
    from memscan.sources.directories import Selection

    with progress_bars(not no_progress) as progress:
        request = Request(
            detectors=_words(detectors),
            weights=Weights(weights, device, trust_weights),
            seed=seed,
            max_pixels=decode.MAX_PIXELS if max_pixels is None else max_pixels,
            jobs=jobs,
            progress=progress,
        )
        if protocol is not None:
            selection = Selection(recursive, exclude, follow_symlinks)
            made = _by_protocol(protocol, request, images, identities, limit, selection)
            rendered = _tables(made, stdout_format, formats, verbose)
        else:
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
            rendered = _card(card, request, stdout_format, formats, verbose)
    for path in output_paths:
        outputs.write_whole(path, rendered.whole[outputs.format_of(path, SUFFIXES)])
    write_stdout(rendered.shown)
    return exit_code(False, rendered.failures, max_failures)


class _Rendered(NamedTuple):
    """What is printed, the content of files by their format, and how much could not be read."""

    shown: str
    whole: dict[str, str]
    failures: int


def _by_protocol(
    protocol: str,
    request: Request,
    paths: tuple[str, ...],
    identities: str | None,
    limit: int | None,
    selection: Selection,
) -> Comparison:
    from memscan.evaluation.protocols import reidentification, robustness, three_classes
    from memscan.evaluation.protocols.images import Images

    evaluate = {
        "reidentification": reidentification.evaluate_reidentification,
        "robustness": robustness.evaluate_robustness,
        "classes": three_classes.evaluate_classes,
    }[protocol]
    if identities is not None:
        return evaluate(Images.listed(identities), request)
    found = Images.found(paths, request.seed, selection=selection, limit=limit)
    return evaluate(found, request)


def _tables(made: Comparison, format: str, formats: set[str], verbose: bool) -> _Rendered:
    from memscan.reports import protocols

    whole = {name: protocols.render(made, name, True) for name in formats}
    return _Rendered(protocols.render(made, format, verbose), whole, len(made.failures))


def _card(
    card: Scorecard, request: Request, format: str, formats: set[str], verbose: bool
) -> _Rendered:
    drawn = _pictures(card, request) if "html" in formats else {}
    whole = {name: render(card, name, Style(True, drawn)) for name in formats}
    return _Rendered(render(card, format, Style(verbose, drawn)), whole, len(card.failures))


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _edits() -> str:
    from memscan.evaluation.edits import EDITS

    return "".join(f"{edit.group:12} {edit.name:18} {edit.description}\n" for edit in EDITS)


def _pictures(card: Scorecard, request: Request) -> Pictures:
    from memscan.evaluation import gallery

    return gallery.pictures(card, request.max_pixels, request.jobs)
