"""A network of numpy that stands in for a trained one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from memscan.detectors import cards
from memscan.detectors.cards import Card, Cuts, Input
from memscan.detectors.cosines import Cosines
from memscan.detectors.protocol import Embeddings, Pixels


class Coarse(Cosines):
    """Eight by eight grey pixels, less their mean, as an embedding; scores are cosines."""

    fingerprint = "coarse"

    def __init__(self, card: Card) -> None:
        self.card = card

    def prepare(self, image: Image.Image) -> Pixels:
        small = image.convert("L").resize((8, 8), Image.Resampling.BOX)
        return np.asarray(small, np.float32)[None] / np.float32(255)

    def embed(self, batch: Pixels) -> Embeddings:
        rows = batch.reshape(len(batch), -1)
        rows = rows - rows.mean(axis=1, keepdims=True)
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def card(kind: str = "deepssim", **training: Any) -> Card:
    return Card(
        kind, f"a coarse {kind}", Input(8, 8, channels=1), 64, Cuts(0.85, 0.6), training=training
    )


def write(path: Path, kind: str = "deepssim", **training: Any) -> str:
    """Weights that hold nothing, beside their card."""
    path.write_bytes(b"")
    Path(cards.path_of(str(path))).write_text(card(kind, **training).text())
    return str(path)
