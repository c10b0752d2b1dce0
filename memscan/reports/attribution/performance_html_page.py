"""How well fingerprints do, as one HTML file that opens offline and runs no script."""

from __future__ import annotations

from memscan.attributions import PerformanceReport
from memscan.reports import templating
from memscan.reports.attribution import wording
from memscan.reports.attribution.html_page import MAX_FAILURES


def render(report: PerformanceReport, shown: int, verbose: bool) -> str:
    """The whole report."""
    environment = templating.environment()
    css = templating.text("page.css", "attribution.css")
    survivals = next((one.survivals for one in report.performances if one.survivals), ())
    return environment.get_template("attribution_performance.html").render(
        report=report,
        css=css,
        policy=templating.policy(css),
        wording=wording,
        alterations=[one.alteration for one in survivals],
        failures=report.lost[:MAX_FAILURES],
    )
