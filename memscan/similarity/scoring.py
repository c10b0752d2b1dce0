"""All scores of targets with sources, a block of targets at a time, and what is kept of them."""

from __future__ import annotations

from typing import Callable, Iterator, Mapping, NamedTuple, Sequence, Tuple

import numpy as np
import numpy.typing as npt

from memscan.detectors import classes
from memscan.detectors.cards import Cuts
from memscan.detectors.protocol import Detector, Embeddings, Scores

BLOCK_SCORES = 1 << 20
"""Scores that are in memory at a time, unless one target alone has more."""

Integers = npt.NDArray[np.int64]
Block = Tuple[int, Scores]


class Found(NamedTuple):
    """What all scores gave.

    ``sources`` and ``scores`` (M,) are the most alike source of each target and its score, -1 and
    -inf without any; ``pairs`` counts pairs by class, for each name of cuts.
    """

    sources: Integers
    scores: Scores
    pairs: Mapping[str, Integers]


def score(
    detector: Detector,
    targets: Embeddings,
    sources: Embeddings,
    cuts: Mapping[str, Cuts],
    own: Integers | None,
    writers: Sequence[Callable[[Scores], None]],
    progress: Callable[[int], None],
) -> Found:
    """Score all pairs, and give each block to the writers as it comes.

    ``own`` (M,) is the source that is not to be counted for a target, or -1: matrices have its
    score. Of equal scores the first source is the most alike. ``progress`` is told the number of
    targets that are done.
    """
    best = np.full(len(targets), -1, np.int64)
    highest = np.full(len(targets), -np.inf, np.float32)
    pairs: dict[str, Integers] = {name: np.zeros(3, np.int64) for name in cuts}
    for start, block in _blocks(detector, targets, sources):
        for write in writers:
            write(block)
        rows = np.arange(start, start + len(block))
        if own is not None:
            block = _without(block, own[rows])
        counted = np.isfinite(block)
        for name, one in cuts.items():
            pairs[name] += np.bincount(classes.classify(block[counted], one), minlength=3)
        columns = np.where(counted, block, -np.inf).argmax(axis=1)
        scores = np.where(counted, block, -np.inf)[np.arange(len(block)), columns]
        highest[rows] = scores
        best[rows] = np.where(np.isfinite(scores), columns, -1)
        progress(start + len(block))
    return Found(best, highest, pairs)


def _blocks(detector: Detector, targets: Embeddings, sources: Embeddings) -> Iterator[Block]:
    step = max(1, BLOCK_SCORES // max(1, len(sources)))
    for start in range(0, len(targets), step):
        yield start, detector.scores(targets[start : start + step], sources)


def _without(block: Scores, own: Integers) -> Scores:
    """The scores with NaN where a target meets itself."""
    left: Scores = block.copy()
    rows = np.flatnonzero(own >= 0)
    left[rows, own[rows]] = np.nan
    return left
