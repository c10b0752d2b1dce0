"""The near-duplicates as a person reads them in a terminal."""

from __future__ import annotations

from typing import Iterator

from memscan.groups import DuplicateGroup, DuplicateReport
from memscan.reports.names import inert_path
from memscan.reports.text import RULE
from memscan.reports.unread import unread_lines


def render(report: DuplicateReport, verbose: bool) -> str:
    """The whole report; ``verbose`` names what could not be read or is low-information."""
    return "\n".join(_lines(report, verbose)) + "\n"


def _lines(report: DuplicateReport, verbose: bool) -> Iterator[str]:
    yield f"Looking for near-duplicates (distance {report.threshold} or less)..."
    for source in report.sources:
        yield f"[+] Found {source.found} images in {inert_path(source.path)}"
    yield from unread_lines(report.failures, verbose)
    yield from _left_out(report, verbose)
    for number, group in enumerate(report.groups, start=1):
        yield ""
        yield f"Group {number}: {group.size} images, largest distance {group.largest_distance}"
        yield RULE
        yield from _block(group)
    yield ""
    yield "Summary"
    yield RULE
    yield f"Images compared: {report.hashed - len(report.low_information)}"
    yield f"Groups: {len(report.groups)}"
    yield f"Images in groups: {report.grouped}"
    yield (
        f"Removable if each group keeps one: {report.removable} "
        f"({report.removable_share:.1%} of {report.hashed})"
    )
    yield f"Low-information: {len(report.low_information)}"
    yield f"Not read: {len(report.failures)}"


def _left_out(report: DuplicateReport, verbose: bool) -> Iterator[str]:
    if report.low_information:
        hint = ":" if verbose else " (--verbose lists them)"
        yield f"[!] Left out {len(report.low_information)} low-information images{hint}"
        if verbose:
            yield from (f"    {inert_path(path)}" for path in report.low_information)


def _block(group: DuplicateGroup) -> Iterator[str]:
    width = len(f"{group.largest_distance}")
    for member in group.members:
        yield f"Distance {member.distance:{width}}: {inert_path(member.path)}"
