"""The command line: each command parses its options, makes one call and writes the result."""

from __future__ import annotations

import click

from memscan import __version__
from memscan.cli import (
    cache,
    calibrate,
    compare,
    demo,
    detect,
    duplicates,
    evaluate,
    index,
    latents,
    plot,
    probe,
    sample,
    similarity,
    train,
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, invoke_without_command=True)
@click.version_option(__version__, prog_name="memscan", message="%(prog)s %(version)s")
@click.pass_context
def memscan(context: click.Context) -> None:
    """Did a generative model copy its training images?"""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


memscan.add_command(detect.command)
memscan.add_command(duplicates.command)
memscan.add_command(similarity.command)
memscan.add_command(probe.command)
memscan.add_command(index.command)
memscan.add_command(evaluate.command)
memscan.add_command(latents.command)
memscan.add_command(train.command)
memscan.add_command(sample.command)
memscan.add_command(calibrate.command)
memscan.add_command(plot.command)
memscan.add_command(cache.command)
memscan.add_command(compare.command)
memscan.add_command(demo.command)
