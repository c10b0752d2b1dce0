"""A detector without torch in the place of a network: a random projection of the pixels."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from memscan.detectors import cards, inputs, opening
from memscan.detectors.cards import Card, Cuts, Input
from memscan.detectors.cosines import Cosines
from memscan.detectors.protocol import Embeddings, Pixels

SIDE = 8


class Projection(Cosines):
    """Implements :class:`memscan.detectors.protocol.Detector`; its batches stand in ``batches``.

    An embedding is the same to the last digit whatever else is in its batch. Images that are all
    black have no direction, and so embeddings that are not numbers.
    """

    def __init__(self, card: Card, sha256: str) -> None:
        self.card = card
        self.fingerprint = f"{card.kind}-{sha256[:12]}"
        self.batches: list[int] = []
        draw = np.random.default_rng(int(sha256[:8], 16))
        self._matrix = draw.standard_normal((3 * SIDE * SIDE, card.dimensions))

    def prepare(self, image: Image.Image) -> Pixels:
        return inputs.prepare(image, self.card.input)

    def embed(self, batch: Pixels) -> Embeddings:
        self.batches.append(len(batch))
        numbers = [image.ravel().astype(np.float64) @ self._matrix for image in batch]
        with np.errstate(invalid="ignore"):
            rows = [row / np.linalg.norm(row) for row in numbers]
        return np.array(rows, np.float32)


def write_weights(
    folder: Path, name: str = "a", kind: str = "deepssim", dimensions: int = 5, seed: int = 0
) -> str:
    """Weights of a projection, with their card; other seeds are other weights."""
    folder.mkdir(parents=True, exist_ok=True)
    card = Card(kind, name, Input(SIDE, SIDE), dimensions, Cuts(0.85, 0.6))
    path = folder / f"{name}.safetensors"
    path.write_bytes(b"%d" % seed)
    Path(cards.path_of(str(path))).write_text(card.text())
    return str(path)


def open_projection(weights: str, *, device: str = "auto", trust: bool = False) -> Projection:
    """Opens what :func:`write_weights` wrote."""
    digest = hashlib.sha256(Path(weights).read_bytes()).hexdigest()
    return Projection(cards.read(weights), digest)


def use(patch: pytest.MonkeyPatch) -> None:
    """From now on, weights are those of projections."""
    opened: Any = open_projection
    patch.setattr(opening, "open_detector", opened)
