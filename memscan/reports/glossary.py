"""What the words of a report mean: reasons for a review, and where a number comes from."""

from __future__ import annotations

from memscan.records import Basis, Reason
from memscan.report import Report

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

_NO_NUMBER = (
    "No model: for scores below the cut of duplicates, and for a detector that is not calibrated, "
    "there is no number."
)


def reasons(report: Report) -> dict[Reason, str]:
    """What each reason for a review means in this scan."""
    if report.detector is not None or report.verifier is not None:
        return {**REASONS, **_BY_NETWORKS}
    return {reason: text for reason, text in REASONS.items() if reason is not Reason.UNCALIBRATED}


def bases(report: Report) -> dict[Basis, str]:
    """What each basis of a chance level means in this scan."""
    if report.detector is None:
        return {basis: text for basis, text in BASES.items() if basis is not Basis.CALIBRATED}
    if not report.has_rate:
        return {Basis.NO_MODEL: _NO_NUMBER}
    return {Basis.CALIBRATED: BASES[Basis.CALIBRATED], Basis.NO_MODEL: _NO_NUMBER}
