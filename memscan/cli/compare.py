"""memscan compare: the distance of two images."""

from __future__ import annotations

import click

from memscan.cli import options
from memscan.cli.process import ExitCode, write_stdout


@click.command(name="compare", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("a", metavar="A", type=click.Path(dir_okay=False))
@click.argument("b", metavar="B", type=click.Path(dir_okay=False))
@options.hash
def command(a: str, b: str, hash: str) -> int:
    """Print the hashes of two images, their distance and the verdict on it."""
    from memscan import detection  # numpy and Pillow, not for --help
    from memscan.reports import comparison

    write_stdout(comparison.render(detection.detect(a, b, hash=hash)))
    return ExitCode.DONE
