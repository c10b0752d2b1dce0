"""Two images compared with each other, as text."""

from __future__ import annotations

import numpy as np

from memscan.detectors.classes import CLASSES, classify
from memscan.report import Network, Report
from memscan.reports import learned
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


def render_score(a: str, b: str, score: float, network: Network) -> str:
    """The score that a learned detector gives two images, and their class by its cuts."""
    kind = CLASSES[int(classify(np.array(score), network.cuts))]
    lines = [
        f"A: {inert_path(a)}",
        f"B: {inert_path(b)}",
        f"Detector: {learned.title(network)}",
        f"Score: {score:.4f}",
        f"Cuts: {learned.cuts(network)}",
        f"Class: {kind}",
        f"The detector is {learned.calibration(network)}",
    ]
    return "\n".join(lines) + "\n"
