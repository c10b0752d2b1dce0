"""From a file of weights to the detector that its card names."""

from __future__ import annotations

import importlib

from memscan.detectors import cards
from memscan.detectors.extras import require
from memscan.detectors.protocol import Detector
from memscan.errors import InputError

_NETWORKS = {"deepssim": "deepssim", "lcmem": "lcmem"}
"""The modules that build the networks of this project; each has ``load(path, card, device)``."""


def open_detector(weights: str, *, device: str = "auto", trust: bool = False) -> Detector:
    """The detector whose weights lie in this file, with its card beside it.

    ``device`` is one of :data:`memscan.detectors.devices.NAMES`; ``trust`` runs TorchScript, which
    contains code. Raises InputError for weights or a card that cannot be used, for a device that
    this machine has not, and where a library is missing, with the extra to install.
    """
    card = cards.read(weights)
    require("torch", "learned")
    if card.kind not in _NETWORKS:
        raise InputError(f"{weights}: networks of the kind {card.kind} cannot be opened yet")
    module = importlib.import_module(f"memscan.detectors.{_NETWORKS[card.kind]}")
    detector: Detector = module.load(weights, card, device)
    return detector
