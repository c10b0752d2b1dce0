"""Attributions as one HTML file that opens offline and runs no script."""

from __future__ import annotations

from typing import Iterator, NamedTuple

from memscan import decode
from memscan.attributions import Attribution, AttributionReport, Weakness
from memscan.evidence import rates
from memscan.reports import templating, thumbnails
from memscan.reports.attribution import wording
from memscan.reports.names import file_uri
from memscan.reports.thumbnails import Drawing, Thumbnail

MAX_FAILURES = 1000
"""Failures that the page lists; it says how many more there are."""

MAX_SHOWN = 2000
"""Targets that the page shows; it says how many more there are."""

MAX_PICTURES = 500
"""Of those, the ones with a picture: the most suspect."""

_WIDTH = 200  # of a bar


class Row(NamedTuple):
    """The images attributed to one generator, or to none."""

    name: str
    kind: str
    images: int
    share: float
    low: float
    high: float


class Bar(NamedTuple):
    """One generator's score of an image."""

    name: str
    kind: str
    score: str
    margin: str
    width: float
    above: bool


class Shown(NamedTuple):
    """One target."""

    one: Attribution
    kind: str
    decision: str
    remarks: tuple[str, ...]
    bars: tuple[Bar, ...]
    picture: Thumbnail | None
    uri: str | None


def render(report: AttributionReport, shown: int, verbose: bool) -> str:
    """The whole report. Reads the images that it shows."""
    environment = templating.environment()
    css = templating.text("page.css", "attribution.css")
    scale = _scale(report)
    return environment.get_template("attribution.html").render(
        report=report,
        css=css,
        policy=templating.policy(css),
        wording=wording,
        headline=wording.headline(report),
        rows=list(_rows(report)),
        ambiguous=sum(one.is_ambiguous for one in report.attributions),
        shown=list(_shown(report, scale)),
        hidden=max(0, len(report.attributions) - MAX_SHOWN),
        tick=_x(_least(report), scale),
        mime=f"image/{thumbnails.FORMAT.lower()}",
        weak=list(_weak(report)),
        failures=report.lost[:MAX_FAILURES],
    )


def _rows(report: AttributionReport) -> Iterator[Row]:
    total = len(report.attributions)
    for name, words, count in wording.outcomes(report):
        rate = rates.rate(count, total)
        yield Row(words, _kind(report, name), count, rate.share, rate.low, rate.high)


def _shown(report: AttributionReport, scale: tuple[float, float]) -> Iterator[Shown]:
    targets = report.most_suspect[:MAX_SHOWN]
    drawings = [Drawing(one.path) for one in targets[:MAX_PICTURES]]
    limit = decode.MAX_PIXELS if report.max_pixels is None else report.max_pixels
    places = report.remote_places
    pictures = [*thumbnails.thumbnails(drawings, limit, places), *[None] * len(targets)]
    for one, picture in zip(targets, pictures):
        yield Shown(
            one,
            _kind(report, one.generator),
            wording.decision(one),
            tuple(wording.remarks(one)),
            tuple(_bars(one, report, scale)),
            picture,
            file_uri(one.path),
        )


def _bars(one: Attribution, report: AttributionReport, scale: tuple[float, float]) -> Iterator[Bar]:
    for generator, score, margin in zip(report.generators, one.scores, one.margins):
        yield Bar(
            generator.name,
            _kind(report, generator.name),
            f"{score:.4f}",
            f"{margin:.2f}",
            _x(margin, scale),
            generator.name in one.named,
        )


def _kind(report: AttributionReport, name: str | None) -> str:
    """The class of style that a generator has: its colour."""
    names = [one.name for one in report.generators]
    return "none" if name is None else f"c{names.index(name) % 6}"


def _least(report: AttributionReport) -> float:
    """The margin above which a generator is named."""
    seen = report.calibrated
    return 0.0 if seen is None or seen.margin is None else seen.margin


def _scale(report: AttributionReport) -> tuple[float, float]:
    """The margins at the ends of a bar: what real images have on average, and the greatest."""
    margins = [margin for one in report.attributions for margin in one.margins]
    return 0.0 if report.calibrated else -1.0, max(1.5 * _least(report), 1.0, *margins)


def _x(margin: float, scale: tuple[float, float]) -> float:
    low, high = scale
    return round(_WIDTH * max(0.0, margin - low) / (high - low), 1)


def _weak(report: AttributionReport) -> Iterator[tuple[str, int, str]]:
    for weakness in Weakness:
        count = sum(weakness in one.weaknesses for one in report.attributions)
        if count:
            yield weakness.value, count, wording.WEAKNESSES[weakness]
