"""memscan calibrate: the cuts of a learned detector, from pairs that are labelled."""

from __future__ import annotations

import click

from memscan.cli import options, outputs
from memscan.cli.gate import exit_code
from memscan.cli.process import ExitCode, note, write_stdout
from memscan.cli.progress import progress_bars
from memscan.errors import InputError


@click.command(name="calibrate", context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--weights",
    metavar="FILE",
    required=True,
    help="The weights of the detector; the cuts go into the card beside them.",
)
@click.option(
    "--pairs", metavar="FILE", help="A CSV file of pairs: path_a, path_b, label, perhaps split."
)
@options.identities
@options.images
@click.option("--edits", metavar="NAME,...", default="", help="Edits of --images  [eight of them]")
@click.option(
    "--rate",
    type=click.FLOAT,
    default=1e-4,
    show_default=True,
    help="Share of unrelated pairs that may pass for duplicates.",
)
@click.option(
    "--similar-rate",
    type=click.FLOAT,
    help="Share that may pass for similar  [default: ten times --rate]",
)
@click.option("--dry-run", is_flag=True, help="Say what the card would hold, and write nothing.")
@options.device
@options.trust_weights
@options.recursive
@options.exclude
@options.follow_symlinks
@options.stdout_format(("text", "json"))
@click.option(
    "--max-failures",
    metavar="N",
    type=click.IntRange(min=0),
    help="Write no card, and exit with 3, if more images cannot be read  [default: no limit]",
)
@options.max_pixels
@options.jobs
@options.verbose
@options.no_progress
def command(
    weights: str,
    pairs: str | None,
    identities: str | None,
    images: tuple[str, ...],
    edits: str,
    rate: float,
    similar_rate: float | None,
    dry_run: bool,
    device: str,
    trust_weights: bool,
    recursive: bool,
    exclude: tuple[str, ...],
    follow_symlinks: bool,
    stdout_format: str,
    max_failures: int | None,
    max_pixels: int | None,
    jobs: int | None,
    verbose: bool,
    no_progress: bool,
) -> int:
    """Fit the cuts of a learned detector at a false-positive rate.

    A pair scores as a duplicate or as similar from a cut on. The cuts are the smallest that let
    pass no more than the given shares of unrelated pairs; they go into the card of the weights,
    with what they were fitted on, and findings then count for more than a review.

    Of lists with a column split, rows of calibration (or val) are fitted on, those of reported (or
    test) are the check, others are left out. Of --images, each pair of two images is unrelated, and
    their edited versions are the copies to find.
    """
    if sum([pairs is not None, identities is not None, bool(images)]) != 1:
        raise InputError("give one of --pairs, --identities and --images")
    if edits and not images:
        raise InputError("--edits goes with --images: labelled images are taken as they are")
    from memscan import decode  # numpy, Pillow and perhaps torch, not for --help
    from memscan.detectors import cards
    from memscan.detectors.opening import open_detector
    from memscan.detectors.weights import read_bytes
    from memscan.evaluation import cuts
    from memscan.reports import calibration

    path = cards.path_of(weights)
    if not dry_run:
        outputs.check_replaceable(path)
    detector = open_detector(weights, device=device, trust=trust_weights)
    with progress_bars(not no_progress) as progress:
        request = cuts.Request(
            rate=rate,
            similar_rate=min(10 * rate, 0.5) if similar_rate is None else similar_rate,
            max_pixels=decode.MAX_PIXELS if max_pixels is None else max_pixels,
            jobs=jobs,
            progress=progress,
        )
        if pairs is not None:
            fitted = cuts.fit_pairs(detector, pairs, request)
        elif identities is not None:
            fitted = cuts.fit_identities(detector, identities, request)
        else:
            fitted = cuts.fit_edits(
                detector,
                images,
                request,
                edits=[word.strip() for word in edits.split(",") if word.strip()] or cuts.EDITS,
                recursive=recursive,
                exclude=exclude,
                follow_symlinks=follow_symlinks,
            )
    sha256 = cards.require_hash(weights, detector.card, read_bytes(weights))
    card = fitted.written_into(detector.card, sha256)
    write_stdout(calibration.render(fitted, card, weights, stdout_format, verbose))
    code = exit_code(False, len(fitted.failures), max_failures)
    if code == ExitCode.DONE and not dry_run:
        outputs.write_whole(path, card.text())
        note(f"The cuts stand in {path}")
    return code
