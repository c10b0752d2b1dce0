"""The result of a protocol as one HTML file that opens offline and runs no script."""

from __future__ import annotations

from memscan.protocols import Comparison
from memscan.reports import charts, templating
from memscan.reports.protocols import lines, wording

MAX_FAILURES = 1000
"""Failures that the page lists; it says how many more there are."""

CHARTED = "recall"
"""The column that is drawn over the strengths of edits."""


def render(comparison: Comparison, verbose: bool) -> str:
    """The whole result, however verbose."""
    environment = templating.environment()
    css = templating.text("page.css", "evaluation.css")
    return environment.get_template("protocol.html").render(
        comparison=comparison,
        css=css,
        policy=templating.policy(css),
        wording=wording,
        chart=charts,
        charts=lines.charts(comparison, CHARTED),
        verdicts=list(wording.verdicts(comparison)),
        failures=comparison.failures[:MAX_FAILURES],
    )
