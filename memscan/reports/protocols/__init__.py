"""The result of a protocol in the formats that people and programs read.

Each format is a module with one function ``render(comparison, verbose) -> str``. The text is the
same for equal results.
"""

from __future__ import annotations

import importlib
from types import ModuleType

from memscan.protocols import Comparison

_MODULES = {"text": "text", "json": "json_document", "html": "html_page"}


def render(comparison: Comparison, format: str, verbose: bool = False) -> str:
    """The result as text, json or html; a verbose text names what could not be read."""
    rendered: str = _module(format).render(comparison, verbose)
    return rendered


def _module(format: str) -> ModuleType:
    return importlib.import_module(f"memscan.reports.protocols.{_MODULES[format]}")
