"""What an evaluation says in words and numbers: the same in every format."""

from __future__ import annotations

from typing import Iterator, NamedTuple, Sequence

from memscan.scorecard import Basis, DetectorScores, Estimate, FalsePositiveFit, Scorecard, Scores

BASES = {
    Basis.EDITS: "edited images among the unedited ones",
    Basis.PAIRS: "labelled pairs",
    Basis.IDENTITIES: "images of one identity among others",
}


def percent(estimate: Estimate | None) -> str:
    """A share in percent; a dash where it is not defined."""
    return "-" if estimate is None else f"{100 * estimate.value:.1f}"


def percent_with_interval(estimate: Estimate | None) -> str:
    """A share in percent with its interval."""
    if estimate is None or estimate.low is None or estimate.high is None:
        return percent(estimate)
    return f"{percent(estimate)} [{100 * estimate.low:.1f}, {100 * estimate.high:.1f}]"


def distance(value: float | None) -> str:
    """A distance as briefly as it is exact to four digits; "none" for no threshold."""
    return "none" if value is None else f"{value:.4g}"


def level(value: float) -> str:
    """A share such as 0.001 as 1e-3, to two digits."""
    if value == 0:
        return "0"
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{float(mantissa):g}e{int(exponent)}"


class Attained(NamedTuple):
    """A threshold: what was asked for, its distance, and what it attains on either half."""

    asked: str
    distance: str
    calibration: str
    reported: str


def attained(detector: DetectorScores) -> Iterator[Attained]:
    """What the thresholds of a detector attain: the default one, then those that were fitted."""
    within = [point for point in detector.curve if point.distance <= detector.default_threshold]
    seen = f"FPR {level(within[-1].pairs)}" if within else "-"
    yield Attained("default", distance(detector.default_threshold), "-", seen)
    for fitted in detector.false_positive_fits:
        coarse = f" (one pair is {level(fitted.resolution)})" * (fitted.resolution > fitted.level)
        yield Attained(
            f"FPR {level(fitted.level)}{coarse}",
            distance(fitted.threshold),
            f"FPR {level(fitted.calibrated)}",
            f"FPR {level(fitted.observed)}",
        )
    fit = detector.precision_fit
    yield Attained(
        f"precision {100 * fit.level:g} %",
        distance(fit.threshold),
        _precision(fit.calibrated),
        _precision(fit.observed),
    )


def _precision(value: float | None) -> str:
    return "-" if value is None else f"precision {100 * value:.1f} %"


def measured(card: Scorecard) -> str:
    """What was compared, in one sentence."""
    return (
        f"Thresholds fitted on {card.calibration:,} images, numbers from {card.reported:,} others; "
        f"{card.unrelated_pairs:,} unrelated pairs; seed {card.seed}."
    )


def headline(card: Scorecard) -> str:
    """What was found at the default thresholds, in one sentence."""
    things = {Basis.EDITS: "edited images", Basis.PAIRS: "right pairs"}.get(card.basis, "images")
    ranked = sorted(
        (detector for detector in card.detectors if detector.overall.recall is not None),
        key=lambda detector: -detector.overall.found,
    )
    if not ranked:
        return "There was nothing to find."
    best = f"{percent(ranked[0].overall.recall)} % of {things}"
    if len(card.detectors) == 1:
        return f"{ranked[0].name} finds {best}"
    return f"Of {len(card.detectors)} detectors {ranked[0].name} finds most, {best}"


def metric_names(fits: Sequence[FalsePositiveFit]) -> tuple[str, ...]:
    """The names of the columns that metric_values gives."""
    return (
        "recall",
        "recall@1",
        *(f"TPR@{level(fitted.level)}" for fitted in fits),
        "µAP",
        "R@P90",
        "AUC",
    )


def metric_values(scores: Scores) -> tuple[Estimate | None, ...]:
    """The estimates in the order of metric_names."""
    return (
        scores.recall,
        scores.first,
        *scores.true_positives,
        scores.average_precision,
        scores.at_precision,
        scores.auc,
    )


def middle(estimates: Sequence[Estimate | None]) -> Estimate | None:
    """The one at the false positive rate that the charts show, if there is one."""
    return estimates[len(estimates) // 2] if estimates else None


def middle_rate(fits: Sequence[FalsePositiveFit]) -> str:
    """The false positive rate that the charts show, of at least one."""
    return f"TPR@{level(fits[len(fits) // 2].level)}"


def ends(estimate: Estimate) -> str:
    """The ends of an interval, in percent."""
    if estimate.low is None or estimate.high is None:
        return ""
    return f"{100 * estimate.low:.1f} to {100 * estimate.high:.1f}"


def milliseconds(seconds: float) -> str:
    """A short time."""
    return f"{1000 * seconds:.2f} ms"


def terms(card: Scorecard) -> Iterator[tuple[str, str]]:
    """What the words of the report mean, each in a few sentences."""
    if card.basis is Basis.PAIRS:
        yield "recall", "The share of right pairs within the default threshold."
    else:
        yield (
            "recall",
            "The share of images whose closest source is a right one, strictly closer than any "
            "other, and within the default threshold: a scan would report it, and rightly.",
        )
        yield "recall@1", "The same at any distance."
    yield (
        "TPR at a false positive rate",
        "The share of right pairs within a distance at which, on the calibration half, no more "
        "than that share of unrelated pairs lies. Distances come in steps, so the rate that is "
        "attained is lower; it is stated with that of the reported half.",
    )
    yield (
        "µAP",
        "Micro average precision: all pairs of all images and edits in one ranking by distance, "
        "the area below precision over recall. Unrelated pairs come first among equals. It falls "
        "as the collection grows: compare it for the same images only.",
    )
    yield (
        "R@P90",
        "The share of right pairs within the largest distance at which 90 % of the pairs of the "
        "calibration half were right.",
    )
    yield (
        "AUC",
        "The chance that a right pair is closer than an unrelated one; equally close counts as "
        "not, so a detector that knows nothing is below 50 %.",
    )
    yield (
        "Intervals",
        f"From {card.resamples:,} bootstrap samples of the reported images, each with all that was "
        "made of it; the sources and the thresholds stay. Where all or none were found, the "
        "interval has no width, which is no certainty: 0 of n still allows about 3 of n.",
    )
    if card.basis is Basis.EDITS:
        yield (
            "Edits",
            "Made in memory from the RGB image, which is reduced to a megapixel if it is larger. "
            "What an edit draws by lot depends on the seed and the pixels alone. Overall numbers "
            "weigh every edit alike, so they depend on the edits that were chosen.",
        )
