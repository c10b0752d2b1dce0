"""Images of a latent diffusion model, by DDIM with classifier-free guidance."""

from __future__ import annotations

from typing import Sequence

import numpy as np
import torch

from memscan.detectors.diffusion import ddim
from memscan.detectors.diffusion.denoiser import Denoiser


def noise(denoiser: Denoiser, seed: int, numbers: Sequence[int]) -> torch.Tensor:
    """The latents from which images with these numbers begin: of no other number or batch."""
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
) -> torch.Tensor:
    """Pixels of what is drawn from noise, a row for each prompt: from 0 to 1.

    With ``guidance`` 0 the prompt says nothing, with 1 the model is taken at its word. Of shape
    (n, 1 or 3, height, width). Raises InputError for more steps than the model has.
    """
    grid = ddim.grid(denoiser.alphas_bar, steps)
    with torch.inference_mode():
        asked = denoiser.embed(prompts)
        found = ddim.denoise(denoiser, latents, grid, grid.last, asked, guidance)
        return denoiser.decode(found.latents)
