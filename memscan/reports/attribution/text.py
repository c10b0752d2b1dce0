"""Attributions as a person reads them in a terminal."""

from __future__ import annotations

from typing import Iterator

from memscan.attributions import Attribution, AttributionReport, Weakness
from memscan.evidence import rates
from memscan.reports.attribution import wording
from memscan.reports.names import inert, inert_path
from memscan.reports.text import RULE
from memscan.reports.unread import unread_lines

_NAME = 24


def render(report: AttributionReport, shown: int, verbose: bool) -> str:
    """The ``shown`` most suspect targets, and the numbers."""
    return "\n".join(_lines(report, shown, verbose)) + "\n"


def _lines(report: AttributionReport, shown: int, verbose: bool) -> Iterator[str]:
    yield wording.HEADING
    yield RULE
    yield wording.LEAD
    yield wording.thresholds(report)
    for place in report.targets:
        yield f"[+] Found {place.found} target images in {inert_path(place.path)}"
    yield from unread_lines(report.lost, verbose)
    yield ""
    yield f"{'Fingerprint':{_NAME}}{'side':>6}{'threshold':>12}{'if moved':>10}  residual, origin"
    for one in report.generators:
        moved = "" if one.moved_threshold is None else f"{one.moved_threshold:.5f}"
        origin = f"{inert(one.residual)}, {inert(one.made)}"
        yield f"{inert(one.name):{_NAME}}{one.side:>6}{one.threshold:>12.5f}{moved:>10}  {origin}"
    yield ""
    if shown:
        yield from _most_suspect(report, shown)
        yield ""
    yield from _summary(report)


def _most_suspect(report: AttributionReport, shown: int) -> Iterator[str]:
    yield f"{'Margin':>7} {'p-value':>8}  {'Generator':{_NAME}}Image"
    yield RULE
    for one in report.most_suspect[:shown]:
        yield from _target(one, report)
    if len(report.attributions) > shown:
        yield f"and {len(report.attributions) - shown} others (--top shows more, JSON has all)"


def _target(one: Attribution, report: AttributionReport) -> Iterator[str]:
    p_value = "" if one.p_value is None else f"{one.p_value:.3f}"
    margin = max(one.margins)
    decision = f"{wording.decision(one):{_NAME - 2}}"
    yield f"{margin:7.2f} {p_value:>8}  {decision}  {inert_path(one.path)}"
    scores = zip(report.generators, one.scores)
    said = ["  ".join(f"{inert(each.name)} {score:.4f}" for each, score in scores)]
    said += wording.remarks(one)
    if one.weaknesses:
        said.append(f"weak: {wording.weaknesses(one)}")
    for line in said:
        yield f"{'':18}{line}"


def _summary(report: AttributionReport) -> Iterator[str]:
    yield "Summary"
    yield RULE
    total = len(report.attributions)
    yield f"Targets: {total}"
    for _, words, count in wording.outcomes(report):
        rate = rates.rate(count, total)
        yield (
            f"Attributed to {words}: {count} ({rate.share:.1%}, 95% interval {rate.low:.1%} to "
            f"{rate.high:.1%})"
        )
    ambiguous = sum(one.is_ambiguous for one in report.attributions)
    if ambiguous:
        yield f"Between several generators: {ambiguous}"
    for weakness in Weakness:
        count = sum(weakness in one.weaknesses for one in report.attributions)
        if count:
            yield f"Weak evidence, {weakness.value}: {count} ({wording.WEAKNESSES[weakness]})"
    yield f"Not read: {len(report.lost)}"
