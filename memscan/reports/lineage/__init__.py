"""Which models are related, in the formats that people and programs read, and as a heat map.

Each format of text is a module with one function ``render(report, verbose) -> str``. Equal reports
give the same bytes, figures with the same matplotlib.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # numpy, not for --help
    from memscan.kinship import LineageReport

FORMATS = ("text", "json", "csv")

SUFFIXES = {
    ".txt": "text",
    ".json": "json",
    ".csv": "csv",
    ".html": "html",
    ".png": "png",
    ".pdf": "pdf",
    ".svg": "svg",
}
"""The format of an output file by the end of its name, in lower case; three are figures."""

_MODULES = {"text": "text", "json": "json_document", "csv": "csv_table", "html": "html_page"}


def render(report: LineageReport, format: str, verbose: bool = False) -> str:
    """The report as text, json, csv or html; a verbose text has all that there is to say."""
    rendered: str = _module(format).render(report, verbose)
    return rendered


def as_file(report: LineageReport, format: str) -> str | bytes:
    """The whole report in any format of :data:`SUFFIXES`. Raises InputError without matplotlib."""
    if format in _MODULES:
        return render(report, format, verbose=True)
    from memscan.reports import plots

    return plots.draw_lineage(report, format)


def require(format: str) -> None:
    """Raise InputError, before any work, if the format needs what is not installed."""
    if format not in _MODULES:
        from memscan.reports import plots

        plots.require_matplotlib()
        return
    check = getattr(_module(format), "require", None)
    if check is not None:
        check()


def _module(format: str) -> ModuleType:
    return importlib.import_module(f"memscan.reports.lineage.{_MODULES[format]}")
