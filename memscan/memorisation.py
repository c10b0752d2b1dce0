"""The values that an experiment on a model which was made to memorise gives. All are immutable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping

from memscan import __version__
from memscan.probes import Contest

ABLATION = "iip, unoptimised"
"""IIP in the same setting, with prompt embeddings as they come."""

AS_IS = "as-is"
"""The name of the edit that is none."""


@dataclass(frozen=True)
class Setting:
    """What IIP leaves to choose: t_I in steps of DDIM, and the scale of guidance."""

    depth: int
    guidance: float


@dataclass(frozen=True)
class Trial:
    """One model, trained from one seed.

    ``setting`` is the one of the greatest AUC on the memorised images that serve to choose;
    ``choosing`` holds that AUC for each setting tried. ``regenerated`` is the share of all
    memorised images that the model draws when it is given their captions. ``auc`` are those of the
    reported images, unedited, by method.
    """

    seed: int
    setting: Setting
    choosing: tuple[tuple[Setting, float], ...]
    regenerated: float
    auc: Mapping[str, float]


@dataclass(frozen=True)
class Experiment:
    """What methods say of images that models have memorised, and of others.

    ``contests`` hold the reported images of all trials together, by the name of the edit that they
    had; ``edits`` says what each is. ``plan`` is what the figures depend on.
    """

    plan: Mapping[str, Any]
    trials: tuple[Trial, ...]
    contests: Mapping[str, Contest]
    edits: Mapping[str, str]
    version: str = __version__
