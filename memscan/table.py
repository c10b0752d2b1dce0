"""The hashes of a collection of images, in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class HashTable:
    """One row per image that could be hashed, in the order in which the images were given.

    ``paths`` has length N; ``hashes`` (uint64) and ``low_information`` (bool) have shape (N,).
    """

    paths: Sequence[str]
    hashes: npt.NDArray[np.uint64]
    low_information: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.paths)
