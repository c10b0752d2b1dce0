"""Two images compared with each other, as text."""

from __future__ import annotations

from memscan.report import Report
from memscan.reports.names import hex_digits, inert_path
from memscan.reports.text import verdict_lines


def render(report: Report) -> str:
    """Both hashes in hexadecimal digits, the distance in bits and the verdict.

    ``report`` holds one finding.
    """
    (finding,) = report.findings
    match = finding.matches[0]
    lines = [
        f"A: {hex_digits(finding.hash, report.hash_bits)} {inert_path(finding.target)}",
        f"B: {hex_digits(match.hash, report.hash_bits)} {inert_path(match.source)}",
        f"Distance: {match.distance}",
        *verdict_lines(finding.verdict, finding.reasons),
    ]
    return "\n".join(lines) + "\n"
