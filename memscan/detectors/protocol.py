"""What a learned detector does, whoever trained it."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

from memscan.detectors.cards import Card

Pixels = npt.NDArray[np.float32]
"""One image as a network takes it, of shape (channels, height, width)."""

Embeddings = npt.NDArray[np.float32]
"""Rows that describe images, of shape (n, D)."""

Scores = npt.NDArray[np.float32]
"""How alike images are; more is more alike."""


class Detector(Protocol):
    """A network that turns images into embeddings, and a score of two embeddings.

    Methods are called from several threads at once. ``embed`` gives the same row for an image
    whatever else is in its batch, up to rounding.
    """

    @property
    def card(self) -> Card:
        """What is known about the weights."""

    @property
    def fingerprint(self) -> str:
        """What must be equal for two embeddings to be comparable; no spaces."""

    def prepare(self, image: Image.Image) -> Pixels:
        """An image as the network takes it. Raises HashError."""

    def embed(self, batch: Pixels) -> Embeddings:
        """The embeddings of images of shape (n, channels, height, width).

        Rows have length 1 where the score is their cosine.
        """

    def scores(self, targets: Embeddings, sources: Embeddings) -> Scores:
        """The scores of all pairs, of shape (M, N)."""

    def paired(self, targets: Embeddings, sources: Embeddings) -> Scores:
        """The scores of n targets with n sources, row by row, of shape (n,)."""
