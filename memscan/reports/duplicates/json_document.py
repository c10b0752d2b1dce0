"""The near-duplicates as one JSON document, schema version 1.

Everything but ASCII is escaped; paths stand as in the document of a scan.
"""

from __future__ import annotations

import json
from typing import Any

from memscan.groups import DuplicateGroup, DuplicateReport
from memscan.reports.json_document import SCHEMA_VERSION, failure
from memscan.reports.names import path_fields, path_list_fields


def render(report: DuplicateReport, verbose: bool) -> str:
    """The whole report, verbose or not."""
    document = {
        "schema_version": SCHEMA_VERSION,
        "tool": {
            "name": "memscan",
            "version": report.version,
            "encoder": report.encoder,
            "libraries": report.libraries,
            "threshold": report.threshold,
        },
        "source": {
            **path_list_fields("paths", [source.path for source in report.sources]),
            "found": report.found,
            "hashed": report.hashed,
            "failed": report.found - report.hashed,
        },
        "groups": [_group(group) for group in report.groups],
        **path_list_fields("low_information", report.low_information),
        "failures": [failure(item) for item in report.failures],
        "summary": {
            "images": report.hashed,
            "groups": len(report.groups),
            "grouped": report.grouped,
            "removable": report.removable,
            "removable_share": report.removable_share,
            "low_information": len(report.low_information),
            "failures": len(report.failures),
        },
    }
    return json.dumps(document, indent=2) + "\n"


def _group(group: DuplicateGroup) -> dict[str, Any]:
    return {
        "size": group.size,
        "largest_distance": group.largest_distance,
        "members": [
            {
                **path_fields("path", member.path),
                "hash": f"{member.hash:016x}",
                "distance": member.distance,
            }
            for member in group.members
        ],
    }
