"""memscan plot: the report of a scan as a figure for a paper."""

from __future__ import annotations

import click

from memscan.cli import options, outputs
from memscan.cli.process import ExitCode
from memscan.reports.plots import SUFFIXES


@click.command(name="plot", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("audit", metavar="AUDIT.json")
@options.outputs(SUFFIXES, required=True)
def command(audit: str, output_paths: tuple[str, ...]) -> int:
    """Draw what a scan found, from the report of detect --format json.

    One figure, as wide as a column of a paper, with three panels: the closest distance of each
    target with both thresholds, the share of each verdict with its 95 % Clopper-Pearson interval,
    and at each distance the pairs observed and expected by chance.

    Needs matplotlib: pip install 'memscan[report]'
    """
    outputs.check_writable(output_paths, SUFFIXES)
    from memscan.reports import plots, read_back

    report = read_back.read(audit)
    for path in output_paths:
        outputs.write_whole(path, plots.draw(report, outputs.format_of(path, SUFFIXES)))
    return ExitCode.DONE
