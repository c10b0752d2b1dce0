"""The geometry of an evaluation's charts, in the units of their drawings."""

from __future__ import annotations

import math
from typing import Callable, Iterable, NamedTuple, Sequence, Tuple

from memscan.reports.charts import BOTTOM, LEFT, RIGHT, TOP, Limit, Tick
from memscan.scorecard import DetectorScores, Estimate

BAR_WIDTH, BAR_HEIGHT = 120, 16
"""Of the small chart beside an edit's name."""

_LEAST = 1e-7  # the axis of shares ends here at the latest

Points = Tuple[Tuple[float, float], ...]


class Bar(NamedTuple):
    """A recall with its interval, and the recall at a fixed false positive rate."""

    width: float
    low: float
    high: float
    tick: float | None


class Tradeoff(NamedTuple):
    """A detector's recall over the share of unrelated pairs that it lets pass."""

    name: str
    line: Points
    default: tuple[float, float] | None


class Tradeoffs(NamedTuple):
    """All detectors on one pair of axes; the shares of pairs are in logs."""

    detectors: tuple[Tradeoff, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]


class FalseHits(NamedTuple):
    """What unrelated images do at each threshold of one detector; shares are in logs."""

    pairs: Points
    targets: Points
    limit: Limit
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]


def bar(recall: Estimate | None, fixed: Estimate | None) -> Bar | None:
    """The small chart of one edit; None without a recall."""
    if recall is None:
        return None
    low, high = (recall.value if end is None else end for end in (recall.low, recall.high))
    width, start, end = (_round(BAR_WIDTH * share) for share in (recall.value, low, high))
    return Bar(width, start, end, None if fixed is None else _round(BAR_WIDTH * fixed.value))


def tradeoffs(detectors: Sequence[DetectorScores]) -> Tradeoffs | None:
    """Recall over false hits of all detectors that have a curve; None if none has."""
    shown = [detector for detector in detectors if detector.curve]
    if not shown:
        return None
    lowest = _lowest(point.pairs for detector in shown for point in detector.curve)
    across = _logarithmic(lowest, LEFT, RIGHT)
    lines = []
    for detector in shown:
        points = tuple((across(p.pairs), _up(p.recall)) for p in detector.curve)
        within = [p for p in detector.curve if p.distance <= detector.default_threshold]
        default = (across(within[-1].pairs), _up(within[-1].recall)) if within else None
        lines.append(Tradeoff(detector.name, tuple(dict.fromkeys(points)), default))
    y_ticks = tuple(Tick(_up(part / 5), f"{20 * part} %") for part in range(6))
    return Tradeoffs(tuple(lines), _powers(lowest, across), y_ticks)


def false_hits(detector: DetectorScores) -> FalseHits | None:
    """The false hits of one detector up to half of its unrelated pairs; None without a curve."""
    if not detector.curve:
        return None
    beyond = [point.distance for point in detector.curve if point.pairs > 0.5]
    first = detector.curve[0].distance
    last = max(beyond[0] if beyond else detector.curve[-1].distance, detector.default_threshold)
    last = last if last > first else first + 1
    shown = [point for point in detector.curve if point.distance <= last]
    lowest = _lowest(point.pairs for point in shown)
    up = _logarithmic(lowest, BOTTOM, TOP)
    unit = (RIGHT - LEFT) / (last - first)

    def across(distance: float) -> float:
        return _round(LEFT + unit * (distance - first))

    step = _step(last - first)
    marks = range(math.ceil(first / step), math.floor(last / step) + 1)
    return FalseHits(
        pairs=tuple((across(p.distance), up(p.pairs)) for p in shown if p.pairs),
        targets=tuple((across(p.distance), up(p.targets)) for p in shown if p.targets),
        limit=Limit(
            across(detector.default_threshold), f"default: {detector.default_threshold:.4g}"
        ),
        x_ticks=tuple(Tick(across(step * mark), f"{step * mark:.4g}") for mark in marks),
        y_ticks=_powers(lowest, up),
    )


def _lowest(shares: Iterable[float]) -> int:
    """The power of ten at which an axis of these shares begins."""
    least = min((share for share in shares if share > 0), default=0.1)
    return min(-1, math.floor(math.log10(max(least, _LEAST))))


def _logarithmic(lowest: int, start: float, end: float) -> Callable[[float], float]:
    """From a share to its place on an axis of 10**lowest to 1; smaller ones are at its start."""

    def place(share: float) -> float:
        part = 0.0 if share <= 0 else max(0.0, 1 - math.log10(share) / lowest)
        return _round(start + (end - start) * part)

    return place


def _powers(lowest: int, place: Callable[[float], float]) -> tuple[Tick, ...]:
    return tuple(Tick(place(10.0**power), _share(power)) for power in range(lowest, 1))


def _share(power: int) -> str:
    return "1" if power == 0 else f"1e{power}"


def _up(share: float) -> float:
    return _round(BOTTOM - (BOTTOM - TOP) * share)


def _step(span: float) -> float:
    """A round distance between ticks, so that there are some four to ten."""
    power = 10.0 ** math.floor(math.log10(span))
    return next(power * part for part in (0.1, 0.2, 0.5, 1.0) if span / (power * part) <= 10)


def _round(value: float) -> float:
    return round(value, 1)
