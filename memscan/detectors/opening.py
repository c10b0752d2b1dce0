"""From a file of weights to the detector that its card names."""

from __future__ import annotations

import importlib

from memscan.detectors import cards
from memscan.detectors.extras import require
from memscan.detectors.protocol import Detector

_NETWORKS = {"deepssim": "deepssim", "lcmem": "lcmem"}
"""The modules that build the networks of this project; each has ``load(path, card, device)``."""


def open_detector(weights: str, *, device: str = "auto", trust: bool = False) -> Detector:
    """The detector whose weights lie in this file, with its card beside it.

    ``device`` is one of :data:`memscan.detectors.devices.NAMES`; ``trust`` runs TorchScript, which
    contains code. Raises InputError for weights or a card that cannot be used, for a device that
    this machine has not, and where a library is missing, with the extra to install.
    """
    card = cards.read(weights)
    if card.kind in _NETWORKS:
        require("torch", "learned")
        module = importlib.import_module(f"memscan.detectors.{_NETWORKS[card.kind]}")
        detector: Detector = module.load(weights, card, device)
        return detector
    from memscan.detectors import exported  # the libraries that it needs depend on the file

    return exported.load(weights, card, device, trust)
