"""The pairs that are compared, and those of them that a person should see."""

from __future__ import annotations

import time
from typing import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from memscan.evaluation.detectors import Detector, Rows
from memscan.evaluation.edits import Edit
from memscan.evaluation.metrics import Trials
from memscan.scorecard import Miss


class Clock:
    """A detector's distances, with the time that they took and their number."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self.seconds, self.pairs = 0.0, 0

    def distances(self, targets: Rows, sources: Rows) -> npt.NDArray[np.float32]:
        """Those of the detector."""
        start = time.thread_time()
        found = self._detector.distances(targets, sources)
        self.seconds += time.thread_time() - start
        self.pairs += found.size
        return found


def squares(
    matrices: Iterable[npt.NDArray[np.float32]], labels: npt.NDArray[np.int64], with_itself: bool
) -> list[Trials]:
    """All pairs of n targets and n sources by matrices (n, n), right where the labels are equal.

    ``with_itself`` says that a target and a source at one place are compared, too. All trials
    share what is the same of them.
    """
    count = len(labels)
    chosen = np.full((count, count), True) if with_itself else ~np.eye(count, dtype=np.bool_)
    right = (labels[:, None] == labels)[chosen]
    targets = np.broadcast_to(np.arange(count)[:, None], (count, count))[chosen]
    return [Trials(distances[chosen], right, targets) for distances in matrices]


def misses(
    reported: Sequence[Trials], edits: Sequence[Edit], default: float, paths: Sequence[str]
) -> tuple[Miss, ...]:
    """For each edit the target of median distance among those that were not found."""
    found = []
    for edit, trials in zip(edits, reported):
        own, others = trials.closest(True), trials.closest(False)
        missed = np.flatnonzero((own > default) | (own >= others))
        if len(missed):
            row = int(missed[np.argsort(own[missed], kind="stable")[len(missed) // 2]])
            distances = trials.distances.reshape(len(paths), len(paths))[row].copy()
            distances[row] = np.inf
            other = int(np.argmin(distances))
            found.append(
                Miss(paths[row], edit.name, float(own[row]), paths[other], float(others[row]))
            )
    return tuple(found)
