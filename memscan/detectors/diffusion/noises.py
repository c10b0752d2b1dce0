"""The noise that generations start from."""

from __future__ import annotations

import torch

from memscan.detectors.diffusion.denoiser import Denoiser


def starts(denoiser: Denoiser, count: int, seed: int) -> torch.Tensor:
    """Noise of ``count`` latents; drawn on the CPU, so the same on every device."""
    lots = torch.Generator().manual_seed(seed)
    return torch.randn((count, *denoiser.latent_shape), generator=lots).to(denoiser.device)
