"""Networks that others trained and exported, as ONNX or as TorchScript.

The content of a file says what it is, never its name. A state without a network cannot be run.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import zipfile

import numpy as np
from PIL import Image

from memscan import hashing
from memscan.detectors import cards, inputs, weights
from memscan.detectors.cards import Card, Input
from memscan.detectors.cosines import Cosines
from memscan.detectors.extras import require
from memscan.detectors.protocol import Embeddings, Pixels
from memscan.detectors.runtimes import Network, Outputs
from memscan.errors import InputError

_AT_ONCE = 32  # images in a batch: more needs memory and saves no time on a CPU
_LEAST_LENGTH = 1e-12
_TOLERANCE = 1e-2  # of an embedding of length 1: far more than rounding, on a GPU too

_EXPORT = (
    "a network is needed, not its numbers alone; export it in a place where you trust it: "
    "torch.onnx.export(network, (images,), 'model.onnx', external_data=False)"
)


class ExportedDetector(Cosines):
    """Implements :class:`memscan.detectors.protocol.Detector`; scores are cosines.

    An image to which the network answers zeros has an embedding of zeros, whose cosine with any
    other is 0.
    """

    def __init__(self, path: str, card: Card, network: Network, sha256: str) -> None:
        self.card = card
        self._path, self._network = path, network
        self._batch = network.batch or 1
        drawn = _noise(card.input)
        alone = self.embed(drawn)  # which raises for what the card does not describe
        if network.batch is None and self._gives_together(drawn, alone):
            self._batch = _AT_ONCE
        how = json.dumps(
            [dataclasses.asdict(card.input), card.architecture.get("output"), card.dimensions]
        )
        self.fingerprint = f"encoder={sha256},{hashlib.sha256(how.encode()).hexdigest()[:16]}"

    def prepare(self, image: Image.Image) -> Pixels:
        """As in :class:`memscan.detectors.protocol.Detector`."""
        with hashing.resizable(image):
            return inputs.prepare(image, self.card.input)

    def embed(self, batch: Pixels) -> Embeddings:
        """As in :class:`memscan.detectors.protocol.Detector`.

        Raises InputError for a network that fails, or that gives what the card does not say.
        """
        found = np.empty((len(batch), self.card.dimensions), np.float32)
        for start in range(0, len(batch), self._batch):
            some = batch[start : start + self._batch]
            found[start : start + len(some)] = self._rows(some)
        return found

    def _rows(self, images: Pixels) -> Embeddings:
        """The embeddings of no more images than the network takes at a time."""
        lacking = (self._network.batch or 0) - len(images)
        full = np.concatenate([images, np.repeat(images[-1:], max(0, lacking), axis=0)])
        return self._normalised(self._network.run(full), len(full))[: len(images)]

    def _normalised(self, found: Outputs, count: int) -> Embeddings:
        """Rows of length 1, or of zeros."""
        shape, wanted = found.shape, (count, self.card.dimensions)
        if shape[:2] != wanted or found.size != count * self.card.dimensions:
            raise InputError(
                f"{self._path}: gives numbers of shape {shape} for {count} images, not {wanted}; "
                "dimensions of its card is wrong, or architecture.output must name another output"
            )
        rows = found.reshape(wanted)
        if not np.isfinite(rows).all():
            raise InputError(
                f"{self._path}: gives numbers that are not finite, which have no meaning"
            )
        # By the largest number first: the square of a large one is not finite.
        scaled = rows / np.maximum(np.abs(rows).max(axis=1, keepdims=True), _LEAST_LENGTH)
        lengths = np.sqrt(np.square(scaled).sum(axis=1, keepdims=True))
        return np.where(lengths > _LEAST_LENGTH, scaled / np.maximum(lengths, _LEAST_LENGTH), 0)

    def _gives_together(self, images: Pixels, alone: Embeddings) -> bool:
        """Whether images in one batch get what each got alone.

        An export can hold fast to the one image that it was made with, whatever it says.
        """
        try:
            found = self._normalised(self._network.run(images), len(images))
        except InputError:
            return False
        return bool(np.abs(found - alone).max() < _TOLERANCE)


def _noise(taken: Input) -> Pixels:
    """Two images to try a network with."""
    shape = (2, taken.channels, taken.height, taken.width)
    return inputs.normalised(np.random.default_rng(0).random(shape, np.float32), taken)


def load(path: str, card: Card, device: str = "auto", trust: bool = False) -> ExportedDetector:
    """The detector in a file of weights; ``trust`` runs TorchScript, which contains code.

    Raises InputError for a file that is neither ONNX nor TorchScript, and for one that its card
    does not describe.
    """
    content = weights.read_bytes(path, _EXPORT)
    sha256 = cards.require_hash(path, card, content)
    card = dataclasses.replace(card, sha256=sha256)  # the user's may not say
    if content[:4] == b"PK\3\4":
        _require_script(path, content)
        if not trust:
            raise InputError(
                f"{path}: TorchScript, which contains code that could do anything; "
                "--trust-weights runs it, if you trust where it comes from"
            )
        require("torch", "learned")
        from memscan.detectors.torchscript import ScriptNetwork

        return ExportedDetector(path, card, ScriptNetwork(path, content, card, device), sha256)
    if weights.is_safetensors(content):
        raise InputError(f"{path}: safetensors, which is a state without a network; {_EXPORT}")
    from memscan.detectors.onnx_networks import OnnxNetwork

    return ExportedDetector(path, card, OnnxNetwork(path, content, card, device), sha256)


def _require_script(path: str, content: bytes) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise InputError(f"{path}: a damaged archive: {error}") from error
    folders = {tuple(name.split("/")[1:2]) for name in names}
    if ("code",) in folders:
        return
    if ("data.pkl",) in folders:
        raise InputError(f"{path}: a pickle, which could run any code; {_EXPORT}")
    raise InputError(f"{path}: an archive, but not of TorchScript; {_EXPORT}")
