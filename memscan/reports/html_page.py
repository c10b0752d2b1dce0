"""The report as one HTML file that opens offline and asks for nothing.

A content security policy forbids every request and every script and style but the page's own,
which it knows by their hashes. Names are escaped by the templates, or set as text by the script.
"""

from __future__ import annotations

from memscan.records import Verdict
from memscan.report import Report
from memscan.reports import Style, charts, glossary, repetition, score_chart, templating, wording
from memscan.reports.page_data import page_data

MAX_FAILURES = 1000
"""Failures that the page lists; it says how many more there are."""

MAX_PATHS = 100
"""Targets as given that the page lists; it says how many more there are."""

_SCRIPTS = ("elements.js", "findings.js", "copied.js", "controls.js")


def render(report: Report, style: Style) -> str:
    """The whole report, whatever the style. Reads the images that it shows."""
    environment = templating.environment()
    css, script = templating.text("page.css"), templating.text(*_SCRIPTS)
    data = page_data(report)
    return environment.get_template("page.html").render(
        report=report,
        policy=templating.policy(css, script),
        css=css,
        script=script,
        data=data,
        wording=wording,
        glossary=glossary,
        total=len(report.findings),
        filters=_filters(report),
        chart=charts,
        histogram=_histogram(report),
        curve=charts.curve(report) if report.curve else None,
        rates=_compared_rates(report),
        facts=list(repetition.facts(report)),
        command=repetition.command(report),
        failures=report.failures[:MAX_FAILURES],
        given=report.targets[:MAX_PATHS],
    )


def require() -> None:
    """Raise InputError if what the page is made with is not installed."""
    templating.environment()


def _histogram(report: Report) -> charts.Histogram | None:
    if not report.findings:
        return None
    return score_chart.histogram(report) if report.detector else charts.histogram(report)


def _filters(report: Report) -> list[tuple[str, str, int]]:
    """What findings can be filtered by: a key, its name, how many there are."""
    review = sum(finding.review for finding in report.findings)
    accepted = sum(finding.accepted for finding in report.findings)
    choices = [("all", "All", len(report.findings)), ("copy", "Copies", report.copies)]
    choices += [
        (verdict.value.lower(), verdict.value, report.count(verdict)) for verdict in Verdict
    ]
    choices.append(("review", "Under review", review))
    return [*choices, ("accepted", "Accepted", accepted)] if accepted else choices


def _compared_rates(
    report: Report,
) -> tuple[tuple[charts.Whisker, ...], tuple[charts.Tick, ...]] | None:
    """The rates against the source and against the holdout, one above the other."""
    total = len(report.findings)
    if report.holdout is None or not total or not report.has_rate:
        return None
    return charts.whiskers(
        [
            ("training images", report.copies, total),
            ("held-out images", report.holdout.copies, total),
        ]
    )
