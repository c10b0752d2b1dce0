"""Which models are related, as one HTML file that opens offline and runs no script."""

from __future__ import annotations

from memscan.evidence.areas import Area
from memscan.kinship import Kind, LineageReport
from memscan.reports import templating
from memscan.reports.lineage import wording

MAX_FAILURES, MAX_RELATIONS = 1000, 1000
"""What the page lists of each; it says how many more there are."""

SHADES = 10
"""Colours of cells, by tenths of the area."""


def render(report: LineageReport, verbose: bool) -> str:
    """The whole report, however verbose."""
    environment = templating.environment()
    css = templating.text("page.css", "lineage.css")
    related = {(one.first, one.second) for one in report.of_kind(Kind.RELATED)}
    return environment.get_template("lineage.html").render(
        report=report,
        css=css,
        policy=templating.policy(css),
        wording=wording,
        shade=shade,
        related=related | {(second, first) for first, second in related},
        kinds={kind: report.of_kind(kind) for kind in Kind},
        relations=MAX_RELATIONS,
        failures=report.failures[:MAX_FAILURES],
    )


def require() -> None:
    """Raise InputError if what the page is made with is not installed."""
    templating.environment()


def shade(area: Area) -> int:
    """From 0 to SHADES: the colour of a cell."""
    return round(area.value * SHADES)
