"""A text-conditional denoiser that needs no training: the exact one of a mixture of Gaussians.

Some components are narrow and have a prompt of their own: these are images that the model
remembers. The others are broad: kinds of images, of which it makes ever new ones. The score of such
a mixture at any level of noise has a closed form, so that all there is to know of it is exact.
"""

from __future__ import annotations

import hashlib
import io
from typing import Sequence

import numpy as np
import torch
from PIL import Image

SIDE = 8
TOKENS = 5  # a start token and four words
WIDTH = 16
KINDS = 4
NARROW, BROAD = 0.05, 0.5


class Mixture:
    """The denoiser of a mixture: ``remembered`` images (n, SIDE, SIDE) from -1 to 1, and kinds.

    The prompt ``memory3`` draws remembered image 3, ``kind2`` the images of a kind. Any other word
    turns the mixture away from all memories, as the prompts of a large model do, and changes the
    weights of the kinds a little. Without a prompt all components have their share.
    """

    def __init__(
        self,
        remembered: torch.Tensor,
        kinds: torch.Tensor,
        *,
        share: float = 0.1,
        calls: float = 8.0,
        pull: float = 2.0,
        gate: float = 300.0,
        training_steps: int = 1000,
    ) -> None:
        self.device = torch.device("cpu")
        self.latent_shape = (1, SIDE, SIDE)
        betas = torch.linspace(1e-4, 0.02, training_steps, dtype=torch.float64)
        self.alphas_bar = torch.cumprod(1 - betas * 1000 / training_steps, 0)
        self.calls = 0
        self.rows = 0
        self._means = torch.cat([remembered, kinds]).flatten(1)
        narrow = [NARROW] * len(remembered)
        self._deviations = torch.tensor(narrow + [BROAD] * len(kinds))
        shares = [share / max(1, len(remembered))] * len(remembered)
        shares += [(1 - share * bool(len(remembered))) / len(kinds)] * len(kinds)
        self._log_shares = torch.tensor(shares).log()
        names = [f"memory{n}" for n in range(len(remembered))]
        names += [f"kind{n}" for n in range(len(kinds))]
        keys = torch.tanh(torch.stack([_vector(name) for name in names]))
        self._keys = keys / keys.norm(dim=1, keepdim=True)
        self._pulls = torch.tensor([calls] * len(remembered) + [pull] * len(kinds))
        self._gates = torch.tensor([gate] * len(remembered) + [0.0] * len(kinds))

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(self._means.numpy().tobytes()).hexdigest()

    def tokens(self, prompt: str) -> list[str]:
        words = _words(prompt)
        return ["", *words, *[""] * (TOKENS - 1 - len(words))]

    def embed(self, prompts: Sequence[str]) -> torch.Tensor:
        """Rows: the start token, then a direction for each word, then zeros."""
        rows = []
        for prompt in prompts:
            words = [_vector(word) for word in _words(prompt)]
            blank = [torch.zeros(WIDTH)] * (TOKENS - 1 - len(words))
            rows.append(torch.stack([torch.ones(WIDTH), *words, *blank]))
        return torch.stack(rows)

    def log_weights(self, embeddings: torch.Tensor) -> torch.Tensor:
        """Of the components, for each embedding: (n, components)."""
        meaning = torch.tanh(embeddings[:, 1:]).sum(1)
        along = meaning @ self._keys.T
        beside = meaning.square().sum(1, keepdim=True) - along.square()
        logits = self._log_shares + self._pulls * along - self._gates * beside / WIDTH
        return torch.log_softmax(logits, 1)

    def predict(self, latents: torch.Tensor, step: int, embeddings: torch.Tensor) -> torch.Tensor:
        """The noise that is expected, given the latent: exact."""
        assert latents.dtype == embeddings.dtype == torch.float32
        assert len(latents) == len(embeddings)
        self.calls += 1
        self.rows += len(latents)
        signal = float(self.alphas_bar[step])
        flat = latents.flatten(1)
        variances = signal * self._deviations**2 + 1 - signal
        apart = flat[:, None] - signal**0.5 * self._means
        logs = -0.5 * apart.square().sum(2) / variances
        logs = logs - 0.5 * flat.shape[1] * variances.log() + self.log_weights(embeddings)
        noises = (1 - signal) ** 0.5 * apart / variances[:, None]
        expected: torch.Tensor = (torch.softmax(logs, 1)[:, :, None] * noises).sum(1)
        return expected.view_as(latents)

    def encode(self, images: Sequence[Image.Image]) -> torch.Tensor:
        assert all(image.mode == "RGB" for image in images)
        small = [image.convert("L").resize((SIDE, SIDE)) for image in images]
        pixels = np.stack([np.asarray(one, np.float32) for one in small])
        return torch.from_numpy(pixels / 127.5 - 1)[:, None]

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        return ((latents + 1) / 2).clamp(0, 1)


def mixture(memories: int = 6, seed: int = 0, **options: float) -> Mixture:
    """A toy that remembers ``memories`` images; they and its kinds depend on the seed alone."""
    lots = torch.Generator().manual_seed(seed)
    kinds = 0.8 * (2 * torch.rand((KINDS, SIDE, SIDE), generator=lots) - 1)
    own = kinds[torch.arange(memories) % KINDS]
    remembered = own + BROAD * torch.randn((memories, SIDE, SIDE), generator=lots)
    return Mixture(remembered.clamp(-1, 1), kinds, **options)  # type: ignore[arg-type]


def remembered(model: Mixture, count: int) -> torch.Tensor:
    """Latents of the first remembered images, (count, 1, SIDE, SIDE)."""
    return model._means[:count].reshape(count, *model.latent_shape).clone()


def unknown(model: Mixture, count: int, seed: int = 1) -> torch.Tensor:
    """Latents of new images of the kinds that the model makes, (count, 1, SIDE, SIDE)."""
    lots = torch.Generator().manual_seed(seed)
    kinds = model._means[-KINDS:][torch.arange(count) % KINDS]
    drawn = kinds + BROAD * torch.randn(kinds.shape, generator=lots)
    return drawn.reshape(count, *model.latent_shape).clamp(-1, 1)


def image_of(latent: torch.Tensor) -> Image.Image:
    """A latent (1, SIDE, SIDE) as the RGB image whose latent it is, but for rounding to 8 bits."""
    pixels = ((latent[0] + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return Image.fromarray(pixels.numpy()).convert("RGB")


def png_of(latent: torch.Tensor) -> bytes:
    """The same as a file."""
    data = io.BytesIO()
    image_of(latent).save(data, "PNG")
    return data.getvalue()


def _words(prompt: str) -> list[str]:
    return prompt.split()[: TOKENS - 1]


def _vector(word: str) -> torch.Tensor:
    """What a word is to the model: of the words that it knows weak, of others saturated numbers."""
    seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:4], "big")
    signs = torch.randn(WIDTH, generator=torch.Generator().manual_seed(seed)).sign()
    return signs * (0.5 if word.startswith(("memory", "kind")) else 1.5)
