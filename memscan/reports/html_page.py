"""The report as one HTML file that opens offline and asks for nothing.

A content security policy forbids every request and every script and style but the page's own,
which it knows by their hashes. Names are escaped by the templates, or set as text by the script.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from memscan.errors import InputError
from memscan.records import Report, Verdict
from memscan.reports import Style, charts, repetition, wording
from memscan.reports.names import file_uri, inert
from memscan.reports.page_data import page_data

if TYPE_CHECKING:
    import jinja2

MAX_FAILURES = 1000
"""Failures that the page lists; it says how many more there are."""

MAX_PATHS = 100
"""Targets as given that the page lists; it says how many more there are."""

_TEMPLATES = Path(__file__).parent / "templates"
_SCRIPTS = ("elements.js", "findings.js", "copied.js", "controls.js")


def render(report: Report, style: Style) -> str:
    """The whole report, whatever the style. Reads the images that it shows."""
    environment = _environment()
    css = _template_text("page.css")
    script = "".join(_template_text(name) for name in _SCRIPTS)
    data = page_data(report)
    return environment.get_template("page.html").render(
        report=report,
        policy=_policy(css, script),
        css=css,
        script=script,
        data=data,
        wording=wording,
        total=len(report.findings),
        filters=_filters(report),
        chart=charts,
        histogram=charts.histogram(report) if report.findings else None,
        curve=charts.curve(report) if report.curve else None,
        rates=_compared_rates(report),
        facts=list(repetition.facts(report)),
        command=repetition.command(report),
        failures=report.failures[:MAX_FAILURES],
        given=report.targets[:MAX_PATHS],
    )


def require() -> None:
    """Raise InputError if what the page is made with is not installed."""
    _environment()


def _environment() -> jinja2.Environment:
    try:
        import jinja2
    except ImportError as error:
        if error.name != "jinja2":  # it is there, but broken
            raise
        raise InputError(
            "an HTML report needs Jinja2, which is not installed (pip install 'memscan[report]')"
        ) from error
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(str(_TEMPLATES)),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        inert=inert, uri=file_uri, number=wording.number, expected=wording.expected
    )
    return environment


def _template_text(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")


def _policy(css: str, script: str) -> str:
    return (
        "default-src 'none'; img-src data:; "
        f"style-src '{_source_hash(css)}'; script-src '{_source_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _source_hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return "sha256-" + base64.b64encode(digest).decode("ascii")


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
    if report.holdout is None or not total:
        return None
    return charts.whiskers(
        [
            ("training images", report.copies, total),
            ("held-out images", report.holdout.copies, total),
        ]
    )
