"""What the runtimes of exported networks have in common."""

from __future__ import annotations

from typing import Protocol, Sequence

import numpy as np
import numpy.typing as npt

from memscan.detectors.cards import Card
from memscan.detectors.protocol import Pixels
from memscan.errors import InputError

Outputs = npt.NDArray[np.float32]
"""What a network says of images, one row for each, of any shape behind the first axis."""


class Network(Protocol):
    """A network with one input of shape (n, channels, height, width)."""

    @property
    def batch(self) -> int | None:
        """How many images it takes at a time; None if it says that it takes any number."""

    def run(self, images: Pixels) -> Outputs:
        """The output that the card names, or the first. Raises InputError."""


def chosen_output(path: str, names: Sequence[str], card: Card) -> str:
    """The output that ``architecture.output`` of the card names, or the first of ``names``."""
    if not names:
        raise InputError(f"{path}: has no output")
    name = card.architecture.get("output", names[0])
    if name not in names:
        raise InputError(f"{path}: has no output {name!r:.60}; there are {', '.join(names)}")
    return str(name)


def brief(error: Exception) -> str:
    """The line that matters of what a runtime says, of bounded length."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    is_trace = "TorchScript interpreter" in lines[0]  # which ends with the error
    return lines[-1 if is_trace else 0][:200]
