"""An evaluation in the formats that people and programs read.

Each format is a module with one function ``render(card, style) -> str``. But for the times, the
text is the same for equal scorecards.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Mapping, Tuple

from memscan.scorecard import Scorecard

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = {".txt": "text", ".json": "json", ".html": "html"}
"""The format of an output file by the end of its name, in lower case."""

FORMATS = tuple(SUFFIXES.values())

_MODULES = {"text": "text", "json": "json_document", "html": "html_page"}

Pictures = Mapping[Tuple[str, str], "Image.Image"]
"""Small images by path and edit; the edit is empty for an image as it is."""


@dataclass(frozen=True)
class Style:
    """What a format may need to know besides the scorecard.

    ``verbose`` names what could not be read, ``pictures`` are those of the misses.
    """

    verbose: bool = False
    pictures: Pictures = field(default_factory=dict)


def render(card: Scorecard, format: str, style: Style = Style()) -> str:
    """The scorecard in one of :data:`FORMATS`."""
    rendered: str = _module(format).render(card, style)
    return rendered


def require(format: str) -> None:
    """Raise InputError, before any work is done in vain, if the format needs what is not there."""
    check = getattr(_module(format), "require", None)
    if check is not None:
        check()


def _module(format: str) -> ModuleType:
    return importlib.import_module(f"memscan.reports.evaluation.{_MODULES[format]}")
