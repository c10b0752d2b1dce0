"""The report as one JSON document, schema version 1.

Everything but ASCII is escaped, so that the bytes are safe to show on any terminal. A path that
is not UTF-8 stands escaped under its key, and its bytes as base64 under the key with ``_base64``.
"""

from __future__ import annotations

import json
from typing import Any

from memscan.records import Failure, Finding, Match, Report, Verdict
from memscan.reports import Style
from memscan.reports.names import base64_unless_utf8, escaped_bytes

SCHEMA_VERSION = 1


def render(report: Report, style: Style) -> str:
    """The whole report, whatever the style."""
    document = {
        "schema_version": SCHEMA_VERSION,
        "tool": tool(report),
        "source": source(report),
        "findings": [finding(item) for item in report.findings],
        "failures": [failure(item) for item in report.failures],
        "summary": summary(report),
    }
    return json.dumps(document, indent=2) + "\n"


def tool(report: Report) -> dict[str, Any]:
    """What made the report: versions, the encoder's fingerprint, the thresholds in bits."""
    return {
        "name": "memscan",
        "version": report.version,
        "encoder": report.encoder,
        "libraries": report.libraries,
        "thresholds": {"near": report.thresholds.near, "distinct": report.thresholds.distinct},
    }


def source(report: Report) -> dict[str, Any]:
    """The source as it was given, and how many of its image files were found, hashed, failed."""
    fields: dict[str, Any] = {"paths": [escaped_bytes(item.path) for item in report.sources]}
    in_base64 = [base64_unless_utf8(item.path) for item in report.sources]
    if any(in_base64):
        fields["paths_base64"] = in_base64
    failed = report.found - report.hashed
    return {**fields, "found": report.found, "hashed": report.hashed, "failed": failed}


def finding(finding: Finding) -> dict[str, Any]:
    """One target with its verdict and matches."""
    return {
        **_path("target", finding.target),
        "hash": f"{finding.hash:016x}",
        "verdict": finding.verdict.value,
        "distance": finding.distance,
        "review": finding.review,
        "reasons": [reason.value for reason in finding.reasons],
        "matches": [_match(match) for match in finding.matches],
    }


def failure(failure: Failure) -> dict[str, Any]:
    """One image that was not hashed, or one directory that was not listed."""
    return {
        **_path("path", failure.path),
        "stage": failure.stage.value,
        "message": failure.message,
    }


def summary(report: Report) -> dict[str, Any]:
    """The counts that a dashboard shows."""
    return {
        "targets": len(report.findings),
        "verdicts": {verdict.value: report.count(verdict) for verdict in Verdict},
        "review": sum(finding.review for finding in report.findings),
        "failures": len(report.failures),
    }


def _match(match: Match) -> dict[str, Any]:
    return {
        **_path("source", match.source),
        "hash": f"{match.hash:016x}",
        "distance": match.distance,
        "view": match.view.value,
    }


def _path(key: str, path: str) -> dict[str, Any]:
    in_base64 = base64_unless_utf8(path)
    fields = {key: escaped_bytes(path)}
    return fields if in_base64 is None else {**fields, f"{key}_base64": in_base64}
