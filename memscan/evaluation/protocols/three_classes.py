"""Different, similar or duplicate, after DeepSSIM, for aligned pairs and for misaligned ones.

The class of a pair is that of the SSIM of its two images as long as they are aligned, by the
published cuts, however the images are misaligned afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator

import numpy as np
import numpy.typing as npt

from memscan.detectors import classes
from memscan.detectors.cards import Cuts
from memscan.detectors.classes import CLASSES, PUBLISHED
from memscan.errors import InputError
from memscan.evaluation import detectors as known_detectors
from memscan.evaluation.describing import Described
from memscan.evaluation.detectors import Detector
from memscan.evaluation.protocols import alterations, statistics, tables
from memscan.evaluation.protocols.images import Images, Integers
from memscan.evaluation.protocols.statistics import Floats, ratio
from memscan.evaluation.protocols.tables import Figures, Layout, Measured
from memscan.evaluation.request import DEFAULT, Request
from memscan.protocols import Column, Comparison, Part, ProtocolName

ALIGNED, MISALIGNED = "aligned", "misaligned"

UNRELATED = 2
"""Pairs with other photographs for each photograph."""

Distances = npt.NDArray[np.float32]

_FITTED, _PUBLISHED = "Cuts fitted on the calibration half", "Published cuts, 0.60 and 0.85"
_SCALE = "Against the SSIM of the aligned pair"


def _columns() -> Iterator[Column]:
    of = "between the three classes, each counted alike"
    yield Column("macro_f1", "macro F1", _FITTED, f"The mean of F1 {of}.")
    for name in CLASSES:
        for kind in ("precision", "recall"):
            title = f"{kind[0].upper()} {name}"
            yield Column(f"{kind}_{name}", title, _FITTED, f"The {kind} of {name} pairs.")
    yield Column(
        "spearman",
        "Spearman",
        _SCALE,
        "Spearman's rank correlation of 1 less the distance with that SSIM.",
        is_share=False,
    )
    yield Column(
        "mae",
        "MAE",
        _SCALE,
        "The mean absolute difference from that SSIM, of detectors that estimate it.",
        is_share=False,
    )
    yield Column(
        "published_macro_f1",
        "macro F1",
        _PUBLISHED,
        "The same for detectors that estimate the SSIM, by the cuts that were set by hand.",
    )
    for name in CLASSES:
        for kind in ("precision", "recall"):
            title = f"{kind[0].upper()} {name}"
            yield Column(f"published_{kind}_{name}", title, _PUBLISHED, f"The {kind} of {name}.")


_NOTES = (
    "Labels are thresholds of an SSIM (0.60 and 0.85), of 64 x 64 grey pixels. So the detector "
    "ssim scores 1.0 on aligned pairs with the published cuts by construction, which shows nothing "
    "of its worth; and a detector that was trained to estimate SSIM starts with an advantage, less "
    "of one if it learned the SSIM of images of another size. In the published test set, too, "
    "every label follows from the SSIM beside it.",
    "Misaligned: either image mirrored upside down and left to right, turned by up to 10 degrees "
    "on black corners, and its gamma changed from 0.5 to 1.5, each by a chance of 0.8. The label "
    "stays that of the aligned pair.",
    "Fitted cuts are fitted for each detector on the calibration half, for aligned and for "
    "misaligned pairs apart.",
    tables.NOT_PUBLISHED,
)


@dataclass(frozen=True)
class _Pairs:
    """The pairs of one half: rows of targets and sources, and forms of targets, (P,) each."""

    targets: Integers
    forms: Integers
    sources: Integers


def evaluate_classes(images: Images, request: Request = DEFAULT) -> Comparison:
    """Sort pairs of images and their altered versions into three classes.

    Raises InputError unless each half has two images that can be read, and pairs of all classes.
    """
    detectors = request.chosen()
    judge = known_detectors.KNOWN["ssim"]()
    gathered = images.gather(
        request,
        [judge, *detectors],
        (*alterations.TARGETS, *alterations.STRESSED_TARGETS),
        (*alterations.SOURCES, *alterations.STRESSED_SOURCES),
    )
    described, halves = gathered.described, gathered.halves
    fitted_on = _drawn(halves.calibration, request.seed, 0)
    reported = _drawn(halves.reported, request.seed, 1)
    truths = [1 - _distances(judge, described, 0, half, False) for half in (fitted_on, reported)]
    labels = [classes.classify(truth, PUBLISHED) for truth in truths]
    _require_classes(labels)
    groups = gathered.groups(reported.sources)
    weights = tables.samples(groups, request.seed)
    measured = []
    for number, detector in enumerate(detectors, start=1):
        thresholds: dict[str, float | None] = {}
        figures: Figures = {}
        for part, is_stressed in ((ALIGNED, False), (MISALIGNED, True)):
            own, others = (
                1 - _distances(detector, described, number, half, is_stressed)
                for half in (fitted_on, reported)
            )
            cuts = classes.fit(own, labels[0])
            thresholds[f"{part} duplicate"] = 1 - cuts.duplicate
            thresholds[f"{part} similar"] = 1 - cuts.similar
            figures[part] = _figures(others, truths[1], labels[1], groups, cuts, weights, detector)
        measured.append(Measured(thresholds, figures))
    counts = dict(zip(CLASSES, np.bincount(labels[1], minlength=len(CLASSES)).tolist()))
    layout = Layout(
        ProtocolName.CLASSES,
        "images and their altered versions, in three classes by their SSIM",
        "macro_f1",
        tuple(_columns()),
        (
            Part(ALIGNED, "", "aligned", "pairs as they are", counts),
            Part(MISALIGNED, "", "misaligned", "both images mirrored, turned, brightened", counts),
        ),
        _NOTES,
    )
    return tables.compare(request, layout, detectors, measured, gathered)


def _drawn(rows: Integers, seed: int, half: int) -> _Pairs:
    """Each image with its altered versions, and with some others of the same half as they are."""
    count, forms = len(rows), len(alterations.ALTERED)
    random = np.random.default_rng([seed, 0xC1A5, half])
    own = np.arange(count)
    steps = np.stack([random.permutation(count - 1)[:UNRELATED] + 1 for _ in range(count)])
    strangers = (own[:, None] + steps) % count
    unrelated = steps.shape[1]
    sources = np.concatenate([np.repeat(own, forms), np.repeat(own, unrelated)])
    return _Pairs(
        targets=rows[np.concatenate([np.repeat(own, forms), strangers.ravel()])],
        forms=np.concatenate([np.tile(np.arange(forms), count), np.full(count * unrelated, forms)]),
        sources=rows[sources],
    )


def _distances(
    detector: Detector, described: Described, number: int, pairs: _Pairs, is_stressed: bool
) -> Distances:
    forms = pairs.forms + is_stressed * len(alterations.TARGETS)
    return detector.paired(
        described.targets[number][pairs.targets, forms],
        described.sources[number][pairs.sources, is_stressed * len(alterations.SOURCES)],
    )


def _require_classes(labels: list[classes.Classes]) -> None:
    for half, own in zip(("calibration", "reported"), labels):
        for number, name in enumerate(CLASSES):
            if number not in own:
                raise InputError(f"the {half} half has no {name} pair; more images are needed")


def _figures(
    values: Distances,
    truths: Distances,
    labels: classes.Classes,
    groups: Integers,
    cuts: Cuts,
    weights: Floats,
    detector: Detector,
) -> dict[str, Floats]:
    figures = {
        **_quality(classes.classify(values, cuts), labels, groups, weights),
        "spearman": statistics.rank_correlation(values, truths, groups, weights),
    }
    if detector.origin.estimates_ssim:
        published = _quality(classes.classify(values, PUBLISHED), labels, groups, weights)
        figures.update({f"published_{key}": found for key, found in published.items()})
        errors = np.abs(values.astype(np.float64) - truths)
        figures["mae"] = ratio(
            weights @ np.bincount(groups, errors, weights.shape[1]),
            weights @ np.bincount(groups, minlength=weights.shape[1]),
        )
    return figures


def _quality(
    found: classes.Classes, labels: classes.Classes, groups: Integers, weights: Floats
) -> dict[str, Floats]:
    """Macro F1 (of the classes where it is defined), and precision and recall of each class."""
    number = len(CLASSES)
    cells = (groups * number + labels) * number + found
    size = weights.shape[1]
    counts = np.bincount(cells, minlength=size * number**2).reshape(size, number**2)
    confusion = (weights @ counts).reshape(-1, number, number)
    right = np.diagonal(confusion, axis1=1, axis2=2)
    labelled, taken = confusion.sum(axis=2), confusion.sum(axis=1)
    f1 = ratio(2 * right, labelled + taken)
    figures = {"macro_f1": np.nanmean(f1, axis=1)}
    for place, name in enumerate(CLASSES):
        figures[f"precision_{name}"] = ratio(right[:, place], taken[:, place])
        figures[f"recall_{name}"] = ratio(right[:, place], labelled[:, place])
    return figures
