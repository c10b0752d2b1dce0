"""Deterministic DDIM in both directions (Song, Meng and Ermon, ICLR 2021), with guidance.

Classifier-free guidance as by Ho and Salimans (2022).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator

import torch

from memscan.detectors.diffusion.denoiser import Denoiser
from memscan.errors import InputError


@dataclass(frozen=True)
class Grid:
    """The levels of noise that DDIM visits, from 0, a clean latent, to K, almost pure noise.

    ``steps`` holds the training step of each level and ``signal`` the share of the signal's
    variance there; both have K + 1 entries. Level 0 has the signal 1 and, since no training step
    does, step 0.
    """

    steps: tuple[int, ...]
    signal: tuple[float, ...]

    @property
    def last(self) -> int:
        """K."""
        return len(self.steps) - 1


@dataclass(frozen=True)
class Denoised:
    """Latents at level 0, and the magnitudes on the way, of shape (n, levels) (none without text).

    The first magnitude is that of the highest level.
    """

    latents: torch.Tensor
    magnitudes: torch.Tensor


def grid(alphas_bar: torch.Tensor, count: int = 50) -> Grid:
    """``count`` evenly spaced levels, the last of them the last training step.

    Level k is training step k T / count - 1, so that level 20 of 50 is 40 % of the way. Raises
    InputError where there are fewer training steps.
    """
    total = len(alphas_bar)
    if not 1 <= count <= total:
        raise InputError(f"{count} steps of DDIM: the model was trained with {total} steps")
    places = [round(level * total / count) - 1 for level in range(1, count + 1)]
    signal = alphas_bar.tolist()
    return Grid((0, *places), (1.0, *(signal[place] for place in places)))


def batches(count: int, batch: int) -> Iterator[torch.Tensor]:
    """The numbers of ``count`` rows, ``batch`` of them at a time."""
    for start in range(0, count, batch):
        yield torch.arange(start, min(start + batch, count))


def null(denoiser: Denoiser, count: int) -> torch.Tensor:
    """The unconditional embedding, for ``count`` latents."""
    return denoiser.embed([""]).expand(count, -1, -1)


def magnitudes(difference: torch.Tensor) -> torch.Tensor:
    """The L2 norms, over the whole latent, of n differences of noise predictions: shape (n,)."""
    lengths: torch.Tensor = torch.linalg.vector_norm(difference.flatten(1), dim=1)
    return lengths


def move(
    latents: torch.Tensor, noise: torch.Tensor, signal: float, other_signal: float
) -> torch.Tensor:
    """Latents of one level as another level has them, if ``noise`` is what they hold.

    The same step denoises and, towards less signal, inverts.
    """
    clean = (latents - (1 - signal) ** 0.5 * noise) / signal**0.5
    moved: torch.Tensor = other_signal**0.5 * clean + (1 - other_signal) ** 0.5 * noise
    return moved


def invert(
    denoiser: Denoiser, latents: torch.Tensor, grid: Grid, level: int, batch: int = 16
) -> torch.Tensor:
    """Clean latents as ``level`` has them: those from which they would be denoised, without text.

    The noise of a level is predicted from the latent one level below, which is the usual first
    order; so denoising gives the latents back up to an error that falls with the number of levels.
    """
    with torch.no_grad():
        parts = []
        for rows in batches(len(latents), batch):
            part = latents[rows.to(latents.device)]
            unconditional = null(denoiser, len(part))
            for k in range(level):
                noise = denoiser.predict(part, grid.steps[k + 1], unconditional)
                part = move(part, noise, grid.signal[k], grid.signal[k + 1])
            parts.append(part)
        return torch.cat(parts)


def denoise(
    denoiser: Denoiser,
    latents: torch.Tensor,
    grid: Grid,
    level: int,
    embeddings: torch.Tensor | None = None,
    guidance: float = 7.5,
) -> Denoised:
    """Latents of ``level`` down to level 0: without text, or guided by an embedding for each.

    The whole batch is given to the model at once, twice over with embeddings.
    """
    unconditional = null(denoiser, len(latents))
    found = []
    with torch.no_grad():
        for k in range(level, 0, -1):
            if embeddings is None:
                noise = denoiser.predict(latents, grid.steps[k], unconditional)
            else:
                without, difference = predictions(
                    denoiser, latents, grid.steps[k], unconditional, embeddings
                )
                noise = without + guidance * difference
                found.append(magnitudes(difference))
            latents = move(latents, noise, grid.signal[k], grid.signal[k - 1])
    shape = (len(latents), 0)
    return Denoised(latents, torch.stack(found, 1) if found else latents.new_empty(shape))


def predictions(
    denoiser: Denoiser,
    latents: torch.Tensor,
    step: int,
    unconditional: torch.Tensor,
    embeddings: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The noise that is predicted without text, and what the text adds to it."""
    both = torch.cat([unconditional, embeddings])
    without, with_text = denoiser.predict(torch.cat([latents, latents]), step, both).chunk(2)
    return without, with_text - without
