"""What a model seems to remember, as a person reads it in a terminal."""

from __future__ import annotations

from typing import Iterator

from memscan.probes import Measured, Probe, ProbeReport
from memscan.reports.names import inert, inert_path
from memscan.reports.probe import methods, wording
from memscan.reports.text import RULE
from memscan.reports.unread import unread_lines

_TITLE, _COLUMN, _METHOD = 24, 11, 6  # widths
_TOKENS = 5  # the most significant ones that are shown


def render(report: ProbeReport, shown: int, verbose: bool) -> str:
    """The ``shown`` most suspicious targets, and the numbers."""
    return "\n".join(_lines(report, shown, verbose)) + "\n"


def _lines(report: ProbeReport, shown: int, verbose: bool) -> Iterator[str]:
    yield f"{wording.HEADING}: {inert_path(report.model)}"
    yield wording.CAVEAT
    for role, places, failures in (
        ("target", report.targets, report.target_failures),
        ("reference", report.references, report.reference_failures),
    ):
        for place in places:
            yield f"[+] Found {place.found} {role} images in {inert_path(place.path)}"
        yield from unread_lines(failures, verbose)
    yield ""
    if shown and report.probes:
        yield from _most_suspicious(report, shown)
        yield ""
    yield from _methods(report)
    if report.contest is not None:
        yield ""
        yield from methods.lines(report.contest)
    yield ""
    yield "Summary"
    yield RULE
    yield wording.headline(report)
    yield from wording.remarks(report)


def _most_suspicious(report: ProbeReport, shown: int) -> Iterator[str]:
    yield "Most suspicious"
    yield RULE
    for probe in report.most_suspicious[:shown]:
        yield inert_path(probe.path)
        for method in report.methods:
            yield _measured(method, probe.methods[method])
        if probe.tokens:
            yield f"  tokens: {_tokens(probe)}"
    left = len(report.probes) - shown
    if left > 0:
        yield f"and {left} other targets (--top shows more, JSON and CSV have all)"


def _measured(method: str, measured: Measured) -> str:
    name = "S" if measured.distance is not None else "score"
    parts = [
        f"  {method:{_METHOD}}{wording.verdict(measured):9}",
        f"p {wording.p_value(measured.p_value):7}",
        f"{name} {wording.figure(measured.score)}",
    ]
    if measured.distance is not None:
        parts.append(f"(D {wording.figure(measured.distance)}")
        parts.append(f"E {wording.figure(measured.magnitude)})")
    return " ".join(parts)


def _tokens(probe: Probe) -> str:
    """The most significant tokens of the prompt, the most significant first."""
    ranked = sorted(probe.tokens, key=lambda token: -token[1])[:_TOKENS]
    return ", ".join(f"{inert(text)} {wording.figure(value)}" for text, value in ranked)


def _methods(report: ProbeReport) -> Iterator[str]:
    names = report.methods
    yield _row("Method", list(names))
    yield RULE
    yield _row("Reference images", [str(len(report.reference_scores[name])) for name in names])
    yield _row("Memorised above", [wording.figure(report.thresholds[name]) for name in names])
    counts = [wording.memorised_count(report, name) for name in names]
    yield _row("Memorised targets", counts)


def _row(title: str, cells: list[str]) -> str:
    return f"{title:{_TITLE}}" + "".join(f"{cell:>{_COLUMN}}" for cell in cells)
