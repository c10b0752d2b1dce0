"""Attributions as one JSON document, schema version 1.

Everything but ASCII is escaped; paths stand as in the document of a scan.
"""

from __future__ import annotations

import json
from typing import Any

from memscan.attributions import Attribution, AttributionReport, Calibrated, Generator
from memscan.reports.attribution import wording
from memscan.reports.json_document import SCHEMA_VERSION, failure, rate
from memscan.reports.names import inert, path_fields, path_list_fields


def render(report: AttributionReport, shown: int, verbose: bool) -> str:
    """The whole report, with all targets in bytewise order."""
    names = [one.name for one in report.generators]
    document = {
        "schema_version": SCHEMA_VERSION,
        "tool": {"name": "memscan", "version": report.version},
        "attribution": {
            "note": wording.LEAD,
            "phases_searched": report.search,
            "calibration": calibration(report.calibrated),
        },
        "generators": [_generator(one) for one in report.generators],
        "targets": {
            **path_list_fields("paths", [place.path for place in report.targets]),
            "found": sum(place.found for place in report.targets),
        },
        "attributions": [attribution(one, names) for one in report.attributions],
        "warnings": [inert(sentence) for sentence in report.warnings],
        "failures": [failure(one) for one in report.failures],
        "summary": _summary(report),
    }
    return json.dumps(document, indent=2) + "\n"


def calibration(seen: Calibrated | None) -> dict[str, Any] | None:
    """The real images that thresholds come from."""
    if seen is None:
        return None
    return {
        **path_list_fields("paths", list(seen.paths)),
        "rate": seen.rate,
        "images": seen.images,
        "needed": seen.needed,
        "margin": seen.margin,
        "failures": [failure(one) for one in seen.failures],
    }


def attribution(one: Attribution, names: list[str]) -> dict[str, Any]:
    """One target."""
    return {
        **path_fields("target", one.path),
        "decision": wording.decision(one),
        "generator": one.generator,
        "named": list(one.named),
        "ambiguous": one.is_ambiguous,
        "scores": dict(zip(names, one.scores)),
        "margins": dict(zip(names, one.margins)),
        "p_value": one.p_value,
        "phase": None if one.phase is None else list(one.phase),
        "format": one.format,
        "size": list(one.size),
        "weaknesses": [weakness.value for weakness in one.weaknesses],
    }


def _generator(one: Generator) -> dict[str, Any]:
    return {
        "name": one.name,
        **path_fields("path", one.path),
        "side": one.side,
        "residual": one.residual,
        "made": one.made,
        "mean_real": one.mean_real,
        "mean_fake": one.mean_fake,
        "threshold": one.threshold,
        "moved_threshold": one.moved_threshold,
    }


def _summary(report: AttributionReport) -> dict[str, Any]:
    total = len(report.attributions)
    return {
        "targets": total,
        "attributed": {one.name: rate(report.count(one.name), total) for one in report.generators},
        "some_generator_moved": rate(report.moved, total),
        "none_of_these": rate(report.unnamed, total),
        "ambiguous": sum(one.is_ambiguous for one in report.attributions),
        "failures": len(report.lost),
    }
