"""Networks as detectors of an evaluation: those of a user's weights, and one without training."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from typing import Iterable, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from memscan.detectors import cards, opening
from memscan.detectors.cards import KINDS, Card
from memscan.detectors.extras import require
from memscan.detectors.protocol import Detector as Network
from memscan.errors import InputError
from memscan.protocols import Origin

Rows = npt.NDArray[np.float32]
Distances = npt.NDArray[np.float32]

RANDOM = "random"
"""The name of the network without training."""

_RECIPES = ("recipe", "configuration")  # parts of a card that say how, and not on what
_MOST_FACTS, _LONGEST_FACT = 12, 200

_AT_ONCE = 64  # images that a network gets at a time


@dataclass(frozen=True)
class Weights:
    """Files of weights, and how they are opened (:func:`memscan.detectors.opening`)."""

    paths: Sequence[str] = ()
    device: str = "auto"
    trust: bool = False

    def names(self) -> dict[str, str]:
        """The path of each by the name of its detector, in their order. Raises InputError.

        The name is the kind on the card, with a number where several are of one kind.
        """
        paths = [os.path.realpath(path) for path in self.paths]
        for path, real in zip(self.paths, paths):
            if paths.count(real) > 1:
                raise InputError(f"{path}: given twice as weights")
        kinds = [cards.read(path).kind for path in self.paths]
        named = {}
        for place, (kind, path) in enumerate(zip(kinds, self.paths)):
            number = kinds[: place + 1].count(kind)
            named[kind if kinds.count(kind) == 1 else f"{kind}-{number}"] = path
        return named

    def open(self, name: str, path: str) -> Learned:
        """The detector of one of them. Raises InputError."""
        network = opening.open_detector(path, device=self.device, trust=self.trust)
        return Learned(name, network, origin(network.card))


NO_WEIGHTS = Weights()


class Learned:
    """A network; implements :class:`memscan.evaluation.detectors.Detector`.

    The distance is 1 less the score. One thread at a time embeds, since a network uses all cores.
    """

    def __init__(self, name: str, network: Network, origin: Origin) -> None:
        card = network.card
        self.name, self.origin = name, origin
        self.description = (
            f"{card.name}, {card.dimensions} numbers from {card.input.width} x {card.input.height} "
            "pixels"
        )
        self.default_threshold = round(1 - card.cuts.duplicate, 6)
        self._network = network
        self._turn = threading.Lock()

    def describe_sources(self, images: Sequence[Image.Image]) -> Rows:
        """Embeddings of shape (n, D)."""
        found = []
        for start in range(0, len(images), _AT_ONCE):
            some = images[start : start + _AT_ONCE]
            batch = np.stack([self._network.prepare(image) for image in some])
            with self._turn:
                found.append(self._network.embed(batch))
        return np.concatenate(found)

    def describe_targets(self, images: Sequence[Image.Image]) -> Rows:
        """Likewise."""
        return self.describe_sources(images)

    def distances(self, targets: Rows, sources: Rows) -> Distances:
        """1 less the scores of all pairs."""
        return np.asarray(1 - self._network.scores(targets, sources), np.float32)

    def paired(self, targets: Rows, sources: Rows) -> Distances:
        """1 less the scores of n targets with n sources, row by row."""
        return np.asarray(1 - self._network.paired(targets, sources), np.float32)

    def bytes_per_source(self) -> int:
        """Four for each number of an embedding."""
        return 4 * self._network.card.dimensions


def untrained(device: str) -> Learned:
    """The network with random weights. Raises InputError without torch."""
    require("torch", "learned")
    from memscan.detectors.untrained import Untrained

    return Learned(RANDOM, Untrained(device), Origin("random weights, not trained"))


def origin(card: Card) -> Origin:
    """Where a network comes from, by what its card says of its training."""
    known = list(_facts(card.training))[:_MOST_FACTS]
    text = ", ".join(known) if known else "its card does not say what it was trained on"
    return Origin(text, is_model=True, estimates_ssim=card.kind == "deepssim")


def require_weights(name: str, named: Iterable[str]) -> None:
    """Raise InputError for a kind of network that was named without weights of its own."""
    if name in KINDS and name not in named:
        numbered = [own for own in named if own.startswith(f"{name}-")]
        if numbered:
            raise InputError(f"{name}: several weights are of this kind: {', '.join(numbered)}")
        raise InputError(f"{name}: needs its weights, as --weights FILE with a card beside it")


def _facts(training: Mapping[str, object]) -> Iterator[str]:
    """The plain facts of a card, as printable text; how a network was trained is left out."""
    for key, value in training.items():
        if isinstance(value, Mapping) and key not in _RECIPES:
            inner = [f"{name} {_plain(one)}" for name, one in value.items() if _is_plain(one)]
            if inner:
                yield _printable(f"{key} ({', '.join(inner[:_MOST_FACTS])})")
        elif _is_plain(value):
            yield _printable(f"{key} {_plain(value)}")


def _is_plain(value: object) -> bool:
    return isinstance(value, (str, int, float)) and not isinstance(value, bool)


def _plain(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _printable(line: str) -> str:
    return "".join(one if one.isprintable() else "?" for one in line[:_LONGEST_FACT])
