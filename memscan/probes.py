"""The values that a probe gives: what a diffusion model seems to remember of images.

A score rises with suspicion. It is evidence of memorisation by the model's own behaviour and never
a copy verdict: no training image is looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping

import numpy as np
import numpy.typing as npt

from memscan.records import Failure

METHODS = ("iip", "tcnp", "loss")
"""Inversion-based inference perturbation; the magnitude of the text-conditional noise prediction
(Wen et al., 2024); the denoising loss."""

RATE = 0.01
"""The share of images not remembered that the verdict is allowed to accuse."""

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Measured:
    """What a method says of one image.

    ``distance`` (D) and ``magnitude`` (E) are raw and only of ``iip``; ``p_value`` is the share
    (k + 1) / (n + 1) of the n reference images that score as high, k of them; ``memorised`` whether
    it is at most :data:`RATE`.
    """

    score: float
    p_value: float
    memorised: bool
    distance: float | None = None
    magnitude: float | None = None


@dataclass(frozen=True)
class Pictures:
    """What the model was given and gave, each uint8 of shape (height, width, 3).

    ``inverted`` is what unconditional denoising makes of the inverted latent, ``perturbed`` what
    denoising with the perturbed prompt makes of it.
    """

    original: Pixels
    inverted: Pixels
    perturbed: Pixels


@dataclass(frozen=True)
class Probe:
    """One target: what each method says of it, by name, and what was seen on the way."""

    path: str
    methods: Mapping[str, Measured]
    pictures: Pictures | None = None
    tokens: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class ProbeReport:
    """What a model seems to remember of some images.

    ``reference_scores`` holds, for each method, the scores of the images known not to be
    remembered; ``thresholds`` the score above which at most :data:`RATE` of them lie. ``options``
    are those that the figures depend on.
    """

    model: str
    fingerprint: str
    options: Mapping[str, Any]
    probes: tuple[Probe, ...]
    reference_scores: Mapping[str, tuple[float, ...]]
    thresholds: Mapping[str, float]
    target_failures: tuple[Failure, ...] = ()
    reference_failures: tuple[Failure, ...] = ()
    warnings: tuple[str, ...] = ()
