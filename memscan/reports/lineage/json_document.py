"""Which models are related, as one JSON document, schema version 1.

Everything but ASCII is escaped; paths stand as in the document of a scan.
"""

from __future__ import annotations

import json
from typing import Any

from memscan.kinship import Cell, Kind, LineageReport, Relation
from memscan.report import Source
from memscan.reports.json_document import SCHEMA_VERSION, failure
from memscan.reports.names import inert, path_fields

_DECIMALS = 6


def render(report: LineageReport, verbose: bool) -> str:
    """The whole report, verbose or not."""
    document = {
        "schema_version": SCHEMA_VERSION,
        "tool": {"name": "memscan", "version": report.version},
        "options": {
            "residuals": list(report.residuals),
            "least": report.least,
            "confidence": report.confidence,
        },
        "fingerprints": [
            {
                "name": inert(one.name),
                **path_fields("path", one.path),
                "made": inert(one.made),
                "residual": inert(one.own_residual),
            }
            for one in report.fingerprints
        ],
        "models": [
            {"name": inert(model.name), **_source(model.source), "read": model.read}
            for model in report.models
        ],
        "real": {"read": report.real_read, "sources": [_source(one) for one in report.real]},
        "areas": [area for cell in report.cells for area in _areas(cell)],
        "relations": [_relation(one) for one in report.relations],
        "summary": {kind.value: len(report.of_kind(kind)) for kind in Kind},
        "warnings": [inert(sentence) for sentence in report.warnings],
        "failures": [failure(one) for one in report.failures],
    }
    return json.dumps(document, indent=2) + "\n"


def _areas(cell: Cell) -> list[dict[str, Any]]:
    return [
        {
            "fingerprint": inert(cell.fingerprint),
            "model": inert(cell.model),
            "residual": residual,
            "auc": round(area.value, _DECIMALS),
            "low": round(area.low, _DECIMALS),
            "high": round(area.high, _DECIMALS),
            "sure": round(cell.sure[residual], _DECIMALS),
            "images": area.positives,
            "real": area.negatives,
        }
        for residual, area in cell.areas.items()
    ]


def _relation(one: Relation) -> dict[str, Any]:
    return {
        "first": inert(one.first),
        "second": inert(one.second),
        "relation": one.kind.value,
        "reason": inert(one.reason) or None,
    }


def _source(source: Source) -> dict[str, Any]:
    return {**path_fields("path", source.path), "found": source.found}
