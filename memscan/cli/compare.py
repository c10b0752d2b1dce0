"""memscan compare: the distance of two images."""

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
def command(a: str, b: str, hash: str) -> int:
    """Print the hashes of two images, their distance and the verdict on it."""
    from memscan import detection  # numpy and Pillow, not for --help
    from memscan.reports import comparison

    report = detection.detect(a, b, hash=hash)
    for sentence in report.warnings:
        warn(sentence)
    for path, count in ((a, len(report.findings)), (b, report.hashed)):
        if count != 1:
            raise InputError(f"{shown(path)}: it holds {count} images, and compare takes one")
    write_stdout(comparison.render(report))
    return ExitCode.DONE
