"""DeepSSIM (arXiv 2509.16582): an encoder whose cosine is the SSIM of the aligned images.

Second version of the network: ConvNeXt, generalised means of the maps of all four stages, and two
layers. Images are grey, each with mean 0 and standard deviation 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any, Mapping, Sequence

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional

from memscan.detectors import cards, devices, inputs, weights
from memscan.detectors.backbones import SIZES, ConvNeXt
from memscan.detectors.cards import Card
from memscan.detectors.cosines import Cosines
from memscan.detectors.protocol import Embeddings, Pixels
from memscan.detectors.weights import State
from memscan.errors import InputError

KIND = "deepssim"

NORMS = ("batch", "layer")

_MOST_HIDDEN = 8192
_FIRST_POWER, _LEAST_ACTIVATION = 3.0, 1e-6
_FROM_SCRATCH = 0.1  # the scale of blocks that are not pretrained
_BATCH = 256  # images that are embedded at a time, or fewer if they are large


@dataclass(frozen=True)
class Architecture:
    """How to build a network: what a card says of it.

    ``backbone`` is one of :data:`~memscan.detectors.backbones.SIZES`. ``stem`` is the number of
    channels that its first layer takes: 1, or 3 where published weights are to fit in, for which a
    grey image is repeated. ``norm`` is what the pooled maps go through, one of :data:`NORMS`:
    that of the batch as in the first version of DeepSSIM, or of the layer as in the second.
    ``hidden`` and ``dimensions`` are the lengths of the last two layers.
    """

    backbone: str
    stem: int
    norm: str
    hidden: int
    dimensions: int
    dropout: float = 0.0

    @staticmethod
    def of(fields: Mapping[str, Any], dimensions: int) -> Architecture:
        """The architecture on a card. Raises ValueError that names the field."""
        backbone, stem, norm, hidden = map(fields.get, ("backbone", "stem", "norm", "hidden"))
        if not isinstance(backbone, str) or backbone not in SIZES:
            raise ValueError(f"backbone must be one of {', '.join(SIZES)}")
        if type(stem) is not int or stem not in (1, 3):
            raise ValueError("stem must be 1 or 3")
        if norm not in NORMS:
            raise ValueError(f"norm must be one of {', '.join(NORMS)}")
        if type(hidden) is not int or not 1 <= hidden <= _MOST_HIDDEN:
            raise ValueError(f"hidden must be a whole number from 1 to {_MOST_HIDDEN}")
        return Architecture(backbone, stem, norm, hidden, dimensions)

    def fields(self) -> dict[str, Any]:
        """What the card says of it, beside the dimensions."""
        return {
            "backbone": self.backbone,
            "stem": self.stem,
            "norm": self.norm,
            "hidden": self.hidden,
        }


class GeneralisedMean(nn.Module):
    """GeM (Radenovic, Tolias and Chum 2019): the power mean of each channel, with a power to learn.

    Maps of shape (n, channels, height, width) to (n, channels).
    """

    def __init__(self) -> None:
        super().__init__()
        self.power = nn.Parameter(torch.tensor(_FIRST_POWER))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Means over the positions; activations below 1e-6 count as 1e-6."""
        logarithms = x.float().clamp(min=_LEAST_ACTIVATION).log()  # small powers would vanish
        positions = math.log(x.shape[2] * x.shape[3])
        sums = torch.logsumexp(self.power * logarithms, (2, 3)) - positions
        return (sums / self.power).exp()


class Network(nn.Module):
    """Standardised grey images (n, 1, height, width) to embeddings (n, dimensions) of length 1."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        size = SIZES[architecture.backbone]
        self.stem = architecture.stem
        self.backbone = ConvNeXt(size, architecture.stem, _FROM_SCRATCH)
        self.pools = nn.ModuleList(GeneralisedMean() for _ in size.widths)
        pooled = sum(size.widths)
        first = nn.Linear(pooled, architecture.hidden)
        self.projection = nn.Sequential(
            nn.BatchNorm1d(pooled) if architecture.norm == "batch" else nn.LayerNorm(pooled),
            first,
            nn.GELU(),
            nn.Dropout(architecture.dropout),
            nn.Linear(architecture.hidden, architecture.dimensions),
        )
        # The usual smaller weights leave GELU almost linear, and cosines that fall too slowly.
        nn.init.kaiming_normal_(first.weight)

    def maps(self, x: torch.Tensor) -> list[torch.Tensor]:
        """The feature maps of the four stages, the finest first."""
        maps: list[torch.Tensor] = self.backbone(x.expand(-1, self.stem, -1, -1))
        return maps

    def head(self, maps: Sequence[torch.Tensor]) -> torch.Tensor:
        """The embeddings that belong to feature maps."""
        pooled = torch.cat([pool(stage) for pool, stage in zip(self.pools, maps)], 1)
        with devices.full_precision(pooled.device):  # half of it would be the noise of cosines
            return functional.normalize(self.projection(pooled), dim=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The embeddings of images."""
        return self.head(self.maps(x))

    def unflipped(self, x: torch.Tensor) -> torch.Tensor:
        """The embeddings of images in all four mirrorings, averaged: they have no orientation.

        Training flips images at random, which is a quarter of the work and leaves a difference.
        """
        upright = self(x) + self(x.flip(3))
        upside_down = self(x.flip(2)) + self(x.flip((2, 3)))
        return functional.normalize(upright + upside_down, dim=1)


@dataclass(frozen=True)
class DeepSSIM(Cosines):
    """Implements :class:`memscan.detectors.protocol.Detector`; the score is the cosine.

    ``sha256`` is that of the file of weights. Embeddings are always made in float32.
    """

    network: Network
    card: Card
    sha256: str
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @property
    def fingerprint(self) -> str:
        """What must be equal for two embeddings to be comparable."""
        taken = self.card.input
        return f"{KIND}-{self.sha256[:16]}-{taken.width}x{taken.height}-{taken.fit}"

    def prepare(self, image: Image.Image) -> Pixels:
        """An image as the network takes it, of shape (1, height, width). Raises HashError."""
        return inputs.prepare(image, self.card.input)

    def embed(self, batch: Pixels) -> Embeddings:
        """The embeddings, of length 1, of images of shape (n, 1, height, width)."""
        rows = np.empty((len(batch), self.card.dimensions), np.float32)
        with torch.inference_mode():
            size = min(_BATCH, inputs.at_once(self.card.input))
            for start in range(0, len(batch), size):
                part = torch.from_numpy(np.ascontiguousarray(batch[start : start + size]))
                embeddings = self.network.unflipped(part.to(self.device))
                rows[start : start + size] = embeddings.cpu().numpy()
        return rows


def load(path: str, card: Card, device: str = "auto") -> DeepSSIM:
    """The detector whose weights lie in a safetensors file.

    Raises InputError for weights that are not those of the card, or not those of a network that
    the card describes.
    """
    content = weights.read_bytes(path)
    sha256 = cards.require_hash(path, card, content)
    card = replace(card, sha256=sha256)
    return assemble(path, weights.parse(path, content), card, sha256, devices.choose(device))


def assemble(path: str, state: State, card: Card, sha256: str, device: torch.device) -> DeepSSIM:
    """The detector of a card with these weights; ``path`` is how errors name it."""
    taken = card.input
    try:
        architecture = Architecture.of(card.architecture, card.dimensions)
        if card.kind != KIND:
            raise ValueError(f"kind must be {KIND}")
        if taken.channels != 1 or not taken.standardised:
            raise ValueError("input must have 1 channel and be standardised")
        least = 8 * SIZES[architecture.backbone].patch
        if min(taken.width, taken.height) < least:
            raise ValueError(f"input must be {least} pixels wide and high, or more")
    except ValueError as error:
        raise InputError(f"{cards.path_of(path)}: not a card that can be used: {error}") from error
    network = Network(architecture)
    fill(network, state, path)
    network.requires_grad_(False).eval()
    with torch.inference_mode():
        trial = network(torch.zeros((1, 1, taken.height, taken.width)))
    if not bool(trial.isfinite().all()):
        raise InputError(f"{path}: damaged weights: they give embeddings that are no numbers")
    network.to(device)
    return DeepSSIM(network, card, sha256, device)


def fill(network: nn.Module, state: State, path: str) -> None:
    """Give a network its weights; raises InputError unless they are all there, and finite."""
    wanted = network.state_dict()
    for name in sorted(wanted.keys() | state.keys()):
        if name not in state:
            raise InputError(f"{path}: not the weights of this network: {name} is missing")
        if name not in wanted:
            raise InputError(f"{path}: not the weights of this network: {name!r:.80} is unknown")
        if state[name].shape != wanted[name].shape:
            raise InputError(
                f"{path}: not the weights of this network: {name} has the shape "
                f"{tuple(state[name].shape)} and not {tuple(wanted[name].shape)}"
            )
        is_as_wanted = state[name].is_floating_point() == wanted[name].is_floating_point()
        if not is_as_wanted or not bool(state[name].isfinite().all()):
            raise InputError(f"{path}: damaged weights: {name} holds what is no finite number")
    network.load_state_dict(state)
