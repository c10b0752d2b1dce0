"""One model: trained so that it memorises, and asked by every method what it memorised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Mapping, Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from memscan.detectors.diffusion import digits_training
from memscan.detectors.diffusion.denoiser import Denoiser
from memscan.detectors.diffusion.digits_training import Digits
from memscan.evaluation import edits
from memscan.evaluation.digits import measuring, samples
from memscan.evaluation.digits.measuring import Drawn, Shown
from memscan.evaluation.digits.plan import Plan
from memscan.evaluation.edits import AS_IS, Edit
from memscan.evaluation.protocols import statistics
from memscan.memorisation import Setting
from memscan.probes import ProbeOptions
from memscan.records import Progress

if TYPE_CHECKING:
    import torch

Rows = npt.NDArray[np.int64]

_ALIKE = 0.1 * 127.5
"""An RMSE in grey levels below which a sample is the picture itself to the eye."""


@dataclass(frozen=True)
class Outcome:
    """What came of one seed.

    ``choosing`` is the AUC of IIP on the memorised images that serve to choose, by the plan's
    settings. ``scores`` are those of the reported images, by edit and method: first of
    ``memorised`` memorised images and then of others.
    """

    seed: int
    setting: Setting
    choosing: tuple[float, ...]
    regenerated: float
    memorised: int
    scores: Mapping[str, Mapping[str, Sequence[float]]]

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Outcome:
        """The outcome whose fields went through JSON. Raises KeyError and TypeError."""
        values = {**fields, "choosing": tuple(fields["choosing"])}
        return cls(**{**values, "setting": Setting(**fields["setting"])})


@dataclass(frozen=True)
class Parts:
    """Rows of the images: those that serve to choose a setting, and those that are reported."""

    reference: Rows
    choosing: Rows
    reported: Rows
    choosing_others: Rows
    reported_others: Rows


def run(plan: Plan, seed: int, device: torch.device, progress: Progress | None = None) -> Outcome:
    """Train a model and measure it; the same for equal arguments on one machine."""
    digits = digits_training.divided(plan.recipe, seed)
    denoiser = digits_training.train(digits, plan.recipe, seed, device, progress)
    return measure(plan, digits, denoiser, seed, progress)


def measure(
    plan: Plan, digits: Digits, denoiser: Denoiser, seed: int, progress: Progress | None = None
) -> Outcome:
    """Choose a setting of IIP on half of the memorised images, and report on the other half."""
    options = ProbeOptions(seed=seed)
    parts = divided(plan, digits)
    total = len(plan.settings) + len(plan.edits)
    choosing = []
    shown = _shown(digits, parts.reference, parts.choosing, parts.choosing_others, AS_IS, seed)
    for setting in plan.settings:
        scores = measuring.by_iip(denoiser, shown, setting, options)
        choosing.append(auc(scores, len(parts.choosing)))
        if progress is not None:
            progress("measuring", len(choosing), total)
    setting = plan.settings[int(np.argmax(choosing))]
    drawn = _samples(plan, digits, denoiser, seed)
    reported = parts.reference, parts.reported, parts.reported_others
    captions = measuring.of_captions(denoiser, _shown(digits, *reported, AS_IS, seed), options)
    found = {}
    for name in plan.edits:
        edit = AS_IS if name == AS_IS.name else edits.choose([name])[0]
        shown = _shown(digits, *reported, edit, seed)
        scores_of = measuring.by_all(denoiser, shown, setting, options, drawn, captions)
        found[name] = {method: list(map(float, scores)) for method, scores in scores_of.items()}
        if progress is not None:
            progress("measuring", len(choosing) + len(found), total)
    return Outcome(
        seed,
        setting,
        tuple(choosing),
        _regenerated(digits, denoiser, seed),
        len(parts.reported),
        found,
    )


def auc(scores: Sequence[float] | npt.NDArray[np.float64], memorised: int) -> float:
    """The area below the ROC curve of scores of which the first ones are of memorised images."""
    places = np.arange(len(scores))
    _, ranks = np.unique(-np.asarray(scores), return_inverse=True)
    pairs = statistics.Pairs(ranks.astype(np.float32), places < memorised, places)
    return float(statistics.auc(pairs, np.ones((1, len(scores))))[0])


def divided(plan: Plan, digits: Digits) -> Parts:
    """Parts that share no row; of the others, half were trained on once."""
    half, quarter = len(digits.memorised) // 2, plan.others // 2
    fresh, once = digits.fresh[plan.reference :], digits.once
    others = [
        np.concatenate([one[start : start + quarter] for one in (fresh, once)])
        for start in (0, quarter)
    ]
    return Parts(
        digits.fresh[: plan.reference], digits.memorised[:half], digits.memorised[half:], *others
    )


def _shown(
    digits: Digits, reference: Rows, memorised: Rows, others: Rows, edit: Edit, seed: int
) -> Shown:
    """The images with an edit, in their own size, and captions as the model was trained with."""
    known = dict(zip(digits.memorised.tolist(), digits.captions))
    lots = np.random.default_rng([seed, 0xD3])
    rows = np.concatenate([reference, memorised, others]).tolist()
    images = []
    for row in rows:
        image = Image.fromarray(digits.pixels[row]).convert("RGB")
        edited = edit.of(image, edits.key(image, seed))
        images.append(edited.resize(image.size, Image.Resampling.BILINEAR))
    captions = [known.get(row) or digits.filled(row, lots) for row in rows]
    return Shown(images, captions, len(reference))


def _samples(plan: Plan, digits: Digits, denoiser: Denoiser, seed: int) -> Drawn:
    """As many samples for prompts that name a digit as for the captions of the training."""
    lots = np.random.default_rng([seed, 0xD4])
    blind = [digits.filled(int(row), lots) for row in lots.choice(digits.once, plan.samples)]
    repeated = lots.random(plan.samples) < digits.share(plan.recipe)
    places = lots.integers(0, len(digits.captions), plan.samples)
    knowing = [
        digits.captions[place] if chosen else prompt
        for chosen, place, prompt in zip(repeated, places, blind)
    ]
    return Drawn(samples.drawn(denoiser, blind, seed), samples.drawn(denoiser, knowing, seed))


def _regenerated(digits: Digits, denoiser: Denoiser, seed: int) -> float:
    """The share of memorised images that come out when the model is given their captions."""
    made = samples.drawn(denoiser, digits.captions, seed).astype(np.float64)
    errors = np.sqrt(((made - digits.pixels[digits.memorised]) ** 2).mean(axis=(1, 2)))
    return float((errors < _ALIKE).mean())
