"""memscan compare: the distance, or the score, of two images."""

from __future__ import annotations

import click

from memscan.cli import options
from memscan.cli.process import ExitCode, warn, write_stdout
from memscan.errors import InputError
from memscan.sources.stores import shown


@click.command(name="compare", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("a", metavar="A", type=click.Path(dir_okay=False))
@click.argument("b", metavar="B", type=click.Path(dir_okay=False))
@options.hash
@options.pair_detector("Score the pair by a learned detector (extra learned); needs --weights.")
@options.weights
@options.trust_weights
@options.device
def command(
    a: str,
    b: str,
    hash: str,
    detector: str | None,
    weights: tuple[str, ...],
    trust_weights: bool,
    device: str,
) -> int:
    """Print the hashes of two images, their distance and the verdict on it.

    With a learned detector, print its score, the cuts on its card and the verdict by them.
    """
    options.refuse_hash_beside(detector)
    from memscan import detection, networks  # numpy and Pillow, not for --help
    from memscan.reports import comparison

    if detector is not None:
        from memscan import confirmation
        from memscan.learned import network_of

        network = networks.open_one(detector, weights, trust=trust_weights, device=device)
        for sentence in networks.lapses(network, weights):
            warn(sentence)
        score = confirmation.score(network, a, b)
        write_stdout(comparison.render_score(a, b, score, network_of(network)))
        return ExitCode.DONE
    networks.require_none(weights)
    report = detection.detect(a, b, hash=hash)
    for sentence in report.warnings:
        warn(sentence)
    for path, count in ((a, len(report.findings)), (b, report.hashed)):
        if count != 1:
            raise InputError(f"{shown(path)}: it holds {count} images, and compare takes one")
    write_stdout(comparison.render(report))
    return ExitCode.DONE
