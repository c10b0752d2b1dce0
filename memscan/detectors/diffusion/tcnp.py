"""The magnitude of the text-conditional noise prediction (Wen et al., ICLR 2024).

Of a prompt: generate with it, and take the mean, over all steps, of the length of what the text
adds to the predicted noise. Prompts of remembered images add much, since the model follows them
wherever it starts. Their code and figures have that from the first step and with guidance 7.5.

Their detector judges prompts. Where the prompt of an image is not known, the same is measured here
from the image's own noise with prompts that have nothing to do with it (:func:`of_latents`): *our*
way to give the method something to go by, not theirs, since from drawn noise all images would get
the same.
"""

from __future__ import annotations

from typing import Sequence

import numpy as np
import numpy.typing as npt
import torch

from memscan.detectors.diffusion import ddim, prompts
from memscan.detectors.diffusion.denoiser import Denoiser
from memscan.probes import ProbeOptions, Tokens

Numbers = npt.NDArray[np.float64]


def of_prompts(
    denoiser: Denoiser, texts: Sequence[str], options: ProbeOptions, batch: int = 16
) -> Numbers:
    """The mean magnitude of generations with each of n prompts, 0 or more; greater: remembered.

    All prompts start from the same noises, so that equal prompts have equal magnitudes.
    """
    starts = _noises(denoiser, options)
    embeddings = denoiser.embed(texts)
    return _means(denoiser, starts, embeddings, options, batch, own_start=False)


def of_latents(
    denoiser: Denoiser, latents: torch.Tensor, options: ProbeOptions, batch: int = 16
) -> Numbers:
    """The mean magnitude of generations from the inverted noise of n images; 0 or more.

    With the prompts that perturb in :mod:`memscan.detectors.diffusion.iip`, as they are. Raises
    InputError for a prompt without effect.
    """
    grid = ddim.grid(denoiser.alphas_bar, options.steps)
    embeddings = prompts.embedded(denoiser, prompts.chosen(options))
    starts = ddim.invert(denoiser, latents, grid, grid.last, batch)
    return _means(denoiser, starts, embeddings, options, batch, own_start=True)


def significance(denoiser: Denoiser, prompt: str, options: ProbeOptions, batch: int = 16) -> Tokens:
    """The parts of a prompt, and how much the magnitude depends on each: 0 or more.

    The length, over the width of the embedding, of the gradient of the mean magnitude of the
    generations; the mean over the steps of a generation, whose latents are held fixed.
    """
    grid = ddim.grid(denoiser.alphas_bar, options.steps)
    embedding = denoiser.embed([prompt]).detach().clone().requires_grad_()
    gradients = torch.zeros((grid.last, *embedding.shape[1:]), device=embedding.device)
    starts = _noises(denoiser, options)
    for rows in ddim.batches(len(starts), batch):
        latents = starts[rows.to(starts.device)]
        unconditional = ddim.null(denoiser, len(latents))
        for k in range(grid.last, 0, -1):
            with torch.enable_grad():
                without, difference = ddim.predictions(
                    denoiser,
                    latents,
                    grid.steps[k],
                    unconditional,
                    embedding.expand(len(latents), -1, -1),
                )
                magnitude = ddim.magnitudes(difference).sum()
            (gradient,) = torch.autograd.grad(magnitude, embedding)
            gradients[k - 1] += gradient[0]
            noise = (without + options.guidance * difference).detach()
            latents = ddim.move(latents, noise, grid.signal[k], grid.signal[k - 1])
    lengths = torch.linalg.vector_norm(gradients / options.generations, dim=2)
    weights = lengths.mean(0).tolist()
    return tuple((text, one) for text, one in zip(denoiser.tokens(prompt), weights) if text)


def _noises(denoiser: Denoiser, options: ProbeOptions) -> torch.Tensor:
    """The noises that generations start from; drawn on the CPU, so the same on every device."""
    lots = torch.Generator().manual_seed(options.seed)
    shape = (options.generations, *denoiser.latent_shape)
    return torch.randn(shape, generator=lots).to(denoiser.device)


def _means(
    denoiser: Denoiser,
    starts: torch.Tensor,
    embeddings: torch.Tensor,
    options: ProbeOptions,
    batch: int,
    own_start: bool,
) -> Numbers:
    """The mean magnitude for each start (else for each embedding), over all of the other."""
    grid = ddim.grid(denoiser.alphas_bar, options.steps)
    found = np.empty((len(starts), len(embeddings)))
    for rows in ddim.batches(found.size, batch):
        start, text = rows // len(embeddings), rows % len(embeddings)
        done = ddim.denoise(
            denoiser,
            starts[start.to(starts.device)],
            grid,
            grid.last,
            embeddings[text.to(embeddings.device)],
            options.guidance,
        )
        found[start.numpy(), text.numpy()] = done.magnitudes.mean(1).cpu().numpy()
    means: Numbers = found.mean(axis=1 if own_start else 0)
    return means
