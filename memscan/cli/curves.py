"""The option --plot of trainings: their learning curves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from memscan.cli import outputs
from memscan.reports import plots

if TYPE_CHECKING:
    from memscan.cli.options import Option
    from memscan.detectors.training import Run

plot: Option[Any] = click.option(
    "--plot", metavar="FILE", help="Draw the learning curves, as .png, .pdf or .svg."
)


def check(path: str | None) -> None:
    """Raise before any work what would keep the figure from being written."""
    if path is not None:
        outputs.check_writable([path], plots.SUFFIXES)
        plots.require_matplotlib()


def write(path: str | None, run: Run) -> None:
    """Draw a run, if that was asked for."""
    if path is not None:
        format = outputs.format_of(path, plots.SUFFIXES)
        drawn = plots.draw_learning_curves(run.epochs, run.best, format)
        outputs.write_whole(path, drawn)
