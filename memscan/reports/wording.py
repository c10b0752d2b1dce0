"""What a report says in sentences: plain English for the person who must decide."""

from __future__ import annotations

import math
from typing import Iterator

from memscan.evidence.rates import Rate, rate
from memscan.records import Basis, Chance, Finding, Reason, Verdict
from memscan.report import Holdout, Report

LEAST_CHANCE = 1e-6
"""A smaller number of matches expected by chance is not told from none."""

_NO_CHANCE = {
    Basis.SOURCE_TOO_SMALL: "not known, the source is too small",
    Basis.LOW_INFORMATION: "not known, too little detail",
}


def closeness(report: Report) -> str:
    """What a target below the first threshold is."""
    uncalibrated = report.detector is not None and not report.detector.is_calibrated
    return "a review" if uncalibrated else "a copy"


def headline(report: Report) -> str:
    """The verdict in one sentence. Never that nothing was memorised: that cannot be seen."""
    total, copies = len(report.findings), report.copies
    if total == 0:
        return "No generated image could be compared."
    images = "generated image" if total == 1 else "generated images"
    if not report.has_rate:
        close = sum(Reason.UNCALIBRATED in finding.reasons for finding in report.findings)
        verb = "is" if close == 1 else "are"
        return (
            f"{number(close)} of {number(total)} {images} {verb} close to a training image, by a "
            "detector that is not calibrated."
        )
    if copies == 0:
        return f"No copy found that this detector can see, in {number(total)} {images}."
    verb = "copies" if copies == 1 else "copy"
    sentence = f"{number(copies)} of {number(total)} {images} {verb} a training image"
    accepted = sum(finding.is_copy and finding.accepted for finding in report.findings)
    if accepted == copies:
        return f"{sentence}, accepted by the baseline."
    if accepted:
        return f"{sentence}; the baseline accepts {number(accepted)} of them."
    return f"{sentence}."


def remarks(report: Report) -> Iterator[str]:
    """What the headline must not be read without, a sentence each."""
    others = sum(f.review and not f.is_copy and not f.accepted for f in report.findings)
    if others:
        more = " more" if report.copies else ""
        verb = "needs" if others == 1 else "need"
        yield f"{number(others)}{more} {verb} a look: the distance alone does not decide."
    missing = len(report.target_failures)
    if missing:
        yield f"{_things(missing, 'target')} could not be read and {_was(missing)} not compared."
    missing = len(report.source_failures)
    if missing:
        yield (
            f"{_things(missing, 'source path')} could not be read; a copy of what lies there "
            "would not be found."
        )
    missing = len(report.holdout.failures) if report.holdout else 0
    if missing:
        yield f"{_things(missing, 'held-out path')} could not be read and {_was(missing)} left out."
    inside = len(report.targets_in_source)
    if inside:
        yield (
            f"{_things(inside, 'target')} {'lies' if inside == 1 else 'lie'} in the source and "
            f"{'matches itself' if inside == 1 else 'match themselves'} (see --exclude-self)."
        )


_MISSED = {
    "plain": "mirrored, cropped, framed, turned or drawn again",
    "training": "cut off the centre, framed, turned or drawn again",
    "thorough": "cut to less than its larger part or drawn again",
}


def caveat(report: Report) -> str:
    """What the detector cannot see with the views that were compared."""
    if report.detector is not None:
        return (
            "A learned detector can miss a copy that is unlike those it was trained on, and can "
            "take two pictures of one kind for copies: look at the pairs before you decide."
        )
    missed = _MISSED[report.options.views]
    return (
        f"A perceptual hash can miss a copy that is {missed}, and two pictures can be alike "
        "without one being a copy: look at the pairs before you decide."
    )


def memorised(report: Report) -> str:
    """The rate of copies with its interval; there is at least one finding."""
    if not report.has_rate:
        return "not known, for the detector is not calibrated"
    return share(report.copies, len(report.findings))


def share(count: int, total: int) -> str:
    """A rate with its interval; ``total`` is at least 1."""
    value = rate(count, total)
    counted = f"{number(count)} of {number(total)}"
    if count == 0:
        return f"{counted}: at most {percent(value.high)} with 95 % confidence"
    if count == total:
        return f"{counted}: at least {percent(value.low)} with 95 % confidence"
    return f"{counted}: {percent(value.share)} (95 % confidence interval {_interval(value)})"


def verdict(finding: Finding) -> str:
    """The verdict and, where it is not the whole story, that a review is due."""
    if finding.verdict is Verdict.DISTINCT and finding.review:
        return "Distinct, under review"
    return finding.verdict.value


def chance(value: Chance) -> str:
    """How many unrelated source images would come as close."""
    if value.expected is None:
        return _NO_CHANCE.get(value.basis, "not known")
    if value.basis is Basis.CALIBRATED:
        most = expected(value.expected)
        return most if most.startswith("less") else f"at most {most}"
    mark = " (extrapolated)" if value.basis is Basis.EXTRAPOLATED else ""
    return expected(value.expected) + mark


def expected(value: float) -> str:
    """A number of matches expected by chance; the model gives none (NaN) for a small source."""
    if math.isnan(value):
        return "not known"
    if value < LEAST_CHANCE:
        return f"less than {_decimal(LEAST_CHANCE)}"
    return number(round(value)) if value >= 10 else _decimal(value)


def holdout(outcome: Holdout, report: Report) -> Iterator[str]:
    """What the comparison with images that the model never saw says."""
    if not report.has_rate:
        yield "The detector is not calibrated, so there are no rates to compare."
        return
    yield (
        f"{_things(outcome.only_source, 'target')} {_copy(outcome.only_source)} a training image "
        f"and no held-out one; {number(outcome.only_holdout)} {_copy(outcome.only_holdout)} a "
        "held-out image and no training image."
    )
    p_value = expected(outcome.p_value)
    how = p_value if p_value.startswith("less") else f"about {p_value}"
    yield (
        "If the model had learned nothing more from the training images than from the held-out "
        f"ones, a split at least this uneven would come up with probability {how} "
        "(exact McNemar test)."
    )
    smaller, larger = sorted((outcome.hashed, report.hashed))
    if larger > 1.25 * smaller:
        yield (
            f"The two sets differ in size ({number(report.hashed)} and {number(outcome.hashed)} "
            "images). The larger one has more matches by chance alone, so the comparison leans "
            "to its side."
        )


def curve(report: Report) -> str:
    """The curve's pairs within the near threshold against those expected by chance."""
    near = [point for point in report.curve if point.distance <= report.thresholds.near]
    seen = sum(point.observed for point in near)
    by_chance = sum(point.expected for point in near)
    return (
        f"Up to {report.thresholds.near} bits, {number(seen)} {'pair' if seen == 1 else 'pairs'} "
        f"of images {_was(seen)} seen where chance alone explains {expected(by_chance)}."
    )


def number(value: int) -> str:
    """With a comma between thousands."""
    return f"{value:,}"


def percent(share: float) -> str:
    """A share of 1 in per cent, to two digits of it or of what is missing to 100 %."""
    value = 100 * share
    if share > 0.995 and share < 1:
        digits = 1 - math.floor(math.log10(100 - value))
        return f"{math.floor(value * 10**digits) / 10**digits:.{digits}f} %"
    text = _decimal(value) if value < 9.95 else f"{value:.1f}"
    return (text[:-2] if text.endswith(".0") else text) + " %"


def _decimal(value: float) -> str:
    """Two significant digits, without an exponent."""
    if value <= 0:
        return "0"
    digits = max(0, 1 - math.floor(math.log10(value)))
    text = f"{value:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _interval(value: Rate) -> str:
    return f"{percent(value.low)} to {percent(value.high)}"


def _things(count: int, thing: str) -> str:
    return f"{number(count)} {thing}{'' if count == 1 else 's'}"


def _was(count: int) -> str:
    return "was" if count == 1 else "were"


def _copy(count: int) -> str:
    return "copies" if count == 1 else "copy"
