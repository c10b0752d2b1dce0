"""The histogram of a report whose distances are 1 minus a score."""

from __future__ import annotations

import math

from memscan.report import Report
from memscan.reports.charts import (
    BOTTOM,
    LEFT,
    RIGHT,
    TOP,
    Bar,
    Histogram,
    Limit,
    Tick,
    kind,
    limits_of,
    linear,
    rounded,
)

_STEPS = (0.01, 0.02, 0.05, 0.1)
_MOST_BINS = 40
_LEAST_BAR = 2.0  # a single copy among thousands must show
_KINDS = ("identical", "near", "review", "distinct")


def histogram(report: Report) -> Histogram:
    """The closest distances of all targets, in bins; there is at least one target.

    A bin that a threshold divides has a bar for each side, one upon the other.
    """
    thresholds, limits = report.thresholds, limits_of(report.thresholds)
    calibrated = report.detector is not None and report.detector.is_calibrated
    if not calibrated:  # nothing is a copy, whatever the cut of duplicates is
        limits = limits[-1:]
    farthest = max(thresholds.distinct, *(finding.distance for finding in report.findings))
    step = next((step for step in _STEPS if farthest / step <= _MOST_BINS), _STEPS[-1])
    bins = math.floor(farthest / step + 1e-9) + 2
    slot = (RIGHT - LEFT) / bins
    counts: dict[tuple[int, str], int] = {}
    for finding in report.findings:
        name = kind(finding.distance, thresholds)
        if not calibrated and name != "distinct":
            name = "review"
        place = math.floor(finding.distance / step + 1e-9), name
        counts[place] = counts.get(place, 0) + 1
    sums = [sum(counts.get((at, name), 0) for name in _KINDS) for at in range(bins)]
    top, y_ticks = linear(max(sums))
    bars = []
    bottom = dict.fromkeys(range(bins), float(BOTTOM))
    for at, name in sorted(counts, key=lambda place: (place[0], _KINDS.index(place[1]))):
        height = max(_LEAST_BAR, (BOTTOM - TOP) * counts[at, name] / top)
        bottom[at] -= height
        bars.append(
            Bar(
                x=rounded(LEFT + slot * (at + 0.08)),
                y=rounded(bottom[at]),
                width=rounded(slot * 0.84),
                height=rounded(height),
                kind=name,
                distance=f"{at * step:.2f} to {(at + 1) * step:.2f}",
                targets=counts[at, name],
                labelled=name != "distinct" and sums[at] == counts[at, name],
            )
        )
    every = max(1, round(bins / 8))
    return Histogram(
        tuple(bars),
        tuple(Limit(rounded(LEFT + slot * value / step), label) for value, label in limits),
        tuple(Tick(rounded(LEFT + slot * at), f"{at * step:.2f}") for at in range(0, bins, every)),
        y_ticks,
        "distance (1 minus score) to the closest source image",
    )
