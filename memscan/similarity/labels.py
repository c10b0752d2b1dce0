"""Labelled pairs among those that were compared: one half to fit cuts, the other to report on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Sequence

import numpy as np
import numpy.typing as npt

from memscan.detectors import classes
from memscan.detectors.cards import Cuts
from memscan.detectors.classes import Classes
from memscan.detectors.protocol import Detector, Embeddings, Scores
from memscan.errors import InputError
from memscan.evaluation import pairs

_AT_ONCE = 1 << 14  # pairs whose embeddings are taken together

Rows = npt.NDArray[np.int64]

FindRows = Callable[[Sequence[str]], Rows]
"""The rows of images by their names; -1 for one that is not there."""


@dataclass(frozen=True)
class Scored:
    """Labelled pairs with their scores, all arrays of shape (n,); ``ssim`` is None if not known.

    ``fitted`` is None unless the calibration pairs have all three classes.
    """

    path: str
    scores: Scores
    labels: Classes
    ssim: npt.NDArray[np.float64] | None
    calibrating: npt.NDArray[np.bool_]
    reported: npt.NDArray[np.bool_]
    missing: int

    @property
    def fitted(self) -> Cuts | None:
        """The cuts with the greatest macro F1 on the calibration pairs."""
        labels = self.labels[self.calibrating]
        if len(np.unique(labels)) < len(classes.CLASSES):
            return None
        return classes.fit(self.scores[self.calibrating], labels)


def read(
    path: str,
    detector: Detector,
    targets: Embeddings,
    sources: Embeddings,
    rows_of: Sequence[FindRows],
    own: Rows,
    seed: int,
) -> Scored:
    """The pairs of a list (:func:`memscan.evaluation.pairs.read_classed`), scored.

    ``rows_of`` finds targets, then sources; ``own`` (M,) is the source that is the same file as a
    target, or -1. Pairs without a split are halved by the seed, so that those that share an image
    are in one half; pairs that all hang together are all reported.
    Raises InputError where no pair is left to be reported.
    """
    listed = [pair for pair in pairs.read_classed(path) if pair.half != "ignored"]
    left = rows_of[0]([pair.target for pair in listed])
    right = rows_of[1]([pair.source for pair in listed])
    there = np.flatnonzero((left >= 0) & (right >= 0))
    kept = [listed[row] for row in there.tolist()]
    left, right = left[there], right[there]
    numbers = np.where(own >= 0, own, len(sources) + np.arange(len(own)))
    groups = pairs.connected(numbers[left].tolist(), right.tolist())
    calibrating = pairs.calibrating([pair.half for pair in kept], groups, seed)
    if calibrating.all():
        why = "is compared here" if not kept else "is left to be reported"
        raise InputError(f"{path}: none of its {len(listed)} pairs {why}")
    known = kept[0].ssim is not None
    return Scored(
        path=path,
        scores=_scores(detector, targets, sources, left, right),
        labels=np.array([pair.kind for pair in kept], np.int8),
        ssim=np.array([pair.ssim for pair in kept], np.float64) if known else None,
        calibrating=calibrating,
        reported=~calibrating,
        missing=len(listed) - len(kept),
    )


def _scores(
    detector: Detector,
    targets: Embeddings,
    sources: Embeddings,
    left: Rows,
    right: Rows,
) -> Scores:
    parts = [
        detector.paired(targets[left[start:end]], sources[right[start:end]])
        for start, end in ((start, start + _AT_ONCE) for start in range(0, len(left), _AT_ONCE))
    ]
    return np.concatenate(parts)
