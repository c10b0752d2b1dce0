"""The report as one JSON document, schema version 1.

Everything but ASCII is escaped, so that the bytes are safe to show on any terminal. A path that
is not UTF-8 stands escaped under its key, and its bytes as base64 under the key with ``_base64``.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from memscan.evidence import rates
from memscan.records import Failure, Finding, Match, Verdict
from memscan.report import CopiedSource, Report
from memscan.reports import Style, learned
from memscan.reports.names import (
    escaped_bytes,
    hex_digits,
    inert,
    path_fields,
    path_list_fields,
)

SCHEMA_VERSION = 1


def render(report: Report, style: Style) -> str:
    """The whole report, whatever the style."""
    document = {
        "schema_version": SCHEMA_VERSION,
        "tool": tool(report),
        "options": options(report),
        "source": source(report),
        "findings": [finding(item, report.hash_bits) for item in report.findings],
        "copied": [copied(item, report.hash_bits) for item in report.copied],
        "curve": [dataclasses.asdict(point) for point in report.curve],
        "holdout": holdout(report),
        **learned.document_fields(report),
        "volumes": volumes(report),
        "warnings": warnings(report),
        "failures": [failure(item) for item in report.failures],
        "summary": summary(report),
    }
    return json.dumps(document, indent=2) + "\n"


def tool(report: Report) -> dict[str, Any]:
    """What made the report: versions, the encoder's fingerprint, the thresholds of distances."""
    return {
        "name": "memscan",
        "version": report.version,
        "encoder": report.encoder,
        "libraries": report.libraries,
        "thresholds": {"near": report.thresholds.near, "distinct": report.thresholds.distinct},
    }


def source(report: Report) -> dict[str, Any]:
    """The source as it was given, and how many of its image files were found, hashed, failed."""
    failed = report.found - report.hashed
    return {
        **path_list_fields("paths", [item.path for item in report.sources]),
        "found": report.found,
        "hashed": report.hashed,
        "failed": failed,
    }


def options(report: Report) -> dict[str, Any]:
    """How the scan was asked to be made."""
    fields = dataclasses.asdict(report.options)
    fields["exclude"] = [escaped_bytes(pattern) for pattern in report.options.exclude]
    fields.pop("baseline")
    fields.pop("files_from")
    networks = {name: fields.pop(name) for name in ("detector", "verify", "trust_weights")}
    fields.pop("weights")
    if report.detector is not None or report.verifier is not None:
        fields.update(networks, **path_list_fields("weights", report.options.weights))
    baseline = report.options.baseline
    return {
        **path_list_fields("targets", report.targets),
        **fields,
        **path_list_fields("files_from", report.options.files_from),
        **({"baseline": None} if baseline is None else path_fields("baseline", baseline)),
    }


def finding(finding: Finding, bits: int) -> dict[str, Any]:
    """One target with its verdict and matches; ``bits`` is the length of the hashes."""
    return {
        **path_fields("target", finding.target),
        "hash": hex_digits(finding.hash, bits),
        "quality": finding.quality,
        "verdict": finding.verdict.value,
        "distance": finding.distance,
        "review": finding.review,
        "reasons": [reason.value for reason in finding.reasons],
        "accepted": finding.accepted,
        "expected_by_chance": finding.chance.expected,
        "chance_basis": finding.chance.basis.value,
        "matches": [_match(match, bits) for match in finding.matches],
        "hints": [_match(match, bits) for match in finding.hints],
    }


def copied(item: CopiedSource, bits: int) -> dict[str, Any]:
    """One source image that targets copy; ``bits`` is the length of the hashes."""
    return {
        **path_fields("source", item.source),
        "hash": hex_digits(item.hash, bits),
        "same_hash": item.same_hash,
        **path_list_fields("targets", item.targets),
    }


def volumes(report: Report) -> list[dict[str, Any]]:
    """How the values of each medical volume became grey levels."""
    return [
        {**path_fields("path", item.path), "mapping": inert(item.mapping)}
        for item in report.volumes
    ]


def warnings(report: Report) -> list[str]:
    """What to know about sources that are hashes and not images, and about calibrations."""
    return list(map(inert, report.warnings))


def holdout(report: Report) -> dict[str, Any] | None:
    """The same targets against images that the model never saw; None if there were none."""
    if report.holdout is None:
        return None
    found = report.holdout
    return {
        **path_list_fields("paths", [item.path for item in found.sources]),
        "found": sum(item.found for item in found.sources),
        "hashed": found.hashed,
        "copies": found.copies,
        "rate": rate(found.copies, len(report.findings)) if report.has_rate else None,
        "only_source": found.only_source,
        "only_holdout": found.only_holdout,
        "p_value": _rounded(found.p_value),
    }


def rate(count: int, total: int) -> dict[str, Any] | None:
    """A share with its 95 % interval; None of nothing."""
    if not total:
        return None
    found = rates.rate(count, total)
    return {
        "count": count,
        "total": total,
        "low": _rounded(found.low),
        "high": _rounded(found.high),
        "share": _rounded(found.share),
    }


def _rounded(value: float) -> float:
    """Six digits: more than a rate is good for, and the same with every version of scipy."""
    return float(f"{value:.6g}")


def failure(failure: Failure) -> dict[str, Any]:
    """One image that was not hashed, or one directory that was not listed."""
    return {
        **path_fields("path", failure.path),
        "stage": failure.stage.value,
        "message": failure.message,
    }


def summary(report: Report) -> dict[str, Any]:
    """The counts that a dashboard shows."""
    return {
        "targets": len(report.findings),
        "verdicts": {verdict.value: report.count(verdict) for verdict in Verdict},
        "review": sum(finding.review for finding in report.findings),
        "accepted": sum(finding.accepted for finding in report.findings),
        "copies": report.copies,
        "rate": rate(report.copies, len(report.findings)) if report.has_rate else None,
        "failures": len(report.failures),
    }


def _match(match: Match, bits: int) -> dict[str, Any]:
    return {
        **path_fields("source", match.source),
        "hash": hex_digits(match.hash, bits),
        "distance": match.distance,
        "view": match.view.name,
        "similarity": match.similarity,
        **learned.match_fields(match),
    }
