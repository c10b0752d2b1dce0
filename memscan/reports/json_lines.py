"""The report as JSON Lines: one finding or failure a line, a summary last.

Each line is an object with a ``type`` and the fields that the JSON document has there; the
summary also says how the report was made, and ranks what was copied.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any, Iterator

from memscan.report import Report
from memscan.reports import Style, json_document, learned


def render(report: Report, style: Style) -> str:
    """The whole report, whatever the style."""
    return "".join(json.dumps(line) + "\n" for line in _lines(report))


def _lines(report: Report) -> Iterator[dict[str, Any]]:
    for finding in report.findings:
        yield {"type": "finding", **json_document.finding(finding, report.hash_bits)}
    for failure in report.failures:
        yield {"type": "failure", **json_document.failure(failure)}
    yield {
        "type": "summary",
        "schema_version": json_document.SCHEMA_VERSION,
        "tool": json_document.tool(report),
        "options": json_document.options(report),
        "source": json_document.source(report),
        "copied": [json_document.copied(item, report.hash_bits) for item in report.copied],
        "curve": [dataclasses.asdict(point) for point in report.curve],
        "holdout": json_document.holdout(report),
        **learned.document_fields(report),
        "volumes": json_document.volumes(report),
        "warnings": json_document.warnings(report),
        **json_document.summary(report),
    }
