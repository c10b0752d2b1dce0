"""Which models are related, as a person reads it in a terminal."""

from __future__ import annotations

from typing import Iterator

from memscan.kinship import Kind, LineageReport
from memscan.reports.lineage import wording
from memscan.reports.names import inert, inert_path
from memscan.reports.text import RULE
from memscan.reports.unread import unread_lines

MOST = 20
"""Relations of a kind that are listed; a verbose text lists all."""


def render(report: LineageReport, verbose: bool) -> str:
    """The whole report; a verbose one has every relation, and names what could not be read."""
    return "\n".join(_lines(report, verbose)) + "\n"


def _lines(report: LineageReport, verbose: bool) -> Iterator[str]:
    yield "Lineage"
    yield f"[+] {len(report.fingerprints)} fingerprints"
    for model in report.models:
        yield f"[+] Found {model.source.found} images in {inert_path(model.source.path)}"
    for source in report.real:
        yield f"[+] Found {source.found} real images in {inert_path(source.path)}"
    yield from unread_lines(report.failures, verbose)
    for name in report.residuals:
        yield ""
        yield from _table(report, name)
    yield ""
    yield "Relations"
    yield RULE
    for kind in Kind:
        yield from _relations(report, kind, verbose)
    yield ""
    yield from wording.rule(report)


def _table(report: LineageReport, residual: str) -> Iterator[str]:
    yield f"Area under the ROC curve, by {wording.residual(residual)} (0.50 is chance)"
    yield RULE
    names = [wording.short(one.name) for one in report.fingerprints]
    models = [wording.short(model.name) for model in report.models]
    first = max(len("fingerprint"), *map(len, names))
    widths = [max(len("0.00-0.00"), len(model)) + 2 for model in models]

    def row(title: str, cells: list[str]) -> str:
        return f"{title:{first}}" + "".join(f"{cell:>{w}}" for cell, w in zip(cells, widths))

    yield row("fingerprint", models)
    for one, name in zip(report.fingerprints, names):
        areas = [report.cell(one.name, model.name).areas[residual] for model in report.models]
        yield row(name, [f"{area.value:.2f}" for area in areas])
        yield row("", [f"{area.low:.2f}-{area.high:.2f}" for area in areas])


def _relations(report: LineageReport, kind: Kind, verbose: bool) -> Iterator[str]:
    found = report.of_kind(kind)
    yield f"{kind.value.capitalize()}: {len(found)}"
    listed = found if verbose else found[:MOST]
    for relation in listed:
        arrow = "->" if kind is Kind.ONE_DIRECTION else "and"
        reason = f": {inert(relation.reason)}" if relation.reason else ""
        yield f"  {inert(relation.first)} {arrow} {inert(relation.second)}{reason}"
        if kind in (Kind.RELATED, Kind.ONE_DIRECTION):
            yield from (f"    {line}" for line in wording.directions(report, relation))
    if len(found) > len(listed):
        yield f"  and {len(found) - len(listed)} more (--verbose lists them)"
