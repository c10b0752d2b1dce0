"""A report in the formats that people and programs read.

Each format is a module with one function ``render(report, style) -> str``. The text is the same
for equal reports: no times, no job counts, no paths that the user did not give.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from types import ModuleType

from memscan.records import Level
from memscan.report import Report

FORMATS = ("text", "json", "jsonl", "csv", "junit", "html")

SUFFIXES = {
    ".txt": "text",
    ".json": "json",
    ".jsonl": "jsonl",
    ".csv": "csv",
    ".xml": "junit",
    ".html": "html",
}
"""The format of an output file by the end of its name, in lower case."""

_MODULES = {
    "text": "text",
    "json": "json_document",
    "jsonl": "json_lines",
    "csv": "csv_table",
    "junit": "junit",
    "html": "html_page",
}


@dataclass(frozen=True)
class Style:
    """What a format may need to know besides the report.

    ``verbose`` makes text tell more, ``gate`` is the level at which a target counts as failed.
    """

    verbose: bool = False
    gate: Level = Level.NEAR_DUPLICATE


def render(report: Report, format: str, style: Style = Style()) -> str:
    """The report in one of :data:`FORMATS`."""
    rendered: str = _module(format).render(report, style)
    return rendered


def require(format: str) -> None:
    """Raise InputError, before a scan is made in vain, if the format needs what is not there."""
    check = getattr(_module(format), "require", None)
    if check is not None:
        check()


def _module(format: str) -> ModuleType:
    return importlib.import_module(f"memscan.reports.{_MODULES[format]}")
