"""What is said about models and their fingerprints: the same words in every format."""

from __future__ import annotations

from typing import Iterator, Sequence

from memscan.evidence.areas import Area
from memscan.kinship import Kind, LineageReport, Relation
from memscan.reports.names import inert

_LONGEST = 20

MEANINGS = {
    Kind.RELATED: "Each fingerprint is clearly seen in the images of the other model.",
    Kind.ONE_DIRECTION: "The fingerprint of the first is clearly seen in the images of the second, "
    "and not the other way round. Models that share no origin do that, too: their grids are alike.",
    Kind.NOT_SHOWN: "Neither is clearly seen, where it could have been.",
    Kind.UNDECIDED: "A relation could not have been seen.",
}
"""What each kind of relation means, in a sentence."""


def short(name: str) -> str:
    """A name as a table has room for it."""
    shown = inert(name)
    return shown if len(shown) <= _LONGEST else shown[: _LONGEST - 1] + "…"


def residual(name: str) -> str:
    """The title of a table by one residual."""
    return "each fingerprint's own residual" if name == "own" else f"{name} residuals"


def joined(words: Sequence[str], last: str = "and") -> str:
    """Words as a sentence has them."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def area(one: Area) -> str:
    """An area with its interval."""
    return f"{one.value:.2f} ({one.low:.2f} to {one.high:.2f})"


def directions(report: LineageReport, relation: Relation) -> Iterator[str]:
    """A line for each of the two directions, with the areas by all residuals."""
    for fingerprint, model in (
        (relation.first, relation.second),
        (relation.second, relation.first),
    ):
        areas = report.cell(fingerprint, model).areas
        figures = ", ".join(f"{name} {area(one)}" for name, one in areas.items())
        yield f"{inert(fingerprint)} on images of {inert(model)}: {figures}"


def headline(report: LineageReport) -> str:
    """The result in a few words."""
    related = report.of_kind(Kind.RELATED)
    if not report.relations:
        return "No two models have both a fingerprint and images"
    if not related:
        return f"None of {len(report.relations)} pairs of models is called related"
    pairs = [f"{inert(one.first)} and {inert(one.second)}" for one in related[:3]]
    more = [f"{len(related) - 3} more pairs"] if len(related) > 3 else []
    return f"Related: {'; '.join([*pairs, *more])}"


def rule(report: LineageReport) -> Iterator[str]:
    """Sentences: how it was judged, and what it is worth."""
    by = joined([residual(name) for name in report.residuals])
    compared = sum(cell.fingerprint != cell.model for cell in report.cells)
    yield (
        f"Two models are called related if, both ways and by {by}, the area is at least "
        f"{report.least:g} for sure."
    )
    if compared:
        yield (
            f"Sure is the lower end of an interval of {report.confidence:.2%}, since {compared} "
            f"{'areas' if compared != 1 else 'area'} of other models' images were looked at."
        )
    yield "That is evidence of a common origin: no proof of one, and no verdict on any image."
