"""What a model seems to remember of images, in the formats that people and programs read.

Each format is a module with one function ``render(report, shown, verbose) -> str``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from memscan.probes import ProbeReport

FORMATS = ("text", "json", "csv")

SUFFIXES = {".json": "json", ".csv": "csv", ".html": "html", ".txt": "text"}
"""The formats of files, by the suffix of their name."""

_MODULES = {
    "text": "text",
    "json": "json_document",
    "csv": "csv_table",
    "html": "html_page",
}


def render(report: ProbeReport, format: str, shown: int = 20, verbose: bool = False) -> str:
    """The report as text, json, csv or html.

    Text has the ``shown`` most suspicious targets and, if ``verbose``, names what could not be
    read. The page reads the images of which the report has no pictures.
    """
    module = importlib.import_module(f"memscan.reports.probe.{_MODULES[format]}")
    rendered: str = module.render(report, shown, verbose)
    return rendered
