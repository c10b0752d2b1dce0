"""The JSON document of a scan, read back: what a picture of it needs."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

from memscan.errors import InputError
from memscan.records import Thresholds, Verdict
from memscan.report import CurvePoint
from memscan.reports.json_document import SCHEMA_VERSION

_LARGEST_DISTANCE = 256  # of the longest hash
_LARGEST_COUNT = 10**15

# A document of a million findings is many times as large as what is taken from it.
_KEPT = {
    *("schema_version", "tool", "thresholds", "near", "distinct", "detector", "kind"),
    *("findings", "distance", "verdict"),
    *("curve", "observed", "expected"),
    *("summary", "rate", "count", "total"),
}


@dataclass(frozen=True)
class Audit:
    """What a document says of its targets, at least one.

    ``distances`` has 257 entries: the number of targets whose closest source is so many bits away.
    ``verdicts`` counts the targets of each verdict. ``copies`` is how many targets of how many
    show evidence of a copy, or None where no rate was given. ``curve`` is in rising distance.
    """

    thresholds: Thresholds
    distances: tuple[int, ...]
    verdicts: dict[Verdict, int]
    copies: tuple[int, int] | None
    curve: tuple[CurvePoint, ...]

    @property
    def targets(self) -> int:
        """The number of targets that were judged."""
        return sum(self.distances)

    @property
    def has_chance_model(self) -> bool:
        """Whether the scan said what to expect by chance."""
        return any(point.expected for point in self.curve)


class _UnsuitableError(Exception):
    """The document does not hold what is needed; the text says what is wrong."""


def read(path: str) -> Audit:
    """Read the file that ``memscan detect --format json`` wrote. Raises InputError."""
    try:
        with open(path, "rb") as file:
            document = json.loads(file.read(), object_hook=_needed)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(_advice(path, "it is not one JSON document")) from error
    if isinstance(document, dict) and document.get("detector") is not None:
        raise InputError(
            f"{path}: the scan was made by a learned detector, and bits of hashes are drawn; "
            "'memscan detect --output audit.html' draws scores"
        )
    try:
        return _audit(document)
    except _UnsuitableError as error:
        raise InputError(_advice(path, str(error))) from error


def _advice(path: str, trouble: str) -> str:
    return f"{path}: {trouble}; 'memscan detect --format json' of this version writes what is drawn"


def _needed(fields: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if key in _KEPT}


def _audit(document: Any) -> Audit:
    if not isinstance(document, dict) or "findings" not in document:
        raise _UnsuitableError("it is not the JSON document of a scan")
    version = _get(document, "schema_version")
    if isinstance(version, bool) or version != SCHEMA_VERSION:
        raise _UnsuitableError(f"its schema_version is not {SCHEMA_VERSION}")
    thresholds = _get(_get(document, "tool"), "thresholds", "tool.thresholds")
    near, distinct = (_distance(thresholds, key, "tool.thresholds") for key in ("near", "distinct"))
    distances = [0] * (_LARGEST_DISTANCE + 1)
    verdicts = dict.fromkeys(Verdict, 0)
    for finding in _list(document, "findings"):
        distances[_distance(finding, "distance", "findings[]")] += 1
        verdicts[_verdict(finding)] += 1
    if not any(distances):
        raise _UnsuitableError("it has no findings")
    return Audit(
        Thresholds(near, distinct),
        tuple(distances),
        verdicts,
        _copies(_get(_get(document, "summary"), "rate", "summary.rate")),
        tuple(sorted(map(_point, _list(document, "curve")), key=lambda point: point.distance)),
    )


def _verdict(finding: Any) -> Verdict:
    try:
        return Verdict(_get(finding, "verdict", "findings[].verdict"))
    except ValueError as error:
        raise _UnsuitableError("findings[].verdict is not a verdict") from error


def _copies(rate: Any) -> tuple[int, int] | None:
    if rate is None:
        return None
    count, total = (
        _integer(rate, key, "summary.rate", _LARGEST_COUNT) for key in ("count", "total")
    )
    if not 0 <= count <= total or total < 1:
        raise _UnsuitableError("summary.rate is not a share")
    return count, total


def _point(point: Any) -> CurvePoint:
    expected = _get(point, "expected", "curve[].expected")
    is_number = isinstance(expected, (int, float)) and not isinstance(expected, bool)
    if not is_number or not 0 <= expected < _LARGEST_COUNT or not math.isfinite(expected):
        raise _UnsuitableError("curve[].expected is not a number of pairs")
    return CurvePoint(
        _distance(point, "distance", "curve[]"),
        _integer(point, "observed", "curve[]", _LARGEST_COUNT),
        float(expected),
    )


def _distance(fields: Any, key: str, place: str) -> int:
    return _integer(fields, key, place, _LARGEST_DISTANCE)


def _integer(fields: Any, key: str, place: str, largest: int) -> int:
    value = _get(fields, key, f"{place}.{key}")
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= largest:
        raise _UnsuitableError(f"{place}.{key} is not a whole number from 0 to {largest}")
    return value


def _list(document: dict[str, Any], key: str) -> list[Any]:
    value = _get(document, key)
    if not isinstance(value, list):
        raise _UnsuitableError(f"{key} is not a list")
    return value


def _get(fields: Any, key: str, place: str | None = None) -> Any:
    if not isinstance(fields, dict) or key not in fields:
        raise _UnsuitableError(f"it lacks {place or key}")
    return fields[key]
