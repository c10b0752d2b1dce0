"""Did a generative model copy its training images?

The public API: :func:`detect` compares images with a source and returns a :class:`Report`;
:func:`duplicates` groups the near-duplicates within a collection; :func:`index` keeps the hashes of
one on disk; :func:`hash_image` gives the 64-bit hash of one image. Importing this package loads
neither numpy nor Pillow; the first use of a name does.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from memscan.baseline import Accepted, Baseline
    from memscan.cache import Cache
    from memscan.detection import detect
    from memscan.duplication import duplicates
    from memscan.errors import (
        DecodeError,
        HashError,
        ImageError,
        InputError,
        MemscanError,
        OutputError,
        ReadError,
    )
    from memscan.groups import DuplicateGroup, DuplicateReport, Member
    from memscan.indexing import Indexed, index
    from memscan.recipe import hash_image
    from memscan.records import (
        Basis,
        Chance,
        Failure,
        Finding,
        Match,
        Reason,
        Stage,
        Thresholds,
        Verdict,
        View,
    )
    from memscan.report import CopiedSource, CurvePoint, Holdout, Options, Report, Source, Volume

__version__ = "0.1.0"

__all__ = [
    "Accepted",
    "Baseline",
    "Basis",
    "Cache",
    "Chance",
    "CopiedSource",
    "CurvePoint",
    "DecodeError",
    "DuplicateGroup",
    "DuplicateReport",
    "Failure",
    "Finding",
    "HashError",
    "Holdout",
    "ImageError",
    "Indexed",
    "InputError",
    "Match",
    "Member",
    "MemscanError",
    "Options",
    "OutputError",
    "ReadError",
    "Reason",
    "Report",
    "Source",
    "Stage",
    "Thresholds",
    "Verdict",
    "View",
    "Volume",
    "detect",
    "duplicates",
    "hash_image",
    "index",
]

_ROOMS = {
    **dict.fromkeys(
        ("CopiedSource", "CurvePoint", "Holdout", "Options", "Report", "Source", "Volume"), "report"
    ),
    "Accepted": "baseline",
    "Baseline": "baseline",
    "Cache": "cache",
    "DuplicateGroup": "groups",
    "DuplicateReport": "groups",
    "Indexed": "indexing",
    "Member": "groups",
    "detect": "detection",
    "duplicates": "duplication",
    "hash_image": "recipe",
    "index": "indexing",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    room = _ROOMS.get(name, "errors" if name.endswith("Error") else "records")
    return getattr(importlib.import_module(f"memscan.{room}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
