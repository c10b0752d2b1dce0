"""The areas of all fingerprints on all models' images, drawn: blue is chance or less, red is more.

Draws into a figure of matplotlib's that :mod:`memscan.reports.plots` made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Sequence

import numpy as np

from memscan.kinship import Kind, LineageReport
from memscan.reports.lineage import wording

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_CELL, _MARGIN, _LEGEND = 0.55, 1.6, 0.7  # inches
_COLOURS = "RdBu_r"
_INK, _LIGHT = "#222222", "#ffffff"
_DARK = 0.3  # from this distance of chance on, ink on a cell is light


def inches(report: LineageReport) -> tuple[float, float]:
    """The width and the height of the figure."""
    panels = len(report.residuals)
    width = max(3.5, _MARGIN + _CELL * len(report.models))
    height = _MARGIN + _CELL * len(report.fingerprints)
    return width, panels * height + _LEGEND


def fill(figure: Figure, report: LineageReport) -> None:
    """Draw a panel for each residual, and one scale of colours for all."""
    panels = figure.subplots(len(report.residuals), 1, squeeze=False)[:, 0]
    for axes, residual in zip(panels, report.residuals):
        _draw(axes, report, residual)
    scale = figure.colorbar(
        panels[0].images[0],
        ax=list(panels),
        orientation="horizontal",
        label="Area under the ROC curve (0.5 is chance)",
        aspect=40,
    )
    scale.outline.set_visible(False)


def _draw(axes: Axes, report: LineageReport, residual: str) -> None:
    models = [model.name for model in report.models]
    names = [one.name for one in report.fingerprints]
    areas = [[report.cell(name, model).areas[residual] for model in models] for name in names]
    values = np.array([[area.value for area in row] for row in areas])
    axes.imshow(values, cmap=_COLOURS, vmin=0, vmax=1, aspect="auto")
    related = {(one.first, one.second) for one in report.of_kind(Kind.RELATED)}
    for row, name in enumerate(names):
        for column, model in enumerate(models):
            area = areas[row][column]
            ink = _LIGHT if abs(area.value - 0.5) > _DARK else _INK
            for text, down, size in (
                (f"{area.value:.2f}", -0.12, 8),
                (f"{area.low:.2f}-{area.high:.2f}", 0.25, 5),
            ):
                axes.text(column, row + down, text, size=size, color=ink, ha="center", va="center")
            if {(name, model), (model, name)} & related:
                _outline(axes, column, row)
    axes.set_xticks(
        range(len(models)), _plain(models), rotation=30, ha="right", rotation_mode="anchor"
    )
    axes.set_yticks(range(len(names)), _plain(names))
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_title(f"By {wording.residual(residual)} (framed: related)")
    axes.set_xlabel("Images of")
    axes.set_ylabel("Fingerprint of")


def _outline(axes: Axes, column: int, row: int) -> None:
    left, top = column - 0.46, row - 0.46
    right, bottom = column + 0.46, row + 0.46
    across, down = [left, right, right, left, left], [top, top, bottom, bottom, top]
    axes.plot(across, down, color=_INK, linewidth=1.5, solid_joinstyle="miter")


def _plain(names: Sequence[str]) -> list[str]:
    """Names in which a dollar sign begins no formula."""
    return [wording.short(name).replace("$", r"\$") for name in names]
