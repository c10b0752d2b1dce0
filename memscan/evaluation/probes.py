"""How well the methods of a probe tell remembered images from others, where that is known."""

from __future__ import annotations

import dataclasses
from typing import Mapping, NamedTuple, Sequence

import numpy as np
import numpy.typing as npt

from memscan import csv_lists
from memscan.errors import InputError
from memscan.evaluation import metrics
from memscan.evaluation.protocols import statistics
from memscan.evaluation.protocols.statistics import Floats, Pairs
from memscan.probes import RATE, Contest, Lead, ProbeReport, Quality
from memscan.scorecard import Estimate

_LABELS = {"1": True, "true": True, "0": False, "false": False}
_SLACK = 1e-9  # of a count: 1 % of 300 others is to let 3 of them pass


def contest(
    scores: Mapping[str, Sequence[float]],
    remembered: Sequence[bool],
    *,
    method: str = "iip",
    baselines: Sequence[str] | None = None,
    seed: int = 0,
) -> Contest:
    """Methods compared on the same images, of which some are remembered and some are not.

    ``scores`` holds, by the name of the method, one for each image, finite and higher for what is
    more suspicious. ``method`` is set against ``baselines``, by default all others; nothing is
    where it is not among the scores. Intervals are of bootstrap samples of the images, those of
    differences on the same samples. Raises ValueError if all images are of one kind.
    """
    truths = np.array(remembered, np.bool_)
    if truths.all() or not truths.any():
        raise ValueError("there must be remembered images and others")
    drawn = metrics.weights(len(truths), seed)
    measured = {name: _measured(values, truths, drawn) for name, values in scores.items()}
    against = [name for name in scores if name != method] if baselines is None else baselines
    leads = [
        Lead(
            method,
            baseline,
            *(_estimate(own - other) for own, other in zip(measured[method], measured[baseline])),
        )
        for baseline in against
        if method in measured
    ]
    return Contest(
        remembered=int(truths.sum()),
        others=int((~truths).sum()),
        resamples=metrics.RESAMPLES,
        qualities={name: Quality(*map(_estimate, both)) for name, both in measured.items()},
        leads=tuple(leads),
    )


class Labels(NamedTuple):
    """The list at a path: whether images are remembered, by their real paths or URIs."""

    path: str
    remembered: Mapping[str, bool]

    def require_both(self, truths: Sequence[bool]) -> None:
        """Raise InputError where the labels of some targets are all of one kind, or none."""
        if not truths:
            raise InputError(
                f"{self.path}: none of its images is a target; its paths are relative to the list"
            )
        if all(truths) or not any(truths):
            raise InputError(
                f"{self.path}: a comparison of methods needs targets of both labels, and "
                f"{sum(truths)} of the {len(truths)} targets that it names are memorised"
            )


def labelled(report: ProbeReport, labels: Labels, seed: int = 0) -> ProbeReport:
    """The report with a contest of its methods on the targets that have labels.

    How many images of the list are no targets that were measured is a warning. Raises InputError
    where labels of both kinds are not left.
    """
    known = [(probe, labels.remembered.get(csv_lists.real(probe.path))) for probe in report.probes]
    chosen = [(probe, label) for probe, label in known if label is not None]
    truths = [label for _, label in chosen]
    labels.require_both(truths)
    scores = {
        method: [probe.methods[method].score for probe, _ in chosen] for method in report.methods
    }
    warnings = report.warnings
    missing = labels.remembered.keys() - {csv_lists.real(probe.path) for probe, _ in chosen}
    if missing:
        warnings += (
            f"{labels.path}: {len(missing)} of its images are not among the targets measured",
        )
    found = contest(scores, truths, method=report.methods[0], seed=seed)
    return dataclasses.replace(report, contest=found, warnings=warnings)


def read_labels(path: str) -> Labels:
    """The labels of a list.

    The list is a CSV file with the columns path, relative to its directory, and memorised: 1 or
    true, 0 or false. Raises InputError for any other file.
    """
    labels: dict[str, bool] = {}
    for line, row in csv_lists.rows(path, ("path", "memorised")):
        label = row["memorised"].strip().lower()
        if label not in _LABELS:
            raise InputError(
                f"{path}: line {line}: memorised must be 1 or 0, not {row['memorised']!r}"
            )
        image = csv_lists.listed_image(path, line, row["path"])
        if labels.setdefault(image, _LABELS[label]) != _LABELS[label]:
            raise InputError(f"{path}: line {line}: this image has the other label above")
    if len(set(labels.values())) == 1:
        raise InputError(f"{path}: all of its images have one label; a comparison needs both")
    return Labels(path, labels)


def _measured(
    scores: Sequence[float], remembered: npt.NDArray[np.bool_], drawn: Floats
) -> tuple[Floats, Floats]:
    """AUC and recall, first of the images and then of the samples; (B,) each."""
    _, ranks = np.unique(-np.asarray(scores, np.float64), return_inverse=True)
    images = np.arange(len(remembered))
    pairs = Pairs(ranks.astype(np.float32), remembered, images)
    return statistics.auc(pairs, drawn), _recall(ranks, remembered, drawn)


def _recall(
    ranks: npt.NDArray[np.int64], remembered: npt.NDArray[np.bool_], drawn: Floats
) -> Floats:
    """The share of remembered images up to the last rank that at most RATE of others reach."""
    order = np.argsort(ranks, kind="stable")
    ends = np.flatnonzero(np.diff(ranks[order], append=len(ranks)))
    kind = remembered[order]
    found = []
    for each in drawn[:, order]:
        own = np.cumsum(np.where(kind, each, 0))
        others = np.cumsum(np.where(kind, 0, each))
        passed = int(np.searchsorted(others[ends], RATE * others[-1] + _SLACK, side="right"))
        hits = own[ends[passed - 1]] if passed else 0.0
        found.append(hits / own[-1] if own[-1] and others[-1] else np.nan)
    return np.array(found)


def _estimate(values: Floats) -> Estimate:
    """Of values whose first is defined."""
    estimate = metrics.estimate(values)
    assert estimate is not None
    return estimate
