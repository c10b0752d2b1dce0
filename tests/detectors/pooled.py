"""A detector without weights: the cosine of images reduced to a few cells, less their mean."""

from __future__ import annotations

import numpy as np
from PIL import Image

from memscan.detectors import inputs
from memscan.detectors.cards import Card, Cuts, Input
from memscan.detectors.cosines import Cosines
from memscan.detectors.protocol import Embeddings, Pixels


class Pooled(Cosines):
    """Implements :class:`memscan.detectors.protocol.Detector`."""

    fingerprint = "pooled"

    def __init__(self, cells: int = 8) -> None:
        self.cells = cells
        taken = Input(width=32, height=32, channels=1, standardised=True)
        self.card = Card("encoder", "pooled", taken, cells * cells, Cuts(0.9, 0.5))

    def prepare(self, image: Image.Image) -> Pixels:
        return inputs.prepare(image, self.card.input)

    def embed(self, batch: Pixels) -> Embeddings:
        side = 32 // self.cells
        cells = batch.reshape(len(batch), self.cells, side, self.cells, side).mean(axis=(2, 4))
        rows = cells.reshape(len(batch), -1) - cells.mean(axis=(1, 2))[:, None]
        found: Embeddings = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)
        return found
