"""Values of targets beside those of the reference: scores, p-values and verdicts by one method."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Iterable, Mapping

import numpy as np
import numpy.typing as npt

from memscan.detectors.diffusion import reference
from memscan.probes import RATE, Measured, ProbeOptions
from memscan.probing.measurements import Values

Keys = Mapping[str, str]
"""Of each image, by its path, what is the same for images that a method cannot tell apart."""


@dataclass(frozen=True)
class Judged:
    """What a method says of each target, by its path; the scores of the reference; the threshold.

    Equal images count once in the reference.
    """

    targets: Mapping[str, Measured]
    reference_scores: tuple[float, ...]
    threshold: float | None


def judge(
    targets: Keys, references: Keys, find: Callable[[str], Values], options: ProbeOptions
) -> Judged:
    """Compare targets with the reference; ``find`` gives the values of a key.

    Two values are D and E, one is a score as it is.
    """
    known = _table(dict.fromkeys(references.values()), find)
    asked = _table(targets.values(), find)
    if known.shape[1] == 2:
        reference_scores = reference.left_out(known, options.weights)
        scores = reference.standardised(asked, known, options.weights)
    else:
        reference_scores, scores = known[:, 0], asked[:, 0]
    p_values = reference.p_values(scores, reference_scores)
    found = {
        path: Measured(
            score=score,
            p_value=p_value,
            memorised=p_value <= RATE,
            distance=values[0] if len(values) == 2 else None,
            magnitude=values[1] if len(values) == 2 else None,
        )
        for path, score, p_value, values in zip(
            targets, scores.tolist(), p_values.tolist(), asked.tolist()
        )
    }
    return Judged(found, tuple(reference_scores.tolist()), reference.threshold(reference_scores))


def _table(keys: Iterable[str], find: Callable[[str], Values]) -> npt.NDArray[np.float64]:
    """The values of some keys, of shape (n, values)."""
    return np.array([find(key) for key in keys], np.float64)
