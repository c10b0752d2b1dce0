"""The geometry of charts of a figure over the strengths of an edit, in the units of drawings."""

from __future__ import annotations

from typing import NamedTuple, Tuple

from memscan.protocols import Comparison, Part
from memscan.reports.charts import BOTTOM, LEFT, RIGHT, TOP, Tick
from memscan.reports.protocols import wording

Points = Tuple[Tuple[float, float], ...]

_MARGIN = 18  # between the axis and the first strength


class Chart(NamedTuple):
    """A line for each detector, in their order, over the strengths of one kind of edit."""

    group: str
    lines: tuple[Points, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]


def charts(comparison: Comparison, key: str) -> list[Chart]:
    """A chart of one column for each group of a grid; none where there is no grid."""
    groups: dict[str, list[Part]] = {}
    for part in wording.cells(comparison):
        groups.setdefault(part.group, []).append(part)
    y_ticks = tuple(Tick(_up(step / 5), f"{20 * step} %") for step in range(6))
    drawn = []
    for group, parts in groups.items():
        width = (RIGHT - LEFT - 2 * _MARGIN) / max(1, len(parts) - 1)
        places = [round(LEFT + _MARGIN + width * part.place, 1) for part in parts]
        lines = []
        for entry in comparison.entries:
            estimates = [entry.figures[part.key].get(key) for part in parts]
            lines.append(
                tuple((x, _up(found.value)) for x, found in zip(places, estimates) if found)
            )
        ticks = tuple(Tick(x, part.title.split()[-1]) for x, part in zip(places, parts))
        drawn.append(Chart(group, tuple(lines), ticks, y_ticks))
    return drawn


def _up(share: float) -> float:
    return round(BOTTOM - (BOTTOM - TOP) * share, 1)
