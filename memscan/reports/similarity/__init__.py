"""A comparison of all targets with all sources in the formats that people and programs read.

Each format is a module with one function ``render(report, shown) -> str``.
"""

from __future__ import annotations

import importlib

from memscan.likeness import LikenessReport

FORMATS = ("text", "json")

_MODULES = {"text": "text", "json": "json_document"}


def render(report: LikenessReport, format: str, shown: int, verbose: bool = False) -> str:
    """The report in one of :data:`FORMATS`.

    Text has the ``shown`` most alike targets and, if ``verbose``, names what could not be read.
    """
    module = importlib.import_module(f"memscan.reports.similarity.{_MODULES[format]}")
    rendered: str = module.render(report, shown, verbose)
    return rendered
