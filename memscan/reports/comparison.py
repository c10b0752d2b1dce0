"""Two images compared with each other, as text."""

from __future__ import annotations

from memscan.records import Finding
from memscan.reports.names import inert
from memscan.reports.text import verdict_lines


def render(finding: Finding) -> str:
    """Both hashes (16 hex digits), the distance in bits and the verdict."""
    match = finding.matches[0]
    lines = [
        f"A: {finding.hash:016x} {inert(finding.target)}",
        f"B: {match.hash:016x} {inert(match.source)}",
        f"Distance: {match.distance}",
        *verdict_lines(finding.verdict, finding.reasons),
    ]
    return "\n".join(lines) + "\n"
