"""A text-conditional diffusion model of pictures of 8 x 8 grey pixels, small enough for a CPU.

A residual network of dense layers over the 64 pixels, whose blocks are scaled and shifted by the
step and the words of a caption (FiLM, Perez et al., 2018). There is no autoencoder: a latent is the
picture itself.
"""

from __future__ import annotations

import hashlib
import math
import zlib
from typing import Sequence

import numpy as np
import torch
from PIL import Image
from torch import nn

SIDE = 8
PIXELS = SIDE * SIDE

STEPS = 1000
"""Steps of the schedule that the model is trained on."""

WORDS = 4
"""Words of a caption; a shorter one is filled up with the word of no meaning."""

_CLASSES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


class Vocabulary:
    """The words that a model knows, by number: none (0), the ten classes, fillers and names.

    A filler stands in many captions, a name in those of one picture only.
    """

    def __init__(self, fillers: int, names: int) -> None:
        self.fillers = tuple(f"filler{number}" for number in range(fillers))
        self.names = tuple(f"name{number}" for number in range(names))
        self.words = ("", *_CLASSES, *self.fillers, *self.names)
        self._numbers = {word: number for number, word in enumerate(self.words)}

    def __len__(self) -> int:
        return len(self._numbers)

    def numbers(self, caption: str) -> list[int]:
        """The words of a caption, of which the first :data:`WORDS` count.

        A word that is not known stands for a filler, always the same one.
        """
        words = caption.split()[:WORDS]
        return [self._number(word) for word in words] + [0] * (WORDS - len(words))

    def _number(self, word: str) -> int:
        if word in self._numbers:
            return self._numbers[word]
        return 1 + len(_CLASSES) + zlib.crc32(word.encode("utf-8", "replace")) % len(self.fillers)


def class_word(digit: int) -> str:
    """The word for a digit from 0 to 9, with which a caption begins."""
    return _CLASSES[digit]


def alphas_bar() -> torch.Tensor:
    """The share of the signal's variance after each step, as DDPM has it (Ho et al., 2020)."""
    return torch.cumprod(1 - torch.linspace(1e-4, 0.02, STEPS, dtype=torch.float64), 0)


class _Block(nn.Module):
    def __init__(self, width: int, condition: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.film = nn.Linear(condition, 2 * width)
        self.first = nn.Linear(width, width)
        self.second = nn.Linear(width, width)

    def forward(self, hidden: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        scale, shift = self.film(condition).chunk(2, dim=1)
        inner = torch.addcmul(shift, self.norm(hidden), 1 + scale)
        out: torch.Tensor = hidden + self.second(nn.functional.silu(self.first(inner)))
        return out


class DigitsNetwork(nn.Module):
    """Pictures, steps and captions -> noise."""

    def __init__(
        self,
        words: int,
        width: int = 256,
        blocks: int = 4,
        condition: int = 128,
        word_width: int = 48,
    ) -> None:
        super().__init__()
        self.words = nn.Embedding(words, word_width)
        self.of_words = nn.Linear(WORDS * word_width, condition)
        self.of_step = nn.Linear(64, condition)
        self.enter = nn.Linear(PIXELS, width)
        self.blocks = nn.ModuleList([_Block(width, condition) for _ in range(blocks)])
        self.norm = nn.LayerNorm(width)
        self.leave = nn.Linear(width, PIXELS)
        frequencies = torch.exp(torch.linspace(0, math.log(STEPS), 32))
        angles = torch.outer(torch.arange(STEPS) / STEPS, frequencies)
        self.register_buffer("_waves", torch.cat([angles.sin(), angles.cos()], 1), persistent=False)

    def forward(
        self, pictures: torch.Tensor, steps: torch.Tensor, embeddings: torch.Tensor
    ) -> torch.Tensor:
        """The noise (n, 64) in pictures (n, 64) of training steps (n,), int64.

        Embeddings of captions have the shape (n, WORDS, word_width).
        """
        waves: torch.Tensor = self._waves  # type: ignore[assignment]
        condition = self.of_words(embeddings.flatten(1)) + self.of_step(waves[steps])
        condition = nn.functional.silu(condition)
        hidden = self.enter(pictures)
        for block in self.blocks:
            hidden = block(hidden, condition)
        noise: torch.Tensor = self.leave(self.norm(hidden))
        return noise


class DigitsDenoiser:
    """A trained network as a :class:`~memscan.detectors.diffusion.denoiser.Denoiser`."""

    def __init__(self, network: DigitsNetwork, vocabulary: Vocabulary) -> None:
        self._network = network.eval().requires_grad_(False)
        self._vocabulary = vocabulary

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self._network.leave.weight.device

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of the weights and the words."""
        digest = hashlib.sha256("\0".join(self._vocabulary.words).encode())
        for name, values in sorted(self._network.state_dict().items()):
            digest.update(name.encode() + values.cpu().numpy().tobytes())
        return f"sha256:{digest.hexdigest()}"

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """One channel of 8 x 8."""
        return 1, SIDE, SIDE

    @property
    def alphas_bar(self) -> torch.Tensor:
        """That of :func:`alphas_bar`, on the CPU."""
        return alphas_bar()

    def embed(self, prompts: Sequence[str]) -> torch.Tensor:
        """The vectors of the words, of shape (n, WORDS, width of a word)."""
        numbers = [self._vocabulary.numbers(prompt) for prompt in prompts]
        vectors: torch.Tensor = self._network.words(torch.tensor(numbers, device=self.device))
        return vectors

    def tokens(self, prompt: str) -> Sequence[str]:
        """The words that count, each at its place."""
        words = prompt.split()[:WORDS]
        return words + [""] * (WORDS - len(words))

    def predict(self, latents: torch.Tensor, step: int, embeddings: torch.Tensor) -> torch.Tensor:
        """The noise in latents (n, 1, 8, 8)."""
        steps = torch.full((len(latents),), step, device=self.device)
        noise: torch.Tensor = self._network(latents.flatten(1), steps, embeddings)
        return noise.view(-1, *self.latent_shape)

    def encode(self, images: Sequence[Image.Image]) -> torch.Tensor:
        """The grey pixels of images, brought to 8 x 8, from -1 to 1."""
        return latents_of(images).to(self.device)

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Pixels from 0 to 1 of latents."""
        return ((latents + 1) / 2).clamp(0, 1)


def latents_of(images: Sequence[Image.Image]) -> torch.Tensor:
    """The grey pixels of images as latents, of shape (n, 1, 8, 8)."""
    grey = [image.convert("L").resize((SIDE, SIDE), Image.Resampling.BILINEAR) for image in images]
    pixels = np.stack([np.asarray(image, np.float32) for image in grey])
    return torch.from_numpy(pixels).unsqueeze(1) / 127.5 - 1
