"""Attributions as CSV: a row for each target and generator, then one for each failure.

Safe to open in a spreadsheet, as the table of a scan is.
"""

from __future__ import annotations

import csv
import io
from typing import Iterator

from memscan.attributions import Attribution, AttributionReport, Generator
from memscan.reports.names import path_cells, table_cell

COLUMNS = (
    "target",
    "generator",
    "score",
    "margin",
    "threshold",
    "attributed",
    "rank",
    "moved",
    "p_value",
    "format",
    "width",
    "height",
    "weaknesses",
    "failed_stage",
    "failure",
    "target_base64",
)


def render(report: AttributionReport, shown: int, verbose: bool) -> str:
    """The whole report; failures are those of targets and of real images.

    ``attributed`` is true for the one generator that the target is attributed to, ``rank`` is its
    place among those whose thresholds are exceeded. ``moved`` is how many pixels down and to the
    right the search found the grid: 0 0 where it lies as in training, nothing without a search.
    """
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    table.writeheader()
    for one in report.attributions:
        table.writerows(_rows(one, report))
    for failure in report.lost:
        table.writerow(
            {
                **path_cells("target", failure.path),
                "failed_stage": failure.stage.value,
                "failure": table_cell(failure.message),
            }
        )
    return text.getvalue()


def _rows(one: Attribution, report: AttributionReport) -> Iterator[dict[str, object]]:
    for generator, score, margin in zip(report.generators, one.scores, one.margins):
        is_named = generator.name in one.named
        yield {
            **path_cells("target", one.path),
            "generator": table_cell(generator.name),
            "score": score,
            "margin": margin,
            "threshold": _threshold(generator, one),
            "moved": "" if one.phase is None else f"{one.phase[0]} {one.phase[1]}",
            "attributed": "true" if generator.name == one.generator else "false",
            "rank": one.named.index(generator.name) + 1 if is_named else "",
            "p_value": "" if one.p_value is None else one.p_value,
            "format": one.format,
            "width": one.size[0],
            "height": one.size[1],
            "weaknesses": " ".join(weakness.value for weakness in one.weaknesses),
        }


def _threshold(generator: Generator, one: Attribution) -> float | None:
    return generator.threshold if one.phase is None else generator.moved_threshold
