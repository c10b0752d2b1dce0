"""What a model seems to remember as one HTML file that opens offline and asks for nothing.

A content security policy forbids every request and every script and style but the page's own.
"""

from __future__ import annotations

from typing import Any

from memscan.probes import ProbeReport
from memscan.reports import charts, templating
from memscan.reports.names import inert
from memscan.reports.probe import methods, score_charts, wording
from memscan.reports.probe.page_data import MAX_PICTURED, page_data

MAX_FAILURES = 1000
"""Failures that the page lists; it says how many more there are."""

_STYLES = ("page.css", "evaluation.css", "probe.css")
_SCRIPTS = ("elements.js", "probe.js")


def render(report: ProbeReport, shown: int, verbose: bool) -> str:
    """The whole report, whatever else is asked for."""
    environment = templating.environment()
    css, script = templating.text(*_STYLES), templating.text(*_SCRIPTS)
    return environment.get_template("probe.html").render(
        report=report,
        policy=templating.policy(css, script),
        css=css,
        script=script,
        data=page_data(report),
        wording=wording,
        comparison=methods,
        chart=charts,
        strip=score_charts,
        drawings=[
            score_charts.chart(report, method)
            for method in report.methods
            if report.reference_scores[method]
        ],
        filters=_filters(report),
        pictured=min(MAX_PICTURED, len(report.probes)),
        remade=sum(probe.pictures is not None for probe in report.probes),
        facts=[(inert(key), _fact(value)) for key, value in report.options.items()],
        failures=report.failures[:MAX_FAILURES],
    )


def _filters(report: ProbeReport) -> list[tuple[str, str, int]]:
    """What targets can be filtered by: a key, its name, how many there are."""
    accused = [any(one.memorised for one in probe.methods.values()) for probe in report.probes]
    choices = [("all", "All", len(report.probes))]
    for number, method in enumerate(report.methods):
        choices.append((str(number), f"Memorised by {method}", wording.memorised(report, method)))
    return [*choices, ("none", "No sign", len(accused) - sum(accused))]


def _fact(value: Any) -> str:
    """An option as the page shows it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_fact, value)) or "none"
    return "none" if value is None else inert(str(value))
