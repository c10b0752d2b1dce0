"""An experiment on models that were made to memorise, in the formats that people and programs read.

Each format is a module with one function ``render(experiment) -> str``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from memscan.memorisation import Experiment

FORMATS = ("text", "json")

SUFFIXES = {".json": "json", ".txt": "text"}
"""The formats of files, by the suffix of their name."""

_MODULES = {"text": "text", "json": "json_document"}


def render(experiment: Experiment, format: str) -> str:
    """The experiment as text or json."""
    module = importlib.import_module(f"memscan.reports.memorisation.{_MODULES[format]}")
    rendered: str = module.render(experiment)
    return rendered
