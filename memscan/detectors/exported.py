"""Networks that others trained and exported, as ONNX or as TorchScript."""

from __future__ import annotations

from memscan.detectors.cards import Card
from memscan.detectors.protocol import Detector


def load(path: str, card: Card, device: str = "auto", trust: bool = False) -> Detector:
    """The detector in a file of weights. Raises InputError."""
    raise NotImplementedError
