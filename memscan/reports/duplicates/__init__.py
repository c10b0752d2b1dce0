"""The near-duplicates within a collection in the formats that people and programs read.

Each format is a module with one function ``render(report, verbose) -> str``. The text is the same
for equal reports.
"""

from __future__ import annotations

import importlib

from memscan.groups import DuplicateReport

SUFFIXES = {".txt": "text", ".json": "json", ".csv": "csv"}
"""The format of an output file by the end of its name, in lower case."""

FORMATS = tuple(SUFFIXES.values())

_MODULES = {"text": "text", "json": "json_document", "csv": "csv_table"}


def render(report: DuplicateReport, format: str, verbose: bool = False) -> str:
    """The report in one of :data:`FORMATS`; ``verbose`` makes text name what is not in a group."""
    module = importlib.import_module(f"memscan.reports.duplicates.{_MODULES[format]}")
    rendered: str = module.render(report, verbose)
    return rendered
