"""Networks for tests that are a few lines of numpy, with weights and cards on disk."""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

import numpy as np
from PIL import Image

from memscan.detectors import cards, inputs
from memscan.detectors.cards import Calibration, Card, Cuts, Input
from memscan.detectors.protocol import Detector, Embeddings, Pixels, Scores

SIDE = 8
CUTS = Cuts(0.9, 0.6)
CALIBRATED = Calibration(rate=1e-3, observed=5e-4, recall=0.9, positives=100, negatives=20_000)


def card(
    kind: str = "deepssim",
    cuts: Cuts = CUTS,
    calibration: Calibration | None = CALIBRATED,
    name: str = "tiny",
) -> Card:
    one = Card(kind, name, Input(SIDE, SIDE, channels=1), SIDE * SIDE, cuts, sha256="ab" * 32)
    return one if calibration is None else one.calibrated(cuts, calibration, "ab" * 32)


@dataclass(frozen=True)
class Grey:
    """The cosine of 8 x 8 grey pixels, less their mean; for lcmem, brought to 0 to 1.

    ``seen`` collects the number of images in each batch.
    """

    card: Card
    seen: list[int] = field(default_factory=list)

    @property
    def fingerprint(self) -> str:
        return f"{self.card.kind}:{self.card.sha256}"

    def prepare(self, image: Image.Image) -> Pixels:
        return inputs.prepare(image, self.card.input)

    def embed(self, batch: Pixels) -> Embeddings:
        self.seen.append(len(batch))
        rows = batch.reshape(len(batch), -1) - batch.mean(axis=(1, 2, 3))[:, None]
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        embeddings: Embeddings = (rows / np.maximum(lengths, 1e-6)).astype(np.float32)
        return embeddings

    def scores(self, targets: Embeddings, sources: Embeddings) -> Scores:
        return self._score(targets @ sources.T)

    def paired(self, targets: Embeddings, sources: Embeddings) -> Scores:
        return self._score((targets * sources).sum(axis=1))

    def _score(self, cosines: Scores) -> Scores:
        return np.float32(0.5) * (cosines + 1) if self.card.kind == "lcmem" else cosines


def weights(path: Path, one: Card, content: bytes = b"weights") -> str:
    """Write a file that stands for weights, and its card; gives the path."""
    path.write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest()
    stamped = dataclasses.replace(one, sha256=sha256)
    if one.calibration is not None and one.is_calibrated:
        stamped = one.calibrated(one.cuts, one.calibration, sha256)
    path.with_suffix(".json").write_text(stamped.text())
    return str(path)


def open_grey(opened: list[Grey]) -> Callable[..., Detector]:
    """What stands in for ``open_detector``: weights of any kind open as :class:`Grey`."""

    def open_detector(weights: str, *, device: str = "auto", trust: bool = False) -> Detector:
        opened.append(Grey(cards.read(weights)))
        return opened[-1]

    return open_detector
