"""How well fingerprints do, as CSV: a row for each threshold, alteration, and at last failure.

Safe to open in a spreadsheet, as the table of a scan is.
"""

from __future__ import annotations

import csv
import io
from typing import Iterator

from memscan.attributions import Performance, PerformanceReport
from memscan.reports.names import path_cells, table_cell
from memscan.scorecard import Estimate

_FIGURES = ("real_accuracy", "fake_accuracy", "accuracy", "auc")
COLUMNS = (
    "images",
    "generator",
    "residual",
    "phases_searched",
    "real",
    "fake",
    "alteration",
    "rule",
    "threshold",
    *(f"{name}{end}" for name in _FIGURES for end in ("", "_low", "_high")),
    "failed_stage",
    "failure",
    "images_base64",
)


def render(report: PerformanceReport, shown: int, verbose: bool) -> str:
    """The whole report; failures are those of measured and of real images.

    ``images`` is the folder that was measured on, and in the row of a failure what was not read.
    """
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    table.writeheader()
    for one in report.performances:
        table.writerows(_rows(one))
    for failure in report.lost:
        table.writerow(
            {
                **path_cells("images", failure.path),
                "failed_stage": failure.stage.value,
                "failure": table_cell(failure.message),
            }
        )
    return text.getvalue()


def _rows(one: Performance) -> Iterator[dict[str, object]]:
    own = {
        **path_cells("images", one.images),
        "generator": table_cell(one.generator),
        "residual": one.residual,
        "phases_searched": "true" if one.search else "false",
        "real": one.real,
        "fake": one.fake,
    }
    for judged in one.judged:
        yield {
            **own,
            "alteration": "none",
            "rule": judged.rule,
            "threshold": judged.threshold,
            **_cells("real_accuracy", judged.real),
            **_cells("fake_accuracy", judged.fake),
            **_cells("accuracy", judged.mean),
            **_cells("auc", one.auc),
        }
    for survival in one.survivals:
        yield {
            **own,
            "alteration": survival.alteration,
            "rule": "nearest mean",
            **_cells("accuracy", survival.mean),
            **_cells("auc", survival.auc),
        }


def _cells(name: str, estimate: Estimate) -> dict[str, object]:
    ends = {f"{name}_low": estimate.low, f"{name}_high": estimate.high}
    return {name: estimate.value, **{key: "" if end is None else end for key, end in ends.items()}}
