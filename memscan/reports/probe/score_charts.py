"""Where the scores of targets lie among those of the reference: one drawing for each method.

The reference has bars. Each of a few targets has a mark; many have a line along the tops of their
own bars, and both are shares of their own number. Scores far beyond those of the reference are
drawn at the edge, so that one image does not press all others into a corner.
"""

from __future__ import annotations

import math
from typing import NamedTuple, Sequence, Tuple

from memscan.probes import RATE, ProbeReport
from memscan.reports.charts import BOTTOM, LEFT, RIGHT, TOP, Limit, Tick, rounded

STRIP_WIDTH, STRIP_HEIGHT = 120, 26
"""The small drawing beside each image, in which only the reference has bars."""

_MOST_MARKS = 40
_FEWEST_BINS, _MOST_BINS = 12, 36
_BEYOND = 1.5  # widths of the reference's range that are drawn on either side
_EVEN = 0.05  # the range of a reference of equal scores, as a part of them
_SHARES = (0.05, 0.1, 0.2, 0.25, 0.5, 1.0)  # the tops of vertical axes

Points = Tuple[Tuple[float, float], ...]


class Bin(NamedTuple):
    """A range of scores in words, and how many reference images and targets lie there.

    The first and the last bin hold what lies beyond them, too.
    """

    scores: str
    reference: int
    targets: int


class Bar(NamedTuple):
    """The reference images of one bin."""

    x: float
    y: float
    width: float
    height: float
    reference: int
    scores: str


class Mark(NamedTuple):
    """The place of one target."""

    x: float
    memorised: bool


class Chart(NamedTuple):
    """What is drawn of one method.

    ``beyond`` counts the targets that are drawn at an edge, ``strip`` is the path of the bars in
    the small drawing.
    """

    method: str
    bins: tuple[Bin, ...]
    bars: tuple[Bar, ...]
    marks: tuple[Mark, ...]
    outline: Points
    limits: tuple[Limit, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    beyond: int
    strip: str
    strip_limit: float | None


class Scale:
    """The range of scores that is drawn, in bins of equal width."""

    def __init__(
        self, reference: Sequence[float], targets: Sequence[float], limit: float | None
    ) -> None:
        least, most = min(reference), max(reference)
        width = most - least or abs(most) * _EVEN or 1.0
        limits = [] if limit is None else [limit]
        low = max(min([least, *targets]), least - _BEYOND * width)
        high = max([min(max([most, *targets]), most + _BEYOND * width), *limits])
        wanted = min(_MOST_BINS, max(_FEWEST_BINS, round(2 * math.sqrt(len(reference)))))
        self.step = _nice((high - low or width) / wanted)
        self.first = math.floor(low / self.step + 1e-9)
        self.count = math.floor(high / self.step + 1e-9) - self.first + 1

    def place(self, score: float) -> float:
        """Where a score lies, from 0 to 1 at the edges."""
        return min(1.0, max(0.0, (score / self.step - self.first) / self.count))

    def bin(self, score: float) -> int:
        """The bin of a score, the first or the last for one beyond."""
        return min(self.count - 1, max(0, math.floor(score / self.step + 1e-9) - self.first))

    def is_beyond(self, score: float) -> bool:
        """Whether a score lies outside of what is drawn."""
        return not 0 <= score / self.step - self.first <= self.count

    def edge(self, bin: int) -> str:
        """Where a bin begins, in no more digits than it needs."""
        digits = max(0, -math.floor(math.log10(self.step) + 1e-9))
        value = (self.first + bin) * self.step
        return f"{value:.{digits}f}" if digits <= 6 and abs(value) < 1e7 else f"{value:.3g}"


def scale_of(report: ProbeReport, method: str) -> Scale:
    """That of one method's chart; the reference has at least one score."""
    known, asked = report.reference_scores[method], _scores(report, method)
    return Scale(known, asked, report.thresholds[method])


def chart(report: ProbeReport, method: str) -> Chart:
    """The scores of all targets among those of the reference."""
    scale, threshold = scale_of(report, method), report.thresholds[method]
    known, asked = report.reference_scores[method], _scores(report, method)
    reference, targets = _counts(scale, known), _counts(scale, asked)
    bins = [
        Bin(_words(scale, at, (*known, *asked)), *both)
        for at, both in enumerate(zip(reference, targets))
    ]
    shares = [_shares(reference), _shares(targets)]
    few = len(report.probes) <= _MOST_MARKS
    most = max(shares[0] if few else shares[0] + shares[1])
    top = next(top for top in _SHARES if top >= most)
    slot = (RIGHT - LEFT) / scale.count
    limit = None if threshold is None else scale.place(threshold)
    every = max(1, math.ceil(scale.count / 7))
    return Chart(
        method,
        tuple(bins),
        tuple(_bars(bins, shares[0], slot, top)),
        tuple(_marks(report, method, scale)) if few else (),
        () if few else tuple(_outline(shares[1], slot, top)),
        ()
        if limit is None
        else (Limit(rounded(LEFT + (RIGHT - LEFT) * limit), f"{RATE:.0%} false positives"),),
        tuple(
            Tick(rounded(LEFT + slot * at), scale.edge(at))
            for at in range(0, scale.count + 1, every)
        ),
        tuple(
            Tick(rounded(BOTTOM - (BOTTOM - TOP) * part / 5), f"{100 * top * part / 5:.3g} %")
            for part in range(6)
        ),
        sum(scale.is_beyond(score) for score in asked),
        _strip(shares[0]),
        None if limit is None else rounded(STRIP_WIDTH * limit),
    )


def _scores(report: ProbeReport, method: str) -> list[float]:
    """Those of the targets."""
    return [probe.methods[method].score for probe in report.probes]


def _counts(scale: Scale, scores: Sequence[float]) -> list[int]:
    counts = [0] * scale.count
    for score in scores:
        counts[scale.bin(score)] += 1
    return counts


def _shares(counts: Sequence[int]) -> list[float]:
    total = sum(counts)
    return [count / total for count in counts] if total else []


def _words(scale: Scale, at: int, scores: Sequence[float]) -> str:
    """The range of a bin; it is open where scores lie beyond it."""
    low, high = scale.edge(at), scale.edge(at + 1)
    if at == 0 and scale.is_beyond(min(scores)):
        return f"up to {high}"
    if at == scale.count - 1 and scale.is_beyond(max(scores)):
        return f"{low} and more"
    return f"{low} to {high}"


def _bars(bins: Sequence[Bin], shares: Sequence[float], slot: float, top: float) -> list[Bar]:
    return [
        Bar(
            x=rounded(LEFT + slot * (at + 0.06)),
            y=rounded(BOTTOM - (BOTTOM - TOP) * share / top),
            width=rounded(slot * 0.88),
            height=rounded((BOTTOM - TOP) * share / top),
            reference=one.reference,
            scores=one.scores,
        )
        for at, (one, share) in enumerate(zip(bins, shares))
        if one.reference
    ]


def _marks(report: ProbeReport, method: str, scale: Scale) -> list[Mark]:
    found = [probe.methods[method] for probe in report.probes]
    return [
        Mark(rounded(LEFT + (RIGHT - LEFT) * scale.place(one.score)), one.memorised)
        for one in found
    ]


def _outline(shares: Sequence[float], slot: float, top: float) -> list[tuple[float, float]]:
    """A line along the tops of the bars that targets would have, from the axis to the axis."""
    points = [(float(LEFT), float(BOTTOM))]
    for at, share in enumerate(shares):
        height = rounded(BOTTOM - (BOTTOM - TOP) * share / top)
        points += [(rounded(LEFT + slot * (at + side)), height) for side in (0, 1)]
    return [*points, (rounded(LEFT + slot * len(shares)), float(BOTTOM))]


def _strip(shares: Sequence[float]) -> str:
    """The bars of the reference as one path, the highest of full height."""
    slot, most = STRIP_WIDTH / len(shares), max(shares)
    return "".join(
        f"M{rounded(slot * at):g} {STRIP_HEIGHT}v{-rounded(STRIP_HEIGHT * share / most):g}"
        f"h{rounded(slot * 0.88):g}V{STRIP_HEIGHT}z"
        for at, share in enumerate(shares)
        if share
    )


def _nice(width: float) -> float:
    """The least of 1, 2, 2.5 and 5 times a power of ten that is no less."""
    power = 10.0 ** math.floor(math.log10(width))
    return next(part * power for part in (1, 2, 2.5, 5, 10) if part * power >= width * (1 - 1e-9))
