"""What a model seems to remember as one JSON document, schema version 1.

Everything but ASCII is escaped; paths stand as in the document of a scan.
"""

from __future__ import annotations

import json
from typing import Any, Sequence

from memscan.probes import RATE, Measured, Probe, ProbeReport
from memscan.report import Source
from memscan.reports.json_document import SCHEMA_VERSION, failure, rate
from memscan.reports.names import inert, path_fields, path_list_fields
from memscan.reports.probe import methods, wording


def render(report: ProbeReport, shown: int, verbose: bool) -> str:
    """The whole report, with all targets."""
    document = {
        "schema_version": SCHEMA_VERSION,
        "tool": {"name": "memscan", "version": report.version},
        "about": f"{wording.HEADING}. {wording.CAVEAT}",
        **path_fields("model", report.model),
        "fingerprint": inert(report.fingerprint),
        "options": {inert(key): _option(value) for key, value in report.options.items()},
        "false_positive_rate": RATE,
        "targets": _places(report.targets),
        "references": _places(report.references),
        "captioned": report.captioned,
        "methods": {name: _method(report, name) for name in report.methods},
        "probes": [_probe(probe, report.methods) for probe in report.probes],
        "comparison": None if report.contest is None else methods.fields(report.contest),
        "remarks": list(wording.remarks(report)),
        "warnings": [inert(sentence) for sentence in report.warnings],
        "failures": [
            {"role": role, **failure(one)}
            for role, failures in (
                ("target", report.target_failures),
                ("reference", report.reference_failures),
            )
            for one in failures
        ],
        "summary": {
            "targets": len(report.probes),
            "memorised": {
                name: None
                if report.thresholds[name] is None
                else rate(wording.memorised(report, name), len(report.probes))
                for name in report.methods
            },
            "failures": len(report.failures),
        },
    }
    return json.dumps(document, indent=2, allow_nan=False) + "\n"


def _places(places: Sequence[Source]) -> dict[str, Any]:
    found = sum(place.found for place in places)
    return {**path_list_fields("paths", [place.path for place in places]), "found": found}


def _method(report: ProbeReport, name: str) -> dict[str, Any]:
    return {
        "threshold": report.thresholds[name],
        "reference_scores": list(report.reference_scores[name]),
    }


def _probe(probe: Probe, names: Sequence[str]) -> dict[str, Any]:
    return {
        **path_fields("target", probe.path),
        "methods": {name: _measured(probe.methods[name]) for name in names},
        "tokens": [{"token": inert(text), "significance": value} for text, value in probe.tokens],
    }


def _measured(measured: Measured) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "score": measured.score,
        "p_value": measured.p_value,
        "memorised": measured.memorised,
    }
    if measured.distance is not None:
        fields["distance"] = measured.distance
        fields["magnitude"] = measured.magnitude
    return fields


def _option(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, (list, tuple)):
        return [_option(one) for one in value]
    return inert(str(value))
