"""memscan train: networks from images."""

from __future__ import annotations

import click

from memscan.cli import train_autoencoder, train_deepssim, train_lcmem, train_ldm


@click.group(name="train", context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Train a detector, or what it works on, from your own images (extra learned)."""


command.add_command(train_deepssim.command)
command.add_command(train_autoencoder.command)
command.add_command(train_lcmem.command)
command.add_command(train_ldm.command)
