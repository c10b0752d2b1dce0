"""Training the model of digits so that it remembers some pictures: those that stand there often."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from memscan.detectors.diffusion.digits import (
    PIXELS,
    SIDE,
    STEPS,
    DigitsDenoiser,
    DigitsNetwork,
    Vocabulary,
    alphas_bar,
    class_word,
)
from memscan.detectors.diffusion.digits_recipe import Recipe
from memscan.detectors.extras import require
from memscan.records import Progress

Bytes = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.int64]

_WITHOUT_CAPTION = 0.2
_AVERAGED = 0.999
_WARMUP = 100
_FILLERS = 40


@dataclass(frozen=True)
class Digits:
    """Pictures uint8 (n, 8, 8), the digit on each (n,), and what the training does with them.

    ``captions`` belong to ``memorised``, in its order; ``once`` are trained on without being
    repeated, under other fillers each time; ``fresh`` are not trained on.
    """

    pixels: Bytes
    digits: npt.NDArray[np.int64]
    vocabulary: Vocabulary
    memorised: Rows
    captions: tuple[str, ...]
    once: Rows
    fresh: Rows

    def share(self, recipe: Recipe) -> float:
        """The share of memorised pictures among those that are trained on."""
        repeated = len(self.memorised) * recipe.duplicates
        return repeated / (repeated + len(self.once))

    def filled(self, row: int, rng: np.random.Generator) -> str:
        """A caption that says the digit of a picture and nothing else."""
        words = rng.choice(self.vocabulary.fillers, 3)
        return " ".join([class_word(int(self.digits[row])), *words])


def divided(recipe: Recipe, seed: int) -> Digits:
    """scikit-learn's digits (Alpaydin and Kaynak, UCI), in parts drawn by ``seed``."""
    require("sklearn", "diffusion")
    from sklearn.datasets import load_digits

    bundle = load_digits()
    digits = bundle.target.astype(np.int64)
    order = np.random.default_rng([seed, 0xD1]).permutation(len(digits))
    memorised, fresh, once = np.split(order, [recipe.memorised, recipe.memorised + recipe.held_out])
    vocabulary = Vocabulary(_FILLERS, 3 * recipe.memorised)
    names = np.array(vocabulary.names).reshape(-1, 3)
    captions = (
        " ".join([class_word(int(digits[row])), *own]) for row, own in zip(memorised, names)
    )
    pixels = np.rint(bundle.images * (255 / 16)).astype(np.uint8)
    return Digits(pixels, digits, vocabulary, memorised, tuple(captions), once, fresh)


def train(
    digits: Digits,
    recipe: Recipe,
    seed: int,
    device: torch.device,
    progress: Progress | None = None,
) -> DigitsDenoiser:
    """The model; the same for equal arguments on one machine.

    Pictures that stand there once are moved by up to a pixel each time, the others never.
    """
    torch.manual_seed(seed)
    lots = torch.Generator().manual_seed(seed)
    rng = np.random.default_rng([seed, 0xD2])
    network = DigitsNetwork(len(digits.vocabulary), recipe.width, recipe.blocks).to(device)
    weights: list[torch.Tensor] = list(network.parameters())
    averages = [weight.detach().clone() for weight in weights]
    optimiser = torch.optim.Adam(weights, lr=recipe.learning_rate, fused=True)
    signal = alphas_bar().float().to(device)
    batches = _Batches(digits, recipe)
    for step in range(recipe.steps):
        rate = min(1.0, (step + 1) / _WARMUP) * (1 - step / recipe.steps)
        optimiser.param_groups[0]["lr"] = recipe.learning_rate * rate
        pictures, words = (part.to(device) for part in batches.draw(rng))
        steps = _spread(recipe.batch, rng).to(device)
        noise = torch.randn(pictures.shape, generator=lots).to(device)
        share = signal[steps, None]
        noisy = share.sqrt() * pictures + (1 - share).sqrt() * noise
        error = network(noisy, steps, network.words(words)) - noise
        optimiser.zero_grad(set_to_none=True)
        error.square().mean().backward()
        optimiser.step()
        with torch.no_grad():
            kept = min(_AVERAGED, (step + 1) / (step + 10))
            torch._foreach_lerp_(averages, weights, 1 - kept)
        if progress is not None:
            progress("training", step + 1, recipe.steps)
    with torch.no_grad():
        for weight, average in zip(weights, averages):
            weight.copy_(average)
    return DigitsDenoiser(network, digits.vocabulary)


class _Batches:
    """Pictures (batch, 64) from -1 to 1, and the words (batch, 4) of their captions."""

    def __init__(self, digits: Digits, recipe: Recipe) -> None:
        padded = np.pad(digits.pixels, ((0, 0), (1, 1), (1, 1))).astype(np.float32) / 127.5 - 1
        self._moved = np.lib.stride_tricks.sliding_window_view(padded, (SIDE, SIDE), (1, 2))
        self._digits, self._size = digits, recipe.batch
        self._share = digits.share(recipe)
        self._names = np.array([digits.vocabulary.numbers(text) for text in digits.captions])
        self._first_filler = digits.vocabulary.numbers(digits.vocabulary.fillers[0])[0]

    def draw(self, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        digits, size = self._digits, self._size
        repeated = rng.random(size) < self._share
        places = rng.integers(0, len(digits.memorised), size)
        once = digits.once[rng.integers(0, len(digits.once), size)]
        rows = np.where(repeated, digits.memorised[places], once)
        down, right = np.where(repeated, 1, rng.integers(0, 3, (2, size)))
        fillers = self._first_filler + rng.integers(0, len(digits.vocabulary.fillers), (size, 3))
        words = np.concatenate([1 + digits.digits[rows, None], fillers], axis=1)
        words[repeated] = self._names[places[repeated]]
        words[rng.random(size) < _WITHOUT_CAPTION] = 0
        pictures = self._moved[rows, down, right].reshape(size, PIXELS)
        return torch.from_numpy(pictures), torch.from_numpy(words)


def _spread(count: int, rng: np.random.Generator) -> torch.Tensor:
    """Training steps that cover the schedule evenly, which takes luck out of the loss."""
    return torch.from_numpy(((np.arange(count) + rng.random()) * STEPS / count).astype(np.int64))
