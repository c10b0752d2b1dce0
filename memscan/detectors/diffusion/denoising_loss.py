"""The plain baseline: what the model was trained for, it does better on what it remembers.

The loss as a test of membership is that of Carlini et al. (USENIX Security 2023) and others; the
levels and noises are our choice.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from memscan.detectors.diffusion import ddim
from memscan.detectors.diffusion.denoiser import Denoiser
from memscan.probes import ProbeOptions

Numbers = npt.NDArray[np.float64]


def measure(
    denoiser: Denoiser, latents: torch.Tensor, options: ProbeOptions, batch: int = 16
) -> Numbers:
    """The negative denoising loss of n images: 0 or less, and greater for what is remembered.

    The mean square of the error of the noise predicted without text, over some levels of noise
    and some noises. The noises are the same for all images, which takes the luck of the draw out
    of their comparison, and the figures do not depend on what else is measured.
    """
    total = len(denoiser.alphas_bar)
    steps = [max(0, round(share * total) - 1) for share in options.loss_shares]
    lots = torch.Generator().manual_seed(options.seed)
    noises = torch.randn((options.noises, *denoiser.latent_shape), generator=lots)
    noises = noises.to(denoiser.device)
    losses = np.zeros((len(latents), options.noises))
    with torch.no_grad():
        for step in steps:
            signal = float(denoiser.alphas_bar[step])
            for rows in ddim.batches(losses.size, batch):
                image, number = rows // options.noises, rows % options.noises
                noise = noises[number.to(noises.device)]
                clean = latents[image.to(latents.device)]
                noisy = signal**0.5 * clean + (1 - signal) ** 0.5 * noise
                unconditional = ddim.null(denoiser, len(rows))
                predicted = denoiser.predict(noisy, step, unconditional)
                errors = (predicted - noise).flatten(1).square().mean(1)
                losses[image.numpy(), number.numpy()] += errors.cpu().numpy()
    means: Numbers = -losses.mean(1) / len(steps)
    return means
