"""The geometry of a report's charts, in the units of their drawings."""

from __future__ import annotations

import math
from typing import NamedTuple, Sequence

from memscan.evidence.rates import rate
from memscan.records import Thresholds, Verdict
from memscan.report import Report
from memscan.verdicts import judge

WIDTH, HEIGHT = 440, 250
LEFT, RIGHT, TOP, BOTTOM = 52, 428, 34, 206
"""The edges of the area in which data is drawn."""

_LEAST_BAR = 2.0  # a single copy among thousands must show
_LEAST_EXPECTED = 1e-4  # the curve is drawn no lower
_RATE_STEPS = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
_LAST_OF_CURVE = 32  # bits: half of them, where unrelated images lie


class Tick(NamedTuple):
    """A mark on an axis, and what stands beside it."""

    at: float
    label: str


class Bar(NamedTuple):
    """The targets at one distance."""

    x: float
    y: float
    width: float
    height: float
    kind: str
    distance: str
    targets: int
    labelled: bool

    @property
    def middle(self) -> float:
        """Where its label is centred."""
        return self.x + self.width / 2


class Limit(NamedTuple):
    """A threshold: a line across the chart."""

    x: float
    label: str


class Histogram(NamedTuple):
    """How many targets have which distance to their closest source image."""

    bars: tuple[Bar, ...]
    limits: tuple[Limit, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    title: str = "distance in bits to the closest source image"


class Curve(NamedTuple):
    """Pairs observed, as points, and pairs expected by chance, as a line; the count is in logs."""

    line: tuple[tuple[float, float], ...]
    points: tuple[tuple[float, float, int, int], ...]
    limits: tuple[Limit, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]


class Whisker(NamedTuple):
    """A rate with its interval, on one line."""

    label: str
    y: float
    x: float
    low: float
    high: float


def histogram(report: Report) -> Histogram:
    """The closest distances in bits of all targets; there is at least one."""
    thresholds = report.thresholds
    counts: dict[int, int] = {}
    for finding in report.findings:
        distance = int(finding.distance)
        counts[distance] = counts.get(distance, 0) + 1
    last = min(report.hash_bits, max(int(thresholds.distinct) + 4, *counts))
    step = 1 if any(distance % 2 for distance in counts) else 2
    slot = (RIGHT - LEFT) / (last + step)
    top, y_ticks = linear(max(counts.values()))
    bars = []
    for distance, count in sorted(counts.items()):
        height = max(_LEAST_BAR, (BOTTOM - TOP) * count / top)
        bars.append(
            Bar(
                x=rounded(LEFT + slot * (distance + step * 0.08)),
                y=rounded(BOTTOM - height),
                width=rounded(slot * step * 0.84),
                height=rounded(height),
                kind=kind(distance, thresholds),
                distance=str(distance),
                targets=count,
                labelled=distance <= thresholds.distinct,
            )
        )
    limits = [
        Limit(rounded(LEFT + slot * step * (int(value) // step + 1)), label)
        for value, label in limits_of(thresholds)
    ]
    x_ticks = [
        Tick(rounded(LEFT + slot * (value + step / 2)), str(value))
        for value in range(0, last + 1, _even_step(last))
    ]
    return Histogram(tuple(bars), tuple(limits), tuple(x_ticks), y_ticks)


def curve(report: Report) -> Curve:
    """Observed against expected pairs by distance; the report's curve has at least one point."""
    shown = [point for point in report.curve if point.distance <= _LAST_OF_CURVE]
    drawn = [point for point in shown if point.expected >= _LEAST_EXPECTED]
    counts = [float(point.observed) for point in shown if point.observed]
    counts += [point.expected for point in drawn]
    lowest = math.floor(math.log10(min(counts, default=1.0)))
    highest = max(lowest + 1, math.ceil(math.log10(max(counts, default=1.0))))
    unit = (BOTTOM - TOP) / (highest - lowest)
    last = max([*(point.distance for point in shown), int(report.thresholds.distinct) + 2])
    slot = (RIGHT - LEFT) / (last + 2)

    def across(distance: float) -> float:
        return rounded(LEFT + slot * (distance + 1))

    def up(count: float) -> float:
        return rounded(BOTTOM - unit * (math.log10(count) - lowest))

    every = 1 if highest - lowest <= 6 else 2
    return Curve(
        line=tuple((across(point.distance), up(point.expected)) for point in drawn),
        points=tuple(
            (across(point.distance), up(point.observed), point.distance, point.observed)
            for point in shown
            if point.observed
        ),
        limits=tuple(
            Limit(across(value // 2 * 2 + 1), label)
            for value, label in limits_of(report.thresholds)
        ),
        x_ticks=tuple(Tick(across(at), str(at)) for at in range(0, last + 1, _even_step(last))),
        y_ticks=tuple(
            Tick(rounded(BOTTOM - unit * (power - lowest)), _power(power))
            for power in range(lowest, highest + 1, every)
        ),
    )


def whiskers(rows: Sequence[tuple[str, int, int]]) -> tuple[tuple[Whisker, ...], tuple[Tick, ...]]:
    """Rates (label, count, total) over each other on one axis, and the ticks of the axis."""
    rates = [rate(count, total) for _, count, total in rows]
    most = max(value.high for value in rates)
    step = next(step for step in _RATE_STEPS if 5 * step >= most)
    top = step * math.ceil(most / step)
    drawn = []
    for row, ((label, _, _), value) in enumerate(zip(rows, rates)):
        x, low, high = (
            rounded(LEFT + (RIGHT - LEFT) * part / top)
            for part in (value.share, value.low, value.high)
        )
        drawn.append(Whisker(label, 34.0 + 44 * row, x, low, high))
    ticks = [
        Tick(rounded(LEFT + (RIGHT - LEFT) * part * step / top), f"{100 * part * step:.6g} %")
        for part in range(round(top / step) + 1)
    ]
    return tuple(drawn), tuple(ticks)


def limits_of(thresholds: Thresholds) -> list[tuple[float, str]]:
    """Each threshold once, the smaller first: its label stands above the other's line."""
    near = (thresholds.near, f"near-duplicate: up to {thresholds.near:g}")
    if thresholds.distinct == thresholds.near:
        return [near]
    return [near, (thresholds.distinct, f"review: up to {thresholds.distinct:g}")]


def kind(distance: float, thresholds: Thresholds) -> str:
    """The verdict that a distance stands for, as a class of the page's style."""
    verdict = judge(distance, thresholds)
    if verdict is Verdict.DISTINCT:
        return "review" if distance <= thresholds.distinct else "distinct"
    return "identical" if verdict is Verdict.IDENTICAL else "near"


def linear(most: int) -> tuple[float, tuple[Tick, ...]]:
    """The top of an axis of counts that holds ``most``, and its ticks."""
    step = max(1, 10 ** (len(str(most)) - 1))
    for part in (5, 2):
        if step % part == 0 and most / (step // part) <= 5:
            step //= part
            break
    while most / step > 5:
        step *= 2
    top = step * math.ceil(most / step)
    ticks = [
        Tick(rounded(BOTTOM - (BOTTOM - TOP) * value / top), f"{value:,}")
        for value in range(0, top + 1, step)
    ]
    return float(top), tuple(ticks)


def _even_step(last: int) -> int:
    return 4 if last <= 36 else 8


def _power(power: int) -> str:
    return f"{10**power:,}" if power >= 0 else f"{10.0**power:.{-power}f}"


def rounded(value: float) -> float:
    """A coordinate: a tenth of a pixel is not seen."""
    return round(value, 1)
