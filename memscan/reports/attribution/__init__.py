"""Who made images, and how well that can be told, in the formats that people and programs read.

Each format is a module with one function ``render(report, shown, verbose) -> str`` for each of the
two reports; in :mod:`performance_text` and its siblings for the second.
"""

from __future__ import annotations

import importlib

from memscan.attributions import AttributionReport, PerformanceReport
from memscan.reports import templating

SUFFIXES = {".txt": "text", ".json": "json", ".csv": "csv", ".html": "html"}
"""The format of an output file by the end of its name, in lower case."""

_MODULES = {
    "text": "text",
    "json": "json_document",
    "csv": "csv_table",
    "html": "html_page",
}


def render(
    report: AttributionReport | PerformanceReport,
    format: str,
    shown: int,
    verbose: bool = False,
) -> str:
    """The report in the format of one of :data:`SUFFIXES`.

    Text has the ``shown`` most suspect targets and, if ``verbose``, names what could not be read;
    other formats have all. A page reads the images that it shows.
    """
    kind = "performance_" if isinstance(report, PerformanceReport) else ""
    module = importlib.import_module(f"memscan.reports.attribution.{kind}{_MODULES[format]}")
    rendered: str = module.render(report, shown, verbose)
    return rendered


def require(format: str) -> None:
    """Raise InputError, before any work is done, if the format needs what is not there."""
    if format == "html":
        templating.environment()
