"""Sentences about attributions and about how well they work, the same in every format."""

from __future__ import annotations

import math
from typing import Iterator

from memscan.attributions import (
    NEAREST,
    RATE,
    SHIPPED,
    UNMOVED,
    Attribution,
    AttributionReport,
    Calibrated,
    Performance,
    PerformanceReport,
    Weakness,
)
from memscan.reports.names import inert
from memscan.scorecard import Estimate

HEADING = "Attribution"
LEAD = "This says who may have made an image, and never that it is a copy of another."
NONE = "none of these"
MOVED = "some generator, moved"

WEAKNESSES = {
    Weakness.LOSSY: "compressed with loss, which wipes most fingerprints out",
    Weakness.SIZE: "its sides are no multiples of 8: cropped or resized, if a network made it",
    Weakness.SMALL: "smaller than a fingerprint, so that less of it can be seen",
    Weakness.BLANK: "nothing but plain areas: there is nothing to compare",
}
"""What each weakness means."""

RULES = {SHIPPED: "as shipped", NEAREST: "nearest mean", RATE: "at the rate"}
"""Short names of the ways to set a threshold."""


def decision(one: Attribution) -> str:
    """The generator, those that it could be as well, or none."""
    if one.is_moved:
        return MOVED
    if not one.named:
        return NONE
    first, *others = map(inert, one.named)
    return f"{first} or {others[0]}" if one.is_ambiguous else first


def remarks(one: Attribution) -> Iterator[str]:
    """Other generators above their thresholds, and where the grid was found if it was moved."""
    if one.phase is not None and one.is_moved:
        down, right = one.phase
        yield f"grid found {down} px down and {right} px to the right, or where it repeats"
        yield (
            f"most like that of {', '.join(map(inert, one.named))}, but there generators of one "
            "kind are hard to tell apart"
        )
        return
    if one.phase == UNMOVED:
        yield "above the threshold of moved images, though the grid lies as in training"
    others = one.named[2 if one.is_ambiguous else 1 :]
    if others:
        yield f"above its threshold as well: {', '.join(map(inert, others))}"


def outcomes(report: AttributionReport) -> Iterator[tuple[str | None, str, int]]:
    """What was decided and how often: a generator or None, its name in words, the count."""
    for one in report.generators:
        yield one.name, inert(one.name), report.count(one.name)
    if report.search:
        yield None, MOVED, report.moved
    yield None, NONE, report.unnamed


def weaknesses(one: Attribution) -> str:
    """Their names, one after another."""
    return ", ".join(weakness.value for weakness in one.weaknesses)


def thresholds(report: AttributionReport) -> str:
    """Where the thresholds come from, and what they are worth."""
    seen = report.calibrated
    where = (
        "Where no fingerprint names an image as it lies, or one does by far more clearly at "
        "another place, all 64 phases of an 8 x 8 grid count"
        if report.search
        else "Images were compared as they lie, without a search over the phases of the grid"
    )
    if seen is None:
        return (
            f"{where}. Nearest mean decided, by the class means of the fingerprints' training: "
            "how many real images that accuses is not known."
        )
    return f"{where}. {calibrated(seen)}"


def calibrated(seen: Calibrated) -> str:
    """At which rate thresholds accuse real images, and on how many that rests."""
    return (
        "The thresholds let the whole decision accuse at most "
        f"{100 * seen.rate:.3g} % of real images like the {seen.images:,} that they come "
        f"from (this rate needs {seen.needed:,})."
    )


def headline(report: AttributionReport) -> str:
    """How many images are attributed to a generator, and to some."""
    total = len(report.attributions)
    named = sum(report.count(one.name) for one in report.generators)
    more = f", {report.moved:,} more to some generator" if report.moved else ""
    return f"{named:,} of {total:,} images are attributed to a generator{more}"


def percent(estimate: Estimate, decimals: int = 0) -> str:
    """A share in per cent."""
    return f"{100 * estimate.value:.{decimals}f} %"


def interval(estimate: Estimate) -> str:
    """The ends of an interval in per cent."""
    if estimate.low is None or estimate.high is None:
        return ""
    return f"{_whole(estimate.low)} to {_whole(estimate.high)}"


def area(estimate: Estimate) -> str:
    """An area below the ROC curve, from 0 to 1."""
    return f"{estimate.value:.3f}"


def area_interval(estimate: Estimate) -> str:
    """The ends of its interval."""
    if estimate.low is None or estimate.high is None:
        return ""
    return f"{estimate.low:.2f} to {estimate.high:.2f}"


def way(performance: Performance) -> str:
    """Whether phases were searched."""
    return "all phases" if performance.search else "as it lies"


def method(report: PerformanceReport) -> str:
    """How accuracies and intervals came about."""
    pool = (
        f"the {report.calibrated.images:,} real images of --calibrate"
        if report.calibrated
        else "the other real images"
    )
    return (
        "Real, generated: the share of either that is judged right, with a Clopper-Pearson "
        "interval; accuracy is the mean of both. As shipped: the threshold half-way between the "
        "class means in training. Nearest mean: half-way between the class means of the other "
        "images. At the rate: the threshold that accuses at most "
        f"{100 * report.rate:.3g} % of real images, from {pool}. Intervals of AUC are "
        "Newcombe's. All are of 95 %."
    )


def altered(report: PerformanceReport) -> str:
    """What the second table holds."""
    return (
        "All images altered; accuracy by nearest mean as fitted on the unaltered ones, AUC of the "
        "altered ones among themselves."
    )


def _whole(share: float) -> str:
    return f"{100 * share:.0f}" if math.isfinite(share) else "?"
