"""From a distance to a verdict, and from findings to a gate."""

from __future__ import annotations

import dataclasses

from memscan.errors import InputError
from memscan.records import Finding, Level, Reason, Thresholds, Verdict

IDENTICAL_DECIMALS = 4
"""Of the distances of learned detectors: the same image has others in another batch of images."""


def check(thresholds: Thresholds, bits: int = 64) -> None:
    """Raise InputError unless ``0 <= near <= distinct <= bits``."""
    if not 0 <= thresholds.near <= thresholds.distinct <= bits:
        raise InputError(
            f"the near threshold ({thresholds.near}) must not be greater than the distinct "
            f"threshold ({thresholds.distinct}), and both lie between 0 and {bits}"
        )


def judge(distance: float, thresholds: Thresholds) -> Verdict:
    """The verdict on a target whose closest source image is so far away.

    Of a learned detector, scores within rounding of 1 are those of identical images.
    """
    if round(distance, IDENTICAL_DECIMALS) == 0:
        return Verdict.IDENTICAL
    if distance <= thresholds.near:
        return Verdict.NEAR_DUPLICATE
    return Verdict.DISTINCT


def is_borderline(distance: float, thresholds: Thresholds) -> bool:
    """Whether the distance lies above the near threshold but not above the distinct one."""
    return thresholds.near < distance <= thresholds.distinct


def under_review(finding: Finding, thresholds: Thresholds) -> Finding:
    """What an uncalibrated detector found: no copy, and to be looked at if it is close."""
    if finding.distance > thresholds.distinct:
        return finding
    others = tuple(reason for reason in finding.reasons if reason is not Reason.BORDERLINE)
    return dataclasses.replace(
        finding, verdict=Verdict.DISTINCT, reasons=(Reason.UNCALIBRATED, *others)
    )


def confirmed(finding: Finding) -> Finding:
    """What a second look makes of a borderline finding, unless an uncalibrated detector made it."""
    if Reason.UNCALIBRATED in finding.reasons:
        return finding
    others = tuple(reason for reason in finding.reasons if reason is not Reason.BORDERLINE)
    return dataclasses.replace(
        finding, verdict=Verdict.NEAR_DUPLICATE, reasons=(*others, Reason.VERIFIED)
    )


def reaches(finding: Finding, level: Level) -> bool:
    """Whether a gate set to ``level`` must stop at this finding.

    What the baseline accepts stops nothing. A pair that only lacks detail is no proof of a copy:
    it reaches ``REVIEW`` and nothing below.
    """
    if finding.accepted:
        return False
    if level is Level.REVIEW and finding.review:
        return True
    if level is Level.IDENTICAL and finding.verdict is not Verdict.IDENTICAL:
        return False
    return finding.is_copy
