"""The values that a probe gives: what a diffusion model seems to remember of images.

A score rises with suspicion. It is evidence of memorisation by the model's own behaviour and never
a copy verdict: no training image is looked at.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Mapping, Tuple

import numpy as np
import numpy.typing as npt

from memscan import __version__
from memscan.errors import InputError
from memscan.records import Failure
from memscan.report import Source
from memscan.scorecard import Estimate

METHODS = ("iip", "tcnp", "loss")
"""Inversion-based inference perturbation; the magnitude of the text-conditional noise prediction
(Wen et al., 2024); the denoising loss."""

RATE = 0.01
"""The share of images not remembered that the verdict is allowed to accuse."""

Pixels = npt.NDArray[np.uint8]

Tokens = Tuple[Tuple[str, float], ...]
"""The parts of a caption in their order, and how much a magnitude depends on each (0 or more)."""

MOST_PICTURE = 256
"""The longest side of a picture, in pixels."""


_MOST = 1e6  # of a factor, so that finite figures stay so


@dataclass(frozen=True)
class ProbeOptions:
    """What the figures of a probe depend on, besides the model and the images.

    ``steps`` is the number of levels K of the grid of DDIM; ``depth`` is t_I, the level to which
    an image is inverted; ``guidance`` the scale of classifier-free guidance. ``prompts`` is the
    number m of perturbation prompts that are drawn by ``seed``, unless ``own_prompts`` are given.
    Their embeddings are optimised for at most ``iterations`` steps of AdamW with the learning rate
    ``rate``; ``optimise`` False leaves them as they are. ``weights`` are lambda_d and lambda_e.

    ``generations`` counts the noises that ``tcnp`` starts from for a known prompt; ``loss_shares``
    is where ``loss`` looks, as shares of the way to noise, whatever the grid, and ``noises`` how
    often. ``seed`` is below 2^63.
    """

    steps: int = 50
    depth: int = 20
    guidance: float = 7.5
    prompts: int = 4
    own_prompts: tuple[str, ...] = ()
    optimise: bool = True
    iterations: int = 10
    rate: float = 0.05
    weights: tuple[float, float] = (1.0, 1.0)
    generations: int = 4
    loss_shares: tuple[float, ...] = (0.04, 0.1, 0.2)
    noises: int = 8
    seed: int = 42

    def check(self) -> None:
        """Raise InputError for what cannot be done."""
        counts = {
            "steps": self.steps,
            "depth": self.depth,
            "prompts": self.prompts,
            "iterations": self.iterations,
            "generations": self.generations,
            "noises": self.noises,
        }
        for name, count in counts.items():
            if count < 1:
                raise InputError(f"{name} must be at least 1, not {count}")
        if self.depth > self.steps:
            raise InputError(
                f"images cannot be inverted to step {self.depth}: there are {self.steps} steps"
            )
        if not self.loss_shares or not all(0 < one <= 1 for one in self.loss_shares):
            raise InputError("the denoising loss is measured at shares above 0, up to 1")
        if not 0 <= self.seed < 1 << 63:
            raise InputError("seed must be from 0 to 2^63 - 1")
        if not all(prompt.strip() for prompt in self.own_prompts):
            raise InputError("an empty prompt perturbs nothing")
        if not all(0 <= one <= _MOST for one in (self.guidance, self.rate, *self.weights)):
            raise InputError(f"guidance, rate and weights must be numbers from 0 to {_MOST:g}")

    def described(self, prompts: tuple[str, ...]) -> dict[str, str | float | bool]:
        """The options and the prompts that they chose, each as a number or in a line of text."""
        return {
            "steps": self.steps,
            "depth": self.depth,
            "guidance": self.guidance,
            "prompts": " | ".join(prompts),
            "optimise": self.optimise,
            "iterations": self.iterations,
            "rate": self.rate,
            "weight_distance": self.weights[0],
            "weight_magnitude": self.weights[1],
            "generations": self.generations,
            "loss_shares": ", ".join(map(str, self.loss_shares)),
            "noises": self.noises,
            "seed": self.seed,
        }


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

    They have at most :data:`MOST_PICTURE` pixels a side. ``inverted`` is what unconditional
    denoising makes of the inverted latent, ``perturbed`` what denoising with the first of the
    perturbed prompts makes of it.
    """

    original: Pixels
    inverted: Pixels
    perturbed: Pixels


@dataclass(frozen=True)
class Probe:
    """One target: what each method says of it, by name, and what was seen on the way.

    ``pictures`` and ``tokens`` are only there for the most suspicious targets.
    """

    path: str
    methods: Mapping[str, Measured]
    pictures: Pictures | None = None
    tokens: Tokens = ()


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
    remembered, each compared with the others; ``thresholds`` the score that one must exceed to be
    accused at :data:`RATE`, None where they are too few to accuse anybody. ``captioned`` says that
    ``tcnp`` was given the images' own prompts. ``options`` are those of :class:`ProbeOptions`.
    ``contest`` is there if the targets had labels.
    """

    model: str
    fingerprint: str
    options: Mapping[str, Any]
    probes: tuple[Probe, ...]
    reference_scores: Mapping[str, tuple[float, ...]]
    thresholds: Mapping[str, float | None]
    captioned: bool = False
    target_failures: tuple[Failure, ...] = ()
    reference_failures: tuple[Failure, ...] = ()
    warnings: tuple[str, ...] = ()
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
