"""Which models are related, as CSV: a row per area, per relation and per failure.

As safe to open in a spreadsheet as the table of a scan.
"""

from __future__ import annotations

import csv
import io
from typing import Iterator

from memscan.kinship import LineageReport
from memscan.reports.names import path_cells, table_cell

COLUMNS = (
    "kind",
    "fingerprint",
    "model",
    "residual",
    "auc",
    "low",
    "high",
    "sure",
    "images",
    "real",
    "relation",
    "reason",
    "path",
    "failed_stage",
    "failure",
    "path_base64",
)


def render(report: LineageReport, verbose: bool) -> str:
    """The whole report, verbose or not. Of a relation, the two names stand as in an area."""
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    table.writeheader()
    table.writerows(_rows(report))
    return text.getvalue()


def _rows(report: LineageReport) -> Iterator[dict[str, object]]:
    for cell in report.cells:
        for residual, area in cell.areas.items():
            yield {
                "kind": "area",
                "fingerprint": table_cell(cell.fingerprint),
                "model": table_cell(cell.model),
                "residual": residual,
                "auc": f"{area.value:.6f}",
                "low": f"{area.low:.6f}",
                "high": f"{area.high:.6f}",
                "sure": f"{cell.sure[residual]:.6f}",
                "images": area.positives,
                "real": area.negatives,
            }
    for relation in report.relations:
        yield {
            "kind": "relation",
            "fingerprint": table_cell(relation.first),
            "model": table_cell(relation.second),
            "relation": relation.kind.value,
            "reason": table_cell(relation.reason),
        }
    for failure in report.failures:
        yield {
            "kind": "failure",
            **path_cells("path", failure.path),
            "failed_stage": failure.stage.value,
            "failure": table_cell(failure.message),
        }
