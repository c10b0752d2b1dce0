"""A report in the formats that people and programs read.

Each format is a module with one function ``render(report, verbose) -> str``. The text is the same
for equal reports: no times, no job counts, no paths that the user did not give.
"""

from __future__ import annotations

import importlib

from memscan.records import Report

FORMATS = ("text", "json", "jsonl", "csv")

SUFFIXES = {".txt": "text", ".json": "json", ".jsonl": "jsonl", ".csv": "csv"}
"""The format of an output file by the end of its name, in lower case."""

_MODULES = {"text": "text", "json": "json_document", "jsonl": "json_lines", "csv": "csv_table"}


def render(report: Report, format: str, *, verbose: bool = False) -> str:
    """The report in one of :data:`FORMATS`. ``verbose`` makes text name each failure."""
    module = importlib.import_module(f"memscan.reports.{_MODULES[format]}")
    rendered: str = module.render(report, verbose)
    return rendered
