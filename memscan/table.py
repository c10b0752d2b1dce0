"""The hashes of a collection of images, in memory.

A hash of one word is an element of an array of ``uint64``; a hash of W words is a row of W of them,
the first word the most significant one.
"""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass, field
from typing import Any, Collection, Sequence

import numpy as np
import numpy.typing as npt


def _no_views() -> npt.NDArray[np.uint64]:
    return np.empty((0, 0), np.uint64)


def _no_qualities() -> npt.NDArray[np.uint8]:
    return np.empty(0, np.uint8)


@dataclass(frozen=True)
class HashTable:
    """One row per image that could be hashed.

    ``paths`` has length N; ``hashes`` (uint64) has shape (N,) or (N, W), and ``low_information``
    (bool) has shape (N,). ``views``, of shape (N, V) or (N, V, W), holds the hashes of other views,
    whose names are ``view_names``. ``qualities`` has shape (N,), or (0,) where the hash has none.

    A table may be a selection from a larger one: ``population`` is then the number of images in
    that, and ``sample`` holds the hashes of those that :func:`sampled` draws from all of it.
    """

    paths: Sequence[str]
    hashes: npt.NDArray[np.uint64]
    low_information: npt.NDArray[np.bool_]
    views: npt.NDArray[np.uint64] = field(default_factory=_no_views)
    view_names: tuple[str, ...] = ()
    qualities: npt.NDArray[np.uint8] = field(default_factory=_no_qualities)
    population: int | None = None
    sample: npt.NDArray[np.uint64] | None = None

    @property
    def size(self) -> int:
        """The number of images that this table stands for."""
        return len(self.paths) if self.population is None else self.population

    def column(self, name: str) -> npt.NDArray[np.uint64]:
        """The hashes of all images in one view, of the shape of ``hashes``."""
        if name == "full":
            return self.hashes
        return np.ascontiguousarray(self.views[:, self.view_names.index(name)])

    def positions(self, names: Collection[str]) -> dict[str, int]:
        """The rows of those images that are here, by their names."""
        find = getattr(self.paths, "find", None)  # of names that are not in memory
        if find is not None:
            found: dict[str, int] = find(names)
            return found
        return {path: row for row, path in enumerate(self.paths) if path in names}

    def chosen(self, rows: npt.NDArray[np.bool_]) -> HashTable:
        """The table of some rows."""
        return self.rows(np.flatnonzero(rows))

    def rows(self, rows: npt.NDArray[np.int64]) -> HashTable:
        """The table of the rows at these positions, in this order."""
        paths = [self.paths[row] for row in rows.tolist()]
        views = self.views[rows] if len(self.views) else self.views
        qualities = self.qualities[rows] if len(self.qualities) else self.qualities
        return dataclasses.replace(
            self,
            paths=paths,
            hashes=self.hashes[rows],
            low_information=self.low_information[rows],
            views=views,
            qualities=qualities,
        )

    def in_bytewise_order(self) -> HashTable:
        """The table with its rows in bytewise order of the images' names."""
        names = [os.fsencode(path) for path in self.paths]
        order = sorted(range(len(names)), key=names.__getitem__)
        return self.rows(np.array(order, np.int64))

    def __len__(self) -> int:
        return len(self.paths)


def as_integer(hash: npt.NDArray[np.uint64] | np.uint64) -> int:
    """A hash of any number of words as one number, its first bit the most significant."""
    return int.from_bytes(np.asarray(hash).astype(">u8").tobytes(), "big")


def as_keys(hashes: npt.NDArray[np.uint64]) -> npt.NDArray[Any]:
    """An array of shape (N,) whose elements are equal, and sort, as the hashes do."""
    if hashes.ndim == 1:
        return hashes
    rows = np.ascontiguousarray(hashes.astype(">u8"))
    keys: npt.NDArray[Any] = rows.view(f"S{8 * hashes.shape[1]}").ravel()
    return keys


def joined(tables: Sequence[HashTable]) -> HashTable:
    """The rows of tables of one kind, one table after the other; there is at least one."""
    first = tables[0]
    whole = all(table.population is None for table in tables)
    return HashTable(
        [path for table in tables for path in table.paths],
        np.concatenate([table.hashes for table in tables]),
        np.concatenate([table.low_information for table in tables]),
        np.concatenate([table.views for table in tables]) if first.view_names else _no_views(),
        first.view_names,
        # Of sources, for whose qualities nobody asks, tables on disk bring none.
        np.concatenate([table.qualities for table in tables])
        if all(len(table.qualities) == len(table) for table in tables)
        else _no_qualities(),
        population=None if whole else sum(table.size for table in tables),
        sample=None if whole else np.concatenate([_drawn_from(table) for table in tables]),
    )


SAMPLE = 1 << 15
"""Images that the sample of a large collection has, about."""

_ODD = np.uint64(0x9E3779B97F4A7C15)  # 2 ** 64 by the golden ratio: spreads what is close


def sampled(hashes: npt.NDArray[np.uint64], size: int) -> npt.NDArray[np.uint64]:
    """Those of the hashes of a collection of ``size`` images that belong to its sample.

    Which they are depends on nothing but the hash and ``size``: the same for any order, and for any
    parts in which a collection comes; images with equal hashes are all drawn or none.
    """
    if size <= SAMPLE:
        return hashes
    words = hashes if hashes.ndim == 1 else np.bitwise_xor.reduce(hashes, axis=1)
    mixed = (words ^ (words >> np.uint64(32))) * _ODD
    return hashes[mixed < np.uint64((SAMPLE << 64) // size)]


def _drawn_from(table: HashTable) -> npt.NDArray[np.uint64]:
    return table.hashes if table.sample is None else table.sample
