"""Learned detectors on the command line."""

from __future__ import annotations

import click
from click.core import ParameterSource


def refuse_hash_beside(detector: str | None) -> None:
    """Raise UsageError if a hash was asked for beside a learned detector."""
    source = click.get_current_context().get_parameter_source("hash")
    if detector is not None and source is not ParameterSource.DEFAULT:
        raise click.UsageError("--detector and --hash exclude each other")
