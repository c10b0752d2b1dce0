"""The little that the probes need of a text-conditional diffusion model."""

from __future__ import annotations

from typing import Protocol, Sequence

import torch
from PIL import Image


class Denoiser(Protocol):
    """A model that predicts the noise in latents, given a step and the embeddings of a prompt.

    All tensors are float32 on ``device``. Latents have the shape (n, channels, height, width), in
    the scale that the model was trained in; embeddings (n, tokens, width). Weights take no
    gradient.
    """

    @property
    def device(self) -> torch.device:
        """Where the model is, and where it takes its tensors."""
        ...

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of a latent."""
        ...

    @property
    def alphas_bar(self) -> torch.Tensor:
        """The share of the signal's variance after each training step, float64 of shape (T,).

        Falls from almost 1; the latent of step t is sqrt(a_t) z_0 + sqrt(1 - a_t) noise.
        """
        ...

    @property
    def fingerprint(self) -> str:
        """What must be equal for two models to answer alike; no spaces."""
        ...

    def embed(self, prompts: Sequence[str]) -> torch.Tensor:
        """The embeddings of prompts, which condition the model; of "" the unconditional one.

        Their tokens are as many for all prompts.
        """
        ...

    def tokens(self, prompt: str) -> Sequence[str]:
        """The text at each position of the embedding of a prompt; "" at what is no part of it."""
        ...

    def predict(self, latents: torch.Tensor, step: int, embeddings: torch.Tensor) -> torch.Tensor:
        """The noise in latents of training step ``step``, of their shape.

        Differentiable in the latents and the embeddings.
        """
        ...

    def encode(self, images: Sequence[Image.Image]) -> torch.Tensor:
        """The latents of RGB images of any size, as step 0 has them.

        Of an autoencoder, the posterior's mode, so always the same.
        """
        ...

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Pixels of latents, of shape (n, 1 or 3, height, width), from 0 to 1."""
        ...
