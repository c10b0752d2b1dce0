"""Prompts that mean nothing to a model's memory: those that perturb, and their embeddings.

Needs no torch but for the embeddings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Sequence

import numpy as np

from memscan.errors import InputError
from memscan.probes import ProbeOptions

if TYPE_CHECKING:
    import torch

    from memscan.detectors.diffusion.denoiser import Denoiser

_CONSONANTS, _VOWELS = "bdfgklmnprstvz", "aeiou"
_GENERIC = ("a picture of something", "an image", "some thing", "a photo of a place", "a view")

_NO_EFFECT = 1e-4  # of the length of the unconditional embedding


def perturbations(count: int, seed: int) -> tuple[str, ...]:
    """Prompts in turns of one or two made-up words, and generic; the same for equal arguments."""
    lots = np.random.default_rng([seed, 0x70726F6D])
    drawn = []
    for number in range(count):
        words = " ".join(_word(lots) for _ in range(int(lots.integers(1, 3))))
        generic = _GENERIC[number // 2 % len(_GENERIC)]
        drawn.append(words if number % 2 == 0 else f"{generic} {words}")
    return tuple(drawn)


def chosen(options: ProbeOptions) -> tuple[str, ...]:
    """The user's own prompts, or those that are drawn."""
    return options.own_prompts or perturbations(options.prompts, options.seed)


def embedded(denoiser: Denoiser, prompts: Sequence[str]) -> torch.Tensor:
    """The embeddings of prompts (m, tokens, width).

    Raises InputError for one that is to the model what no prompt is.
    """
    import torch

    both = denoiser.embed(["", *prompts])
    apart = torch.linalg.vector_norm((both[1:] - both[:1]).flatten(1), dim=1)
    least = _NO_EFFECT * float(torch.linalg.vector_norm(both[0]))
    for prompt, distance in zip(prompts, apart.tolist()):
        if distance <= least:
            raise InputError(
                f"the prompt {prompt!r:.60} is nothing to this model: it has the embedding of the "
                "empty one; name words that the model knows"
            )
    return both[1:]


def _word(lots: np.random.Generator) -> str:
    """Two or three syllables."""
    letters = []
    for _ in range(int(lots.integers(2, 4))):
        letters.append(_CONSONANTS[int(lots.integers(len(_CONSONANTS)))])
        letters.append(_VOWELS[int(lots.integers(len(_VOWELS)))])
    return "".join(letters)
