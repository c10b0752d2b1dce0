"""The values that a probe gives: what a diffusion model seems to remember of images.

A score rises with suspicion. It is evidence of memorisation by the model's own behaviour and never
a copy verdict: no training image is looked at.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Mapping

import numpy as np
import numpy.typing as npt

from memscan import __version__
from memscan.records import Failure
from memscan.report import Source
from memscan.scorecard import Estimate

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
class Quality:
    """How well the scores of a method tell images that are remembered from others.

    ``auc`` is the chance that a remembered image scores above another, where equal scores count
    half; ``recall`` the share of remembered images at the least score that at most :data:`RATE` of
    the others reach.
    """

    auc: Estimate
    recall: Estimate


@dataclass(frozen=True)
class Lead:
    """By how much a method is ahead of a baseline, on the same bootstrap samples of images."""

    method: str
    baseline: str
    auc: Estimate
    recall: Estimate


@dataclass(frozen=True)
class Contest:
    """Methods compared on images of which it is known whether the model remembers them.

    ``qualities`` are by the name of the method.
    """

    remembered: int
    others: int
    resamples: int
    qualities: Mapping[str, Quality]
    leads: tuple[Lead, ...]


@dataclass(frozen=True)
class ProbeReport:
    """What a model seems to remember of some images.

    ``reference_scores`` holds, for each method, the scores of the images known not to be
    remembered; ``thresholds`` the score above which at most :data:`RATE` of them lie, None where
    they are too few to tell. ``options`` are those that the figures depend on. ``captioned`` says
    that ``tcnp`` was given the images' own prompts. ``contest`` is there if targets had labels.
    """

    model: str
    fingerprint: str
    options: Mapping[str, Any]
    probes: tuple[Probe, ...]
    reference_scores: Mapping[str, tuple[float, ...]]
    thresholds: Mapping[str, float | None]
    target_failures: tuple[Failure, ...] = ()
    reference_failures: tuple[Failure, ...] = ()
    warnings: tuple[str, ...] = ()
    captioned: bool = False
    targets: tuple[Source, ...] = ()
    references: tuple[Source, ...] = ()
    contest: Contest | None = None
    version: str = __version__

    @property
    def failures(self) -> tuple[Failure, ...]:
        """What could not be read, targets first."""
        return self.target_failures + self.reference_failures

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods that were asked, in the order of :data:`METHODS`; the first one leads."""
        return tuple(method for method in METHODS if method in self.reference_scores)

    @property
    def most_suspicious(self) -> tuple[Probe, ...]:
        """The targets by rising p-value and falling score of the leading method, then by path."""

        def key(probe: Probe) -> tuple[float, float, bytes]:
            measured = probe.methods[self.methods[0]]
            return measured.p_value, -measured.score, os.fsencode(probe.path)

        return tuple(sorted(self.probes, key=key))
