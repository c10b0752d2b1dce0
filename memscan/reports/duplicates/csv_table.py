"""The near-duplicates as CSV: a row per member, low-information image and failure.

As safe to open in a spreadsheet as the table of a scan.
"""

from __future__ import annotations

import csv
import io
from typing import Iterator

from memscan.groups import DuplicateReport
from memscan.reports.names import path_cells, table_cell

COLUMNS = (
    "kind",
    "group",
    "size",
    "largest_distance",
    "rank",
    "path",
    "distance",
    "hash",
    "failed_stage",
    "failure",
    "path_base64",
)


def render(report: DuplicateReport, verbose: bool) -> str:
    """The whole report, verbose or not."""
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    table.writeheader()
    table.writerows(_rows(report))
    return text.getvalue()


def _rows(report: DuplicateReport) -> Iterator[dict[str, object]]:
    for number, group in enumerate(report.groups, start=1):
        for rank, member in enumerate(group.members, start=1):
            yield {
                "kind": "member",
                "group": number,
                "size": group.size,
                "largest_distance": group.largest_distance,
                "rank": rank,
                **path_cells("path", member.path),
                "distance": member.distance,
                "hash": f"{member.hash:016x}",
            }
    for path in report.low_information:
        yield {"kind": "low-information", **path_cells("path", path)}
    for failure in report.failures:
        yield {
            "kind": "failure",
            **path_cells("path", failure.path),
            "failed_stage": failure.stage.value,
            "failure": table_cell(failure.message),
        }
