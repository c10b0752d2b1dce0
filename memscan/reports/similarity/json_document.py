"""A comparison of all targets with all sources as one JSON document, schema version 1.

Everything but ASCII is escaped; paths stand as in the document of a scan.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any, Sequence

from memscan.detectors.classes import CLASSES, Quality
from memscan.evidence import rates
from memscan.likeness import Labelled, LikenessReport, Nearest, Tally
from memscan.report import Source
from memscan.reports.json_document import SCHEMA_VERSION, failure
from memscan.reports.names import inert, path_fields, path_list_fields


def render(report: LikenessReport, shown: int, verbose: bool) -> str:
    """The whole report, with all targets."""
    card = report.card
    document = {
        "schema_version": SCHEMA_VERSION,
        "tool": {"name": "memscan", "version": report.version},
        "detector": {
            "kind": card.kind,
            "name": card.name,
            "fingerprint": report.fingerprint,
            "sha256": card.sha256,
            "calibrated": card.is_calibrated,
        },
        "targets": _places(report.targets),
        "sources": _places(report.sources),
        "nearest": [nearest(one) for one in report.nearest],
        "classes": {name: _tally(tally) for name, tally in report.tallies.items()},
        "judged_by": report.judged_by,
        "labelled": None if report.labelled is None else _labelled(report.labelled),
        "warnings": [inert(sentence) for sentence in report.warnings],
        "failures": [failure(one) for one in (*report.target_failures, *report.source_failures)],
        "summary": _summary(report),
    }
    return json.dumps(document, indent=2) + "\n"


def nearest(one: Nearest) -> dict[str, Any]:
    """A target with its most alike source."""
    source = {"source": None} if one.source is None else path_fields("source", one.source)
    fields = {"score": one.score, "class": CLASSES[one.kind]}
    return {**path_fields("target", one.target), **source, **fields}


def _places(places: Sequence[Source]) -> dict[str, Any]:
    found = sum(place.found for place in places)
    return {**path_list_fields("paths", [place.path for place in places]), "found": found}


def _tally(tally: Tally) -> dict[str, Any]:
    return {
        "cuts": dataclasses.asdict(tally.cuts),
        "pairs": dict(zip(CLASSES, tally.pairs)),
        "targets": dict(zip(CLASSES, tally.targets)),
    }


def _labelled(labelled: Labelled) -> dict[str, Any]:
    return {
        **path_fields("path", labelled.path),
        "calibration": labelled.calibration,
        "reported": labelled.reported,
        "missing": labelled.missing,
        "by": {name: _quality(one) for name, one in labelled.qualities.items()},
        "ssim_absolute_error": labelled.absolute_error,
        "ssim_rank_correlation": labelled.rank_correlation,
    }


def _quality(quality: Quality) -> dict[str, Any]:
    return {
        "macro_f1": quality.macro_f1,
        "precision": dict(zip(CLASSES, quality.precision)),
        "recall": dict(zip(CLASSES, quality.recall)),
        "f1": dict(zip(CLASSES, quality.f1)),
        "confusion": {
            label: dict(zip(CLASSES, row)) for label, row in zip(CLASSES, quality.confusion)
        },
    }


def _summary(report: LikenessReport) -> dict[str, Any]:
    targets = report.tallies[report.judged_by].targets
    total = len(report.nearest)
    return {
        "targets": total,
        "sources": report.compared_sources,
        "with_duplicate": _rate(targets[2], total),
        "with_similar_or_duplicate": _rate(targets[1] + targets[2], total),
        "failures": len(report.target_failures) + len(report.source_failures),
    }


def _rate(count: int, total: int) -> dict[str, Any]:
    rate = rates.rate(count, total)
    return {"count": count, "share": rate.share, "low": rate.low, "high": rate.high}
