"""What a report says in sentences: plain English for the person who must decide."""

from __future__ import annotations

import math
from typing import Iterator

from memscan.evidence.rates import Rate, rate
from memscan.records import Basis, Chance, Finding, Reason, Verdict
from memscan.report import Holdout, Report

LEAST_CHANCE = 1e-6
"""A smaller number of matches expected by chance is not told from none."""

REASONS = {
    Reason.BORDERLINE: (
        "Borderline: the distance lies between the two thresholds. It is too large to call this a "
        "copy and too small to rule one out. Compare the two images."
    ),
    Reason.LOW_INFORMATION: (
        "Low information: one of the two images is flat, nearly flat or a plain gradient. Such "
        "images have close hashes without being copies, so this pair does not count as one."
    ),
    Reason.GENERIC_HASH: (
        "Generic hash: the image is close to very many source images that are no copies of each "
        "other, so its hash may stand for a kind of image (a placeholder, a logo, a plain layout) "
        "rather than for one picture."
    ),
    Reason.UNVERIFIED: (
        "Unverified: the hashes are close, but the pixels of the two images do not agree once they "
        "are aligned. Compare them."
    ),
    Reason.VERIFIED: (
        "Verified: the distance lies between the two thresholds, and the pixels of the two images "
        "agree once they are aligned. That makes it a near-duplicate."
    ),
    Reason.UNCALIBRATED: (
        "Uncalibrated: a learned detector says so whose scores were never compared with those of "
        "unrelated images. Compare the two images."
    ),
}

_BY_NETWORKS = {
    Reason.BORDERLINE: (
        "Borderline: the score lies between the two cuts. It is too low to call this a copy and "
        "too high to rule one out. Compare the two images."
    ),
    Reason.LOW_INFORMATION: (
        "Low information: one of the two images is flat, nearly flat or a plain gradient. Such "
        "images are alike without being copies, so this pair does not count as one."
    ),
    Reason.GENERIC_HASH: (
        "Generic hash: the image is close to very many source images that are no copies of each "
        "other, so it may show a kind of thing (a placeholder, a logo, a plain layout) rather than "
        "be a copy of one picture."
    ),
    Reason.UNVERIFIED: (
        "Unverified: the images are close, but a second look at them does not say so. Compare them."
    ),
    Reason.VERIFIED: (
        "Verified: the distance lies between the two thresholds, and a second look at both images, "
        "by their aligned pixels or by a learned detector, agrees. That makes it a near-duplicate."
    ),
}

BASES = {
    Basis.OBSERVED: (
        "Observed: the number comes from how far this image is from the rest of the source. At "
        "this distance the method was checked against unrelated photographs."
    ),
    Basis.EXTRAPOLATED: (
        "Extrapolated: the distance is smaller than any at which unrelated photographs were seen "
        "often enough to check the method. Read it as an order of magnitude."
    ),
    Basis.SOURCE_TOO_SMALL: (
        "Source too small: too few source images to say how close unrelated ones come. There is "
        "no number."
    ),
    Basis.LOW_INFORMATION: (
        "Low information: the image has too little detail for its distances to mean anything. "
        "There is no number."
    ),
    Basis.NO_MODEL: (
        "No model: how far unrelated images are from each other was measured for pHash of 64 bits "
        "and not for this hash. There is no number."
    ),
    Basis.CALIBRATED: (
        "Calibrated: an upper limit, from the unrelated pairs that the detector let pass when it "
        "was calibrated, with 95 % confidence. It holds for images like those."
    ),
}

_NO_CHANCE = {
    Basis.SOURCE_TOO_SMALL: "not known, the source is too small",
    Basis.LOW_INFORMATION: "not known, too little detail",
}


def reasons(report: Report) -> dict[Reason, str]:
    """What each reason for a review means in this scan."""
    if report.detector is not None or report.verifier is not None:
        return {**REASONS, **_BY_NETWORKS}
    return {reason: text for reason, text in REASONS.items() if reason is not Reason.UNCALIBRATED}


def bases(report: Report) -> dict[Basis, str]:
    """What each basis of a chance level means in this scan."""
    if report.detector is None:
        return {basis: text for basis, text in BASES.items() if basis is not Basis.CALIBRATED}
    no_number = (
        "No model: for scores below the cut of duplicates, and for a detector that is not "
        "calibrated, there is no number."
    )
    return {Basis.CALIBRATED: BASES[Basis.CALIBRATED], Basis.NO_MODEL: no_number}


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
