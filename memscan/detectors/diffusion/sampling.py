"""Images of a latent diffusion model: DDIM (Song et al., 2021) with classifier-free guidance.

The steps are those of Stable Diffusion: evenly spaced from step 1, and the last one ends where
step 0 is. The noise of an image depends on nothing but the seed and the number of the image.
"""

from __future__ import annotations

import math
from typing import Callable, Sequence

import numpy as np
import torch

from memscan.detectors.diffusion.denoiser import Denoiser
from memscan.errors import InputError


def steps_of(total: int, count: int) -> list[int]:
    """``count`` of ``total`` training steps, the noisiest first. Raises InputError for too many."""
    if not 1 <= count < total:
        raise InputError(f"the model has {total} steps; so many or more cannot be sampled with")
    return [1 + place * (total // count) for place in reversed(range(count))]


def noise(denoiser: Denoiser, seed: int, numbers: Sequence[int]) -> torch.Tensor:
    """The latents from which images with these numbers begin."""
    drawn = [
        np.random.default_rng([seed, number]).standard_normal(denoiser.latent_shape, np.float32)
        for number in numbers
    ]
    return torch.from_numpy(np.stack(drawn)).to(denoiser.device)


def sample(
    denoiser: Denoiser,
    prompts: Sequence[str],
    latents: torch.Tensor,
    *,
    steps: int = 50,
    guidance: float = 7.5,
    on_step: Callable[[], None] | None = None,
) -> torch.Tensor:
    """What DDIM makes of ``latents``, a row for each prompt: latents of step 0.

    With ``guidance`` 1 the network is only asked with the prompt. Raises InputError for more steps
    than the model has.
    """
    places = steps_of(len(denoiser.alphas_bar), steps)
    apart = places[0] - places[1] if len(places) > 1 else places[0]
    with torch.inference_mode():
        asked = denoiser.embed(prompts)
        null = denoiser.embed([""] * len(prompts))
        for step in places:
            found = denoiser.predict(latents, step, asked)
            if guidance != 1:
                unled = denoiser.predict(latents, step, null)
                found = unled + guidance * (found - unled)
            share = float(denoiser.alphas_bar[step])
            next_share = float(denoiser.alphas_bar[max(0, step - apart)])
            clean = (latents - math.sqrt(1 - share) * found) / math.sqrt(share)
            latents = math.sqrt(next_share) * clean + math.sqrt(1 - next_share) * found
            if on_step is not None:
                on_step()
    return latents
