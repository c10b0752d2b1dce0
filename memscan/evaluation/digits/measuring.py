"""What each method says of some images: scores in deviations of images that are not memorised."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Dict, Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from memscan.detectors.diffusion import denoising_loss, iip, reference, tcnp
from memscan.detectors.diffusion.denoiser import Denoiser
from memscan.evaluation.digits import samples
from memscan.memorisation import ABLATION, Setting
from memscan.probes import ProbeOptions

Numbers = npt.NDArray[np.float64]
Scores = Dict[str, Numbers]

_BATCH = 1024  # rows of 64 numbers


@dataclass(frozen=True)
class Shown:
    """Images and their captions, of which the first ``reference`` are not memorised for certain."""

    images: Sequence[Image.Image]
    captions: Sequence[str]
    reference: int

    def standardised(self, features: Numbers) -> Numbers:
        """The scores of the images after the reference, by features (n, f) of all."""
        own = features[: self.reference]
        return reference.standardised(features[self.reference :], own, [1.0] * features.shape[1])


@dataclass(frozen=True)
class Drawn:
    """Samples of the model, for prompts that know the captions of its training or do not."""

    blind: samples.Bytes
    knowing: samples.Bytes


def by_iip(
    denoiser: Denoiser, shown: Shown, setting: Setting, options: ProbeOptions, optimise: bool = True
) -> Numbers:
    """S of the images after the reference."""
    chosen = dataclasses.replace(
        options, depth=setting.depth, guidance=setting.guidance, optimise=optimise
    )
    found = iip.measure(denoiser, denoiser.encode(shown.images), chosen, _BATCH)
    return shown.standardised(np.stack([found.distances, found.magnitudes], axis=1))


def of_captions(denoiser: Denoiser, shown: Shown, options: ProbeOptions) -> Numbers:
    """What ``tcnp`` says of the captions, whatever edit the images have."""
    return tcnp.of_prompts(denoiser, shown.captions, options, _BATCH)


def by_all(
    denoiser: Denoiser,
    shown: Shown,
    setting: Setting,
    options: ProbeOptions,
    drawn: Drawn,
    captions: Numbers,
) -> Scores:
    """The scores of the images after the reference, by method; ``captions`` of their captions."""
    latents = denoiser.encode(shown.images)
    baselines = {
        "tcnp": tcnp.of_latents(denoiser, latents, options, _BATCH),
        "tcnp, captions": captions,
        "loss": denoising_loss.measure(denoiser, latents, options, _BATCH),
        "nearest": samples.nearest(shown.images, drawn.blind),
        "nearest, captions": samples.nearest(shown.images, drawn.knowing),
        "phash": samples.nearest_by_phash(shown.images, drawn.blind),
        "phash, captions": samples.nearest_by_phash(shown.images, drawn.knowing),
    }
    return {
        "iip": by_iip(denoiser, shown, setting, options),
        ABLATION: by_iip(denoiser, shown, setting, options, optimise=False),
        **{name: shown.standardised(found[:, None]) for name, found in baselines.items()},
    }
