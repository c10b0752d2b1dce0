"""A network that has learned nothing: what its form alone can tell apart."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch.nn import functional

from memscan.detectors import backbones, devices, inputs
from memscan.detectors.cards import Card, Cuts, Input
from memscan.detectors.cosines import Cosines
from memscan.detectors.protocol import Embeddings, Pixels

SIZE = "convnext-small-cpu"
SEED = 0

_SIDE = 64
_SCALE = 1.0  # of the blocks: with the published one they would pass their input on unchanged


class Untrained(Cosines):
    """The small ConvNeXt with random weights from a fixed seed.

    The embedding is the mean of the last stage over all places, normalised; scores are cosines.
    """

    def __init__(self, device: str = "auto") -> None:
        self._device = devices.choose(device)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(SEED)
            network = backbones.ConvNeXt(backbones.SIZES[SIZE], scale=_SCALE)
        self._network = network.to(self._device).eval()
        self.card = Card(
            kind="encoder",
            name=f"{SIZE} with random weights",
            input=Input(_SIDE, _SIDE, standardised=True),
            dimensions=network.widths[-1],
            cuts=Cuts(0.9, 0.8),
        )
        self.fingerprint = f"untrained-{SIZE}-{SEED}"

    def prepare(self, image: Image.Image) -> Pixels:
        """As in :class:`memscan.detectors.protocol.Detector`."""
        return inputs.prepare(image, self.card.input)

    def embed(self, batch: Pixels) -> Embeddings:
        """Likewise."""
        with torch.inference_mode():
            last = self._network(torch.from_numpy(batch).to(self._device))[-1].mean(dim=(2, 3))
            rows = functional.normalize(last)
        return np.asarray(rows.cpu().numpy(), np.float32)
