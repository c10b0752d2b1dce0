"""How well fingerprints do, as a person reads it in a terminal."""

from __future__ import annotations

from typing import Iterator

from memscan.attributions import Performance, PerformanceReport
from memscan.reports.attribution import wording
from memscan.reports.names import inert, inert_path
from memscan.reports.text import RULE
from memscan.reports.unread import unread_lines
from memscan.scorecard import Estimate

_FIRST, _CELL = 16, 22


def render(report: PerformanceReport, shown: int, verbose: bool) -> str:
    """All tables."""
    return "\n".join(_lines(report, verbose)) + "\n"


def _lines(report: PerformanceReport, verbose: bool) -> Iterator[str]:
    yield f"{wording.HEADING}: how well it works"
    yield RULE
    yield wording.LEAD
    yield from unread_lines(report.lost, verbose)
    for one in report.performances:
        yield ""
        yield from _table(one)
    yield ""
    yield wording.method(report)
    if any(one.survivals for one in report.performances):
        yield wording.altered(report)


def _table(one: Performance) -> Iterator[str]:
    yield (
        f"{inert(one.generator)} on {inert_path(one.images)}: {one.real} real, {one.fake} "
        f"generated images, {inert(one.residual)}, {wording.way(one)}"
    )
    yield RULE
    yield f"AUC {wording.area(one.auc)} ({wording.area_interval(one.auc)})"
    yield _row("Threshold", ["real", "generated", "accuracy"])
    for judged in one.judged:
        shares = [_cell(each) for each in (judged.real, judged.fake, judged.mean)]
        yield _row(wording.RULES[judged.rule], shares)
    if one.survivals:
        yield _row("Altered", ["AUC", "accuracy"])
    for survival in one.survivals:
        auc = f"{wording.area(survival.auc)} ({wording.area_interval(survival.auc)})"
        yield _row(survival.alteration, [auc, _cell(survival.mean)])


def _cell(estimate: Estimate) -> str:
    return f"{wording.percent(estimate)} ({wording.interval(estimate)})"


def _row(title: str, cells: list[str]) -> str:
    return f"{title:{_FIRST}}" + "".join(f"{cell:>{_CELL}}" for cell in cells)
