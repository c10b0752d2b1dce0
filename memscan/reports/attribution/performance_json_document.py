"""How well fingerprints do, as one JSON document, schema version 1."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from memscan.attributions import Performance, PerformanceReport
from memscan.reports.attribution.json_document import calibration
from memscan.reports.json_document import SCHEMA_VERSION, failure
from memscan.reports.names import inert, path_fields


def render(report: PerformanceReport, shown: int, verbose: bool) -> str:
    """The whole report."""
    document = {
        "schema_version": SCHEMA_VERSION,
        "tool": {"name": "memscan", "version": report.version},
        "rate": report.rate,
        "calibration": calibration(report.calibrated),
        "performances": [_performance(one) for one in report.performances],
        "warnings": [inert(sentence) for sentence in report.warnings],
        "failures": [failure(one) for one in report.failures],
    }
    return json.dumps(document, indent=2) + "\n"


def _performance(one: Performance) -> dict[str, Any]:
    fields = dataclasses.asdict(one)
    del fields["images"]
    fields["robustness"] = fields.pop("survivals")
    return {**path_fields("images", one.images), **fields}
