"""The result of a protocol as one JSON document, schema version 1.

Everything but ASCII is escaped; paths stand as in the document of a scan.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from memscan.protocols import Comparison, Entry
from memscan.reports.evaluation.json_document import images, options, tool
from memscan.reports.json_document import SCHEMA_VERSION, failure
from memscan.reports.protocols import wording


def render(comparison: Comparison, verbose: bool) -> str:
    """The whole result, however verbose."""
    document = {
        "schema_version": SCHEMA_VERSION,
        "tool": tool(comparison),
        "options": {"protocol": comparison.protocol.value, **options(comparison)},
        "images": {"description": comparison.images, **images(comparison)},
        "main_column": comparison.main,
        "columns": [dataclasses.asdict(column) for column in comparison.columns],
        "parts": [dataclasses.asdict(part) for part in comparison.parts],
        "detectors": [_entry(entry) for entry in comparison.entries],
        "contests": [dataclasses.asdict(contest) for contest in comparison.contests],
        "verdicts": list(wording.verdicts(comparison)),
        "notes": list(comparison.notes),
        "failures": [failure(item) for item in comparison.failures],
    }
    return json.dumps(document, indent=2) + "\n"


def _entry(entry: Entry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "description": entry.description,
        **dataclasses.asdict(entry.origin),
        "thresholds": dict(entry.thresholds),
        "figures": {
            part: {
                key: None if estimate is None else dataclasses.asdict(estimate)
                for key, estimate in columns.items()
            }
            for part, columns in entry.figures.items()
        },
    }
