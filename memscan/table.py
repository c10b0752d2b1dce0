"""The hashes of a collection of images, in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Sequence

import numpy as np
import numpy.typing as npt


def _no_views() -> npt.NDArray[np.uint64]:
    return np.empty((0, 0), np.uint64)


@dataclass(frozen=True)
class HashTable:
    """One row per image that could be hashed, in the order in which the images were given.

    ``paths`` has length N; ``hashes`` (uint64) and ``low_information`` (bool) have shape (N,).
    ``views``, of shape (N, V), holds the hashes of other views, whose names are ``view_names``.
    """

    paths: Sequence[str]
    hashes: npt.NDArray[np.uint64]
    low_information: npt.NDArray[np.bool_]
    views: npt.NDArray[np.uint64] = field(default_factory=_no_views)
    view_names: tuple[str, ...] = ()

    def column(self, name: str) -> npt.NDArray[np.uint64]:
        """The hashes of all images in one view, of shape (N,)."""
        if name == "full":
            return self.hashes
        return np.ascontiguousarray(self.views[:, self.view_names.index(name)])

    def chosen(self, rows: npt.NDArray[np.bool_]) -> HashTable:
        """The table of some rows."""
        paths = [self.paths[row] for row in np.flatnonzero(rows).tolist()]
        views = self.views[rows] if len(self.views) else self.views
        return HashTable(
            paths, self.hashes[rows], self.low_information[rows], views, self.view_names
        )

    def __len__(self) -> int:
        return len(self.paths)
