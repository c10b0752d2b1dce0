"""The methods of a probe by their names."""

from __future__ import annotations

from typing import List, Sequence, Tuple

import torch
from PIL import Image

from memscan.detectors import devices
from memscan.detectors.diffusion import denoising_loss, iip, tcnp
from memscan.detectors.diffusion.denoiser import Denoiser
from memscan.probes import Pictures, ProbeOptions, Tokens

Values = List[Tuple[float, ...]]

_TOO_SMALL = "give the model fewer latents at a time (--batch)"


def of_latents(
    method: str,
    denoiser: Denoiser,
    several: Sequence[torch.Tensor],
    options: ProbeOptions,
    batch: int,
) -> Values:
    """What a method says of images by their latents, each of shape (1, channels, height, width).

    D and E of ``iip``, one value of ``tcnp`` (without the images' prompts) and ``loss``. Raises
    InputError where the device has too little memory for ``batch`` latents.
    """
    with devices.enough_memory(_TOO_SMALL):
        latents = torch.cat(list(several))
        if method == "iip":
            found = iip.measure(denoiser, latents, options, batch)
            return list(zip(found.distances.tolist(), found.magnitudes.tolist()))
        ask = {"tcnp": tcnp.of_latents, "loss": denoising_loss.measure}[method]
        return [(one,) for one in ask(denoiser, latents, options, batch).tolist()]


def of_prompts(
    denoiser: Denoiser, texts: Sequence[str], options: ProbeOptions, batch: int
) -> Values:
    """What ``tcnp`` says of prompts, one value of each. Raises InputError likewise."""
    with devices.enough_memory(_TOO_SMALL):
        return [(one,) for one in tcnp.of_prompts(denoiser, texts, options, batch).tolist()]


def pictures(denoiser: Denoiser, image: Image.Image, options: ProbeOptions) -> Pictures:
    """What ``iip`` sees of an RGB image. Raises InputError likewise."""
    with devices.enough_memory(_TOO_SMALL):
        return iip.pictures(denoiser, [image], options)[0]


def significance(denoiser: Denoiser, text: str, options: ProbeOptions, batch: int) -> Tokens:
    """The parts of a prompt and what they weigh, by ``tcnp``. Raises InputError likewise."""
    with devices.enough_memory(_TOO_SMALL):
        return tcnp.significance(denoiser, text, options, batch)
