"""Audits, trainings and lineages as figures for a paper. The only importer of matplotlib.

The same audit gives the same bytes with the same matplotlib: no dates, and no settings of the
user's own.
"""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING, Any, Callable, Sequence

from memscan.errors import InputError
from memscan.evidence.rates import rate
from memscan.records import Verdict
from memscan.reports.read_back import Audit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from memscan.detectors.training import Epoch
    from memscan.kinship import LineageReport

SUFFIXES = {".png": "png", ".pdf": "pdf", ".svg": "svg"}
"""The format of a figure by the end of its name, in lower case."""

_INCHES, _CURVES_INCHES = (3.5, 6.0), (3.5, 4.0)  # a column of a paper
_DOTS_PER_INCH = 300

# Okabe and Ito's colours, which people of any colour vision tell apart.
_IDENTICAL, _NEAR, _REVIEW, _DISTINCT = "#D55E00", "#E69F00", "#56B4E9", "#0072B2"
_INK, _FAINT = "#222222", "#777777"

_SETTINGS: dict[Any, Any] = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "figure.constrained_layout.h_pad": 0.08,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "axes.edgecolor": _INK,
    "pdf.fonttype": 42,  # embedded as TrueType, as publishers ask
    "svg.hashsalt": "memscan",
}

# What matplotlib would write into a file about the moment and itself.
_METADATA: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "svg": {"Date": None, "Creator": None},
}

_LOG_FROM = 100
"""Targets at one distance from which bars of a few would not be seen on a linear axis."""

_LEAST_PAIRS = 1e-3
"""The expected number of pairs at which the axis ends: nothing is seen below."""


def require_matplotlib() -> None:
    """Raise InputError if matplotlib is not installed; a broken one raises its own error."""
    try:
        import matplotlib  # noqa: F401
    except ModuleNotFoundError as error:
        if error.name != "matplotlib":
            raise
        raise InputError(
            "plots need matplotlib, which is not installed: pip install 'memscan[report]'"
        ) from error


def draw(audit: Audit, format: str) -> bytes:
    """The figure as a file in one of the formats of :data:`SUFFIXES`.

    Three panels: how far each target is from its closest source, the share of targets with each
    verdict, and the pairs at each distance beside those expected by chance.
    """
    return _file(lambda figure: _fill(figure, audit), _INCHES, format)


def draw_learning_curves(epochs: Sequence[Epoch], kept: int, format: str) -> bytes:
    """The figure as a file: the loss after each epoch, and what else validation measured.

    ``kept`` is the place of the epoch whose weights were kept.
    """
    return _file(lambda figure: _fill_curves(figure, epochs, kept), _CURVES_INCHES, format)


def draw_lineage(report: LineageReport, format: str) -> bytes:
    """The heat map as a file: a panel for each residual (see memscan.reports.lineage.heat_map)."""
    from memscan.reports.lineage import heat_map

    return _file(lambda figure: heat_map.fill(figure, report), heat_map.inches(report), format)


def _file(fill: Callable[[Figure], None], inches: tuple[float, float], format: str) -> bytes:
    require_matplotlib()
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    file = io.BytesIO()
    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # not what the user's matplotlibrc says
        matplotlib.rcParams.update(_SETTINGS)
        figure = Figure(figsize=inches, constrained_layout=True)
        FigureCanvasAgg(figure)
        fill(figure)
        figure.savefig(file, format=format, dpi=_DOTS_PER_INCH, metadata=_METADATA[format])
    return file.getvalue()


def _fill(figure: Figure, audit: Audit) -> None:
    heights = [5, 5, 5 if audit.has_chance_model else 1]
    distances, shares, pairs = figure.subplots(3, 1, gridspec_kw={"height_ratios": heights})
    _draw_distances(distances, audit)
    _draw_shares(shares, audit)
    _draw_pairs(pairs, audit)


def _draw_distances(axes: Axes, audit: Audit) -> None:
    """A histogram: a bar for each distance or, as long as all are even, for each even one."""
    from matplotlib.ticker import MaxNLocator

    near, distinct = audit.thresholds.near, audit.thresholds.distinct
    seen = [bits for bits, count in enumerate(audit.distances) if count]
    step = 1 if any(bits % 2 for bits in seen) else 2
    last = max(seen[-1], distinct + 4)
    for bits in seen:
        axes.bar(bits, audit.distances[bits], 0.85 * step, color=_colour(bits, audit))
    if max(audit.distances) >= _LOG_FROM:
        axes.set_yscale("log")
        axes.set_ylim(0.7, None)
        axes.yaxis.set_major_formatter("{x:,.0f}")
    else:
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    # Above the axes, away from each other, so that they meet neither a bar nor one another.
    for limit, name, side, shift in (
        (near, "near-duplicate", "right", 2),
        (distinct, "review", "left", -2),
    ):
        border = limit // step * step + step / 2  # between two bars
        axes.axvline(border, color=_FAINT, linewidth=0.8, linestyle=(0, (4, 2)))
        axes.annotate(
            f"{name} \u2264 {limit}",
            (border, 1),
            (shift, 3),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            horizontalalignment=side,
            fontsize=7,
            color=_FAINT,
        )
    axes.set_xlim(-step, last + step)
    axes.set_title("a  Closest source image of each target", pad=16)
    axes.set_xlabel("Closest distance (bits)")
    axes.set_ylabel("Targets")


def _colour(bits: int, audit: Audit) -> str:
    if bits == 0:
        return _IDENTICAL
    if bits <= audit.thresholds.near:
        return _NEAR
    return _REVIEW if bits <= audit.thresholds.distinct else _DISTINCT


def _draw_shares(axes: Axes, audit: Audit) -> None:
    colours = {
        Verdict.IDENTICAL: _IDENTICAL,
        Verdict.NEAR_DUPLICATE: _NEAR,
        Verdict.DISTINCT: _DISTINCT,
    }
    rows = [
        (verdict.value, audit.verdicts[verdict], audit.targets, colour)
        for verdict, colour in colours.items()
    ]
    if audit.copies is not None:
        rows.insert(0, ("Copies", *audit.copies, _FAINT))
    for row, (_, count, total, colour) in enumerate(rows):
        share = rate(count, total)
        low, middle, high = (100 * part for part in (share.low, share.share, share.high))
        axes.plot([low, high], [row, row], color=colour, linewidth=4, solid_capstyle="butt")
        axes.plot(
            [middle], [row], "|", color=_INK, markersize=7, markeredgewidth=1.2, clip_on=False
        )
        decimals = max(1, 1 - math.floor(math.log10(max(high - low, 1e-5))))
        axes.annotate(
            f"{middle:.{decimals}f} ({low:.{decimals}f} to {high:.{decimals}f})",
            (middle, row),
            (0, 5),
            textcoords="offset points",
            horizontalalignment=_side(middle),
            fontsize=7,
        )
    axes.set_yticks(range(len(rows)))
    axes.set_yticklabels([f"{name}\n{count:,} of {total:,}" for name, count, total, _ in rows])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(rows) - 0.6, -0.8)
    axes.set_xlim(0, 100)
    axes.set_title("b  Verdicts")
    axes.set_xlabel("Targets (%), 95 % Clopper-Pearson interval")


def _side(percent: float) -> str:
    """Where a text is anchored so that it stays inside the axis from 0 to 100."""
    if percent < 25:
        return "left"
    return "center" if percent < 75 else "right"


def _draw_pairs(axes: Axes, audit: Audit) -> None:
    axes.set_title("c  Pairs of targets and source images")
    if not audit.has_chance_model:
        axes.set_axis_off()
        axes.text(0, 0.5, "no chance model: too few sources", transform=axes.transAxes)
        return
    axes.set_xlabel("Distance (bits)")
    axes.set_ylabel("Pairs")
    # What is zero has no place on the axis.
    expected = [(point.distance, point.expected) for point in audit.curve if point.expected]
    observed = [(point.distance, float(point.observed)) for point in audit.curve if point.observed]
    axes.plot(*zip(*expected), color=_FAINT, linewidth=1.2, label="expected by chance")
    axes.plot(*zip(*observed), "o", color=_DISTINCT, markersize=3.5, label="observed")
    axes.set_yscale("log")
    values = [value for _, value in expected + observed]
    least = max(_LEAST_PAIRS, min(values) / 2)
    axes.set_ylim(least, 3 * max(*values, 10 * least))
    axes.legend(loc="best")


def _fill_curves(figure: Figure, epochs: Sequence[Epoch], kept: int) -> None:
    from matplotlib.ticker import MaxNLocator

    losses, others = figure.subplots(2, 1, sharex=True)
    numbers = [epoch.number + 1 for epoch in epochs]
    best = epochs[kept]
    losses.plot(numbers, [epoch.loss for epoch in epochs], color=_FAINT, label="training")
    losses.plot(
        numbers, [epoch.validation["loss"] for epoch in epochs], color=_DISTINCT, label="validation"
    )
    losses.plot([best.number + 1], [best.validation["loss"]], "o", color=_IDENTICAL, label="kept")
    losses.set_yscale("log")
    losses.set_title("a  Loss")
    losses.legend(loc="best")
    measured = [name for name in epochs[0].validation if name != "loss"]
    for name, colour in zip(measured, (_DISTINCT, _NEAR, _IDENTICAL, _REVIEW)):
        others.plot(numbers, [epoch.validation[name] for epoch in epochs], color=colour, label=name)
    others.set_title("b  Validation")
    others.set_xlabel("Epoch")
    others.xaxis.set_major_locator(MaxNLocator(integer=True))
    if measured:
        others.legend(loc="best")
