"""From a distance to a verdict, and from findings to a gate."""

from __future__ import annotations

from memscan.errors import InputError
from memscan.records import Finding, Level, Thresholds, Verdict


def check(thresholds: Thresholds, bits: int = 64) -> None:
    """Raise InputError unless ``0 <= near <= distinct <= bits``."""
    if not 0 <= thresholds.near <= thresholds.distinct <= bits:
        raise InputError(
            f"the near threshold ({thresholds.near}) must not be greater than the distinct "
            f"threshold ({thresholds.distinct}), and both lie between 0 and {bits}"
        )


def judge(distance: int, thresholds: Thresholds) -> Verdict:
    """The verdict on a target whose closest source image is ``distance`` bits away."""
    if distance == 0:
        return Verdict.IDENTICAL
    if distance <= thresholds.near:
        return Verdict.NEAR_DUPLICATE
    return Verdict.DISTINCT


def is_borderline(distance: int, thresholds: Thresholds) -> bool:
    """Whether the distance lies above the near threshold but not above the distinct one."""
    return thresholds.near < distance <= thresholds.distinct


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
