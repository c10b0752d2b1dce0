"""LCMem (Dombrowski et al., arXiv 2512.14421): the probability that two images are of one identity.

An image is encoded by a frozen autoencoder, and its latent by a ConvNeXt; both are in one file of
weights, so that a score depends on nothing else. The published detector draws from the posterior,
so that its scores change from run to run; here the mode is taken.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Mapping

import numpy as np
import torch
from PIL import Image

from memscan import hashing
from memscan.detectors import autoencoder, devices, inputs, weights
from memscan.detectors.autoencoder import Encoder
from memscan.detectors.backbones import Size
from memscan.detectors.cards import Card, Cuts, Input, require_hash
from memscan.detectors.extras import require
from memscan.detectors.protocol import Embeddings, Pixels, Scores
from memscan.detectors.siamese import Siamese
from memscan.detectors.weights import State
from memscan.errors import InputError

CUTS = Cuts(duplicate=0.5, similar=0.5)
"""Where the published code cuts; what they mean is for a calibration to say."""

_MOST_DEPTH, _MOST_WIDTH, _MOST_PATCH = 64, 4096, 16


class LCMem:
    """Implements :class:`memscan.detectors.protocol.Detector`; embeddings lie in (0, 1)^D."""

    def __init__(
        self, card: Card, encoder: Encoder, network: Siamese, sha256: str, device: torch.device
    ) -> None:
        self.card = card
        self.encoder = encoder.to(device).eval()
        self.network = network.to(device).eval()
        self.sha256 = sha256
        self.device = device

    @property
    def fingerprint(self) -> str:
        """The kind, the weights, which hold the autoencoder as well, and what the card says."""
        taken = self.card.input
        return f"lcmem-{self.sha256[:16]}-{taken.width}x{taken.height}-{taken.fit}"

    def prepare(self, image: Image.Image) -> Pixels:
        """RGB from 0 to 1, stretched to the size of the input. Raises HashError."""
        with hashing.resizable(image):
            return inputs.prepare(image, self.card.input)

    def embed(self, batch: Pixels) -> Embeddings:
        """As in the protocol; computed in float32 on every device."""
        rows = np.empty((len(batch), self.card.dimensions), np.float32)
        size = inputs.at_once(self.card.input)
        with torch.inference_mode():
            for start in range(0, len(batch), size):
                part = torch.from_numpy(np.ascontiguousarray(batch[start : start + size]))
                embeddings = self.network.embed(self.encoder(part.to(self.device)))
                rows[start : start + size] = embeddings.cpu().numpy()
        return rows

    def scores(self, targets: Embeddings, sources: Embeddings) -> Scores:
        """Probabilities of all pairs, (M, N)."""
        with torch.inference_mode():
            rows, columns = (torch.from_numpy(one).to(self.device) for one in (targets, sources))
            scores = torch.sigmoid(self.network.all_logits(rows, columns))
        return np.asarray(scores.cpu().numpy(), np.float32)

    def paired(self, targets: Embeddings, sources: Embeddings) -> Scores:
        """Probabilities row by row, (n,)."""
        with torch.inference_mode():
            rows, columns = (torch.from_numpy(one).to(self.device) for one in (targets, sources))
            return np.asarray(torch.sigmoid(self.network.logits(rows, columns)).cpu(), np.float32)


def load(path: str, card: Card, device: str = "auto") -> LCMem:
    """The detector in a file of weights, as its card says. Raises InputError."""
    require("diffusers", "diffusion")
    content = weights.read_bytes(path)
    sha256 = require_hash(path, card, content)
    card = dataclasses.replace(card, sha256=sha256)
    return opened(path, card, weights.parse(path, content), sha256, devices.choose(device))


def opened(path: str, card: Card, state: State, sha256: str, device: torch.device) -> LCMem:
    """The detector with these tensors. Raises InputError that names ``path``."""
    if card.kind != "lcmem":
        raise InputError(f"{path}: its card says {card.kind}, not lcmem")
    try:
        size = size_of(card.architecture)
        config = autoencoder.parse_config(_object(card.architecture, "autoencoder"))
        encoder = autoencoder.encoder_of(config, _below("autoencoder.", state))
        with torch.device("meta"):
            network = Siamese(size, encoder.channels, card.dimensions)
        network.load_state_dict(_below("siamese.", state), assign=True)
        if any(value.dtype != torch.float32 for value in state.values()):
            raise ValueError("the tensors must be float32")
    except (ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: the weights do not fit their card: {reason:.300}") from error
    taken, least = card.input, least_side(encoder, size)
    if taken.channels != 3 or taken.mean or taken.standardised or config["in_channels"] != 3:
        raise InputError(f"{path}: the input of its card must be RGB from 0 to 1")
    if min(taken.width, taken.height) < least:
        raise InputError(f"{path}: the input of its card must have {least} pixels a side or more")
    return LCMem(card, encoder, network, sha256, device)


def least_side(encoder: Encoder, size: Size) -> int:
    """The pixels a side of the smallest image from which the backbone has anything left."""
    return encoder.reduction * size.patch * 8


def state_of(encoder: Encoder, network: Siamese) -> State:
    """The tensors of a file of weights."""
    return {
        **{f"autoencoder.{name}": value for name, value in encoder.state_dict().items()},
        **{f"siamese.{name}": value for name, value in network.state_dict().items()},
    }


def card_of(
    name: str,
    side: int,
    size: Size,
    dimensions: int,
    encoder: Encoder,
    encoder_sha256: str,
    training: Mapping[str, Any],
) -> Card:
    """The card of weights that were trained here; they are not calibrated."""
    architecture = {
        "backbone": {
            "depths": list(size.depths),
            "widths": list(size.widths),
            "patch": size.patch,
        },
        "autoencoder": encoder.config,
        "autoencoder_sha256": encoder_sha256,
    }
    return Card("lcmem", name, Input(side, side), dimensions, CUTS, None, None, architecture,
                training)  # fmt: skip


def size_of(architecture: Mapping[str, Any]) -> Size:
    """The backbone that a card describes, within bounds. Raises ValueError."""
    fields = _object(architecture, "backbone")
    depths, widths = fields.get("depths"), fields.get("widths")
    if not (_are_whole(depths, 4, _MOST_DEPTH) and _are_whole(widths, 4, _MOST_WIDTH)):
        raise ValueError("the backbone must have four depths and four widths")
    if not _are_whole([fields.get("patch")], 1, _MOST_PATCH):
        raise ValueError(f"the patch of the backbone must be from 1 to {_MOST_PATCH}")
    return Size(tuple(depths), tuple(widths), fields["patch"])  # type: ignore[arg-type]


def _object(fields: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = fields.get(name)
    if not isinstance(value, dict):
        raise ValueError(f"the architecture has no {name}")
    return value


def _are_whole(values: Any, count: int, most: int) -> bool:
    return (
        isinstance(values, (list, tuple))
        and len(values) == count
        and all(type(value) is int and 1 <= value <= most for value in values)
    )


def _below(prefix: str, state: State) -> State:
    return {name[len(prefix) :]: value for name, value in state.items() if name.startswith(prefix)}
