"""What a model seems to remember as CSV: a row per target and method, then one per failure.

As safe to open in a spreadsheet as the table of a scan.
"""

from __future__ import annotations

import csv
import io
from typing import Iterator

from memscan.probes import Measured, Probe, ProbeReport
from memscan.records import Failure
from memscan.reports.names import path_cells, table_cell

COLUMNS = (
    "target",
    "method",
    "score",
    "p_value",
    "memorised",
    "threshold",
    "distance",
    "magnitude",
    "tokens",
    "reference",
    "failed_stage",
    "failure",
    "target_base64",
    "reference_base64",
)


def render(report: ProbeReport, shown: int, verbose: bool) -> str:
    """The whole report, with all targets."""
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    table.writeheader()
    table.writerows(_rows(report))
    return text.getvalue()


def _rows(report: ProbeReport) -> Iterator[dict[str, object]]:
    for probe in report.probes:
        for method in report.methods:
            yield _row(probe, method, probe.methods[method], report.thresholds[method])
    for role, failures in (
        ("target", report.target_failures),
        ("reference", report.reference_failures),
    ):
        for failure in failures:
            yield _failure_row(role, failure)


def _row(
    probe: Probe, method: str, measured: Measured, threshold: float | None
) -> dict[str, object]:
    tokens = " ".join(f"{text}={value:.4g}" for text, value in probe.tokens)
    return {
        **path_cells("target", probe.path),
        "method": method,
        "score": measured.score,
        "p_value": measured.p_value,
        "memorised": "true" if measured.memorised else "false",
        "threshold": "" if threshold is None else threshold,
        "distance": "" if measured.distance is None else measured.distance,
        "magnitude": "" if measured.magnitude is None else measured.magnitude,
        "tokens": table_cell(tokens) if method == "tcnp" else "",
    }


def _failure_row(role: str, failure: Failure) -> dict[str, object]:
    return {
        **path_cells(role, failure.path),
        "failed_stage": failure.stage.value,
        "failure": table_cell(failure.message),
    }
