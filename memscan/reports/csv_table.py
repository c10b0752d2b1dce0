"""The report as CSV: one row per target and match, then one per failure.

Safe to open in a spreadsheet: a cell that would be taken for a formula begins with an apostrophe,
and nothing unprintable is written. Where that changes a path, its bytes stand in base64 in the
last columns.
"""

from __future__ import annotations

import csv
import io
from typing import Iterator

from memscan.records import Failure, Finding, Match
from memscan.report import Report
from memscan.reports import Style, learned
from memscan.reports.names import hex_digits, path_cells, table_cell

COLUMNS = (
    "target",
    "rank",
    "source",
    "distance",
    "view",
    "similarity",
    "verdict",
    "review",
    "reasons",
    "accepted",
    "expected_by_chance",
    "chance_basis",
    "target_hash",
    "source_hash",
    "quality",
    "failed_stage",
    "failure",
    "target_base64",
    "source_base64",
)

LEARNED_COLUMNS = ("score", "confirmation")
"""The last columns of a scan in which learned detectors took part."""


def render(report: Report, style: Style) -> str:
    """The whole report, whatever the style."""
    text = io.StringIO()
    columns: tuple[str, ...] = COLUMNS
    if report.detector is not None or report.verifier is not None:
        columns += LEARNED_COLUMNS
    table = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    table.writeheader()
    table.writerows(_rows(report))
    return text.getvalue()


def _rows(report: Report) -> Iterator[dict[str, object]]:
    for finding in report.findings:
        for rank, match in enumerate(finding.matches, start=1):
            yield _match_row(finding, rank, match, report.hash_bits)
    for role, failures in (
        ("target", report.target_failures),
        ("source", report.source_failures),
        ("source", report.holdout.failures if report.holdout else ()),
    ):
        for failure in failures:
            yield _failure_row(role, failure)


def _match_row(finding: Finding, rank: int, match: Match, bits: int) -> dict[str, object]:
    return {
        **path_cells("target", finding.target),
        **path_cells("source", match.source),
        "rank": rank,
        "distance": match.distance,
        "view": match.view.name,
        "similarity": "" if match.similarity is None else match.similarity,
        "verdict": finding.verdict.value,
        "review": "true" if finding.review else "false",
        "reasons": " ".join(reason.value for reason in finding.reasons),
        "accepted": "true" if finding.accepted else "false",
        "expected_by_chance": "" if finding.chance.expected is None else finding.chance.expected,
        "chance_basis": finding.chance.basis.value,
        "target_hash": hex_digits(finding.hash, bits),
        "source_hash": hex_digits(match.hash, bits),
        "quality": "" if finding.quality is None else finding.quality,
        **learned.match_fields(match),
    }


def _failure_row(role: str, failure: Failure) -> dict[str, object]:
    return {
        **path_cells(role, failure.path),
        "failed_stage": failure.stage.value,
        "failure": table_cell(failure.message),
    }
