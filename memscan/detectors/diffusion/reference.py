"""Figures of images compared with those of images known not to be remembered.

A score rises with suspicion. Needs no torch.
"""

from __future__ import annotations

from typing import Sequence

import numpy as np
import numpy.typing as npt

from memscan.probes import RATE

Numbers = npt.NDArray[np.float64]

LEAST = 3
"""Reference images without which there is no deviation of the others."""

ENOUGH = 99
"""Reference images without which nobody can be accused at 1 %: (0 + 1) / (n + 1) is greater."""

_LEAST_DEVIATION = 1e-9  # relative to the mean: below it, the reference has one value


def standardised(targets: Numbers, reference: Numbers, weights: Sequence[float]) -> Numbers:
    """The weighted sum of each target's features, in deviations of the reference: shape (n,).

    Features have the shape (n, f), those of the reference (N, f) with N of at least 2. Each is
    centred by the mean and divided by the standard deviation (N - 1) of the reference.
    """
    mean = reference.mean(axis=0)
    deviation = reference.std(axis=0, ddof=1)
    floor = np.maximum(_LEAST_DEVIATION * np.abs(mean), np.finfo(np.float32).tiny)
    scores: Numbers = ((targets - mean) / np.maximum(deviation, floor)) @ np.asarray(weights)
    return scores


def left_out(reference: Numbers, weights: Sequence[float]) -> Numbers:
    """The score of each reference image, standardised by all others and not by itself.

    Standardised by itself as well it would seem nearer to the rest than a target ever does.
    """
    return np.array(
        [
            standardised(reference[row : row + 1], np.delete(reference, row, 0), weights)[0]
            for row in range(len(reference))
        ]
    )


def p_values(scores: Numbers, reference: Numbers) -> Numbers:
    """For each score (k + 1) / (n + 1): k of the n reference scores are as high or higher.

    The conformal p-value (Vovk, Gammerman and Shafer, 2005): of targets that are like the
    reference, at most a share p has a value of p or less.
    """
    below = np.searchsorted(np.sort(reference), scores, side="left")
    values: Numbers = (len(reference) - below + 1) / (len(reference) + 1)
    return values


def threshold(reference: Numbers, rate: float = RATE) -> float | None:
    """The score that one must exceed for a p-value of at most ``rate``.

    None where the reference is too small for any to have one.
    """
    allowed = int(np.floor(rate * (len(reference) + 1) + 1e-9)) - 1
    return None if allowed < 0 else float(np.sort(reference)[::-1][allowed])
