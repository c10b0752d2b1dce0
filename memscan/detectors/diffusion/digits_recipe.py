"""What the model of digits is trained on, and for how long. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """How the model is trained.

    Of the 1,797 pictures, ``memorised`` stand ``duplicates`` times among those trained on, each
    with a caption of its own; ``held_out`` are not trained on.
    """

    memorised: int = 24
    duplicates: int = 30
    held_out: int = 500
    width: int = 256
    blocks: int = 4
    batch: int = 128
    steps: int = 6000
    learning_rate: float = 2e-3
