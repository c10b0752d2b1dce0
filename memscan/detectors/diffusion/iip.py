"""Inversion-based inference perturbation (IIP, ICLR 2025): does a model remember an image?

An image is inverted without text to an intermediate step, and denoised from there with a prompt
that has nothing to do with it. What is remembered comes apart.

*Certain*, from the paper's abstract and settings: the order of these steps; an optimised prompt
embedding that is "non-memorised"; the two characteristics (similarity discrepancy, and a large
magnitude of the text-conditional noise prediction); DDIM with 50 steps, guidance 7.5, t_I of 20
and 10, both weights 1; images are judged without their prompts.

*Inferred*, since the paper's equations were not to be had: that t_I counts the 50 steps of DDIM;
that the objective of the embedding is the magnitude at step t_I, as in the mitigation of Wen et al.
(ICLR 2024), from which AdamW with rate 0.05, 10 steps and the untouched start token are taken; that
the discrepancy is a distance, here the RMSE of latents, greater for what is remembered; that the
weights are those of the score; and the standardisation
(:mod:`memscan.detectors.diffusion.reference`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from memscan.detectors.diffusion import ddim, prompts
from memscan.detectors.diffusion.ddim import Grid
from memscan.detectors.diffusion.denoiser import Denoiser
from memscan.probes import MOST_PICTURE, Pictures, Pixels, ProbeOptions

Numbers = npt.NDArray[np.float64]

_SAME_TOKEN = 1e-4  # relative: the same token in another batch


@dataclass(frozen=True)
class IIP:
    """D and E of n images, both 0 or more and greater for what is remembered.

    ``distances`` are the RMSE between a latent and what the perturbed denoising makes of it;
    ``magnitudes`` the L2 norm of what the text adds to the predicted noise, the mean over the
    levels from t_I. Both are means over the prompts.

    The distance is one of latents, not of pixels: the autoencoder's own error, which is large for
    images unlike those that it was trained on, stays out of it, and nothing needs to be decoded.
    """

    distances: Numbers
    magnitudes: Numbers


def measure(
    denoiser: Denoiser, latents: torch.Tensor, options: ProbeOptions, batch: int = 16
) -> IIP:
    """D and E of images by their latents (n, channels, height, width), ``batch`` rows at a time.

    An image gives the same figures whatever else is in its batch, up to the rounding of float32.
    Raises InputError for a prompt without effect.
    """
    grid = ddim.grid(denoiser.alphas_bar, options.steps)
    words = prompts.embedded(denoiser, prompts.chosen(options))
    inverted = ddim.invert(denoiser, latents, grid, options.depth, batch)
    count = len(words)
    distances = np.empty(len(latents) * count)
    magnitudes = np.empty(len(latents) * count)
    for rows in ddim.batches(len(distances), batch):
        own = (rows // count).to(latents.device)
        embeddings = words[(rows % count).to(words.device)]
        done = _perturbed(denoiser, inverted[own], embeddings, grid, options)
        errors = (done.latents - latents[own]).flatten(1)
        distances[rows.numpy()] = errors.square().mean(1).sqrt().cpu().numpy()
        magnitudes[rows.numpy()] = done.magnitudes.mean(1).cpu().numpy()
    return IIP(
        distances.reshape(len(latents), count).mean(1),
        magnitudes.reshape(len(latents), count).mean(1),
    )


def quieten(
    denoiser: Denoiser,
    latents: torch.Tensor,
    step: int,
    embeddings: torch.Tensor,
    iterations: int = 10,
    rate: float = 0.05,
) -> torch.Tensor:
    """Embeddings near those given that add less to the noise predicted at training step ``step``.

    Latent and embedding i belong together and to no other. Of all steps of AdamW, and the start,
    the one with the least magnitude is kept. A start token, which is the same with every prompt,
    stays as it is.
    """
    unconditional = ddim.null(denoiser, len(latents))
    start = _same_at_start(embeddings, unconditional)
    with torch.no_grad():
        without = denoiser.predict(latents, step, unconditional)
    learned = embeddings.detach().clone().requires_grad_()
    optimiser = torch.optim.AdamW([learned], lr=rate)
    best = embeddings.detach().clone()
    least = torch.full((len(latents),), torch.inf, device=latents.device)
    for iteration in range(iterations + 1):
        with torch.enable_grad():
            magnitude = ddim.magnitudes(denoiser.predict(latents, step, learned) - without)
        better = magnitude.detach() < least
        best[better], least[better] = learned.detach()[better], magnitude.detach()[better]
        if iteration < iterations:
            (gradient,) = torch.autograd.grad(magnitude.sum(), learned)
            gradient[:, :start] = 0
            learned.grad = gradient
            optimiser.step()
            with torch.no_grad():
                learned[:, :start] = embeddings[:, :start]  # the optimiser's decay of weights
    return best


def pictures(
    denoiser: Denoiser, images: Sequence[Image.Image], options: ProbeOptions
) -> list[Pictures]:
    """What RGB images become without text, and with the first of the prompts.

    The original is made no larger than what the model draws, and neither than the report wants.
    """
    grid = ddim.grid(denoiser.alphas_bar, options.steps)
    words = prompts.embedded(denoiser, prompts.chosen(options)[:1])
    inverted = ddim.invert(denoiser, denoiser.encode(images), grid, options.depth, len(images))
    back = ddim.denoise(denoiser, inverted, grid, options.depth).latents
    embeddings = words.expand(len(images), -1, -1)
    perturbed = _perturbed(denoiser, inverted, embeddings, grid, options).latents
    drawn = zip(images, _drawn(denoiser, back), _drawn(denoiser, perturbed))
    return [Pictures(_small(image, one.shape), one, other) for image, one, other in drawn]


def _perturbed(
    denoiser: Denoiser,
    inverted: torch.Tensor,
    embeddings: torch.Tensor,
    grid: Grid,
    options: ProbeOptions,
) -> ddim.Denoised:
    """Inverted latents, denoised with prompts."""
    if options.optimise:
        step = grid.steps[options.depth]
        embeddings = quieten(denoiser, inverted, step, embeddings, options.iterations, options.rate)
    return ddim.denoise(denoiser, inverted, grid, options.depth, embeddings, options.guidance)


def _same_at_start(embeddings: torch.Tensor, unconditional: torch.Tensor) -> int:
    """At how many positions, from the first, the embeddings are those without text."""
    apart = torch.linalg.vector_norm(embeddings - unconditional, dim=2).amax(0)
    limit = _SAME_TOKEN * torch.linalg.vector_norm(unconditional[0], dim=1)
    return int((apart <= limit).int().cumprod(0).sum())


def _drawn(denoiser: Denoiser, latents: torch.Tensor) -> list[Pixels]:
    """Latents as pictures."""
    with torch.no_grad():
        pixels = denoiser.decode(latents).expand(-1, 3, -1, -1).permute(0, 2, 3, 1)
        drawn = pixels.clamp(0, 1).mul(255).round().to(torch.uint8).cpu().numpy()
    return [_small(Image.fromarray(one), one.shape) for one in drawn]


def _small(image: Image.Image, shape: tuple[int, ...]) -> Pixels:
    """An image within a height and width, and within what a report shows."""
    small = image.copy()
    small.thumbnail((min(shape[1], MOST_PICTURE), min(shape[0], MOST_PICTURE)))
    return np.asarray(small)
