"""The command line: each command parses its options, makes one call and writes the result."""

from __future__ import annotations

import importlib

import click

from memscan import __version__

_COMMANDS = (
    "attribute",
    "blank",
    "cache",
    "calibrate",
    "compare",
    "demo",
    "detect",
    "duplicates",
    "evaluate",
    "index",
    "latents",
    "lineage",
    "plot",
    "probe",
    "sample",
    "similarity",
    "train",
)


class _Commands(click.Group):
    """Modules of this package, each imported when its command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"{__name__}.{cmd_name}").command
        return command


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    invoke_without_command=True,
)
@click.version_option(__version__, prog_name="memscan", message="%(prog)s %(version)s")
@click.pass_context
def memscan(context: click.Context) -> None:
    """Did a generative model copy its training images?"""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
