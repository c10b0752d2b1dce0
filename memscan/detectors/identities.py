"""Lists of images with identities and splits, and the pairs that are drawn from them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Iterator, Sequence

import numpy as np

from memscan import csv_lists
from memscan.errors import InputError

SPLITS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "val"),
    "test": "test",
}

HELD_OUT = 0.15
"""The share of identities that validate where a list does not say."""

_SPLIT_SEED = 42  # one for all trainings: no later stage validates on what an earlier one learned


@dataclass(frozen=True)
class Listed:
    """An image, what it shows, and "train", "val" or "test"."""

    path: str
    identity: str
    split: str


def read_list(path: str, base: str | None = None) -> list[Listed]:
    """The images of a CSV file with the column path, and perhaps id and split.

    Paths are relative to ``base``, or else to the directory of the file. An image without an id is
    an identity of its own; without splits, :func:`with_splits` draws those of identities. Raises
    InputError of one sentence, with the line.
    """
    folder = os.path.dirname(path) if base is None else base
    rows: dict[str, tuple[str, str | None]] = {}
    seen = set()
    for line, row in csv_lists.rows(path, ("path",), ("id", "split")):
        name, identity, split = row["path"], row.get("id"), row.get("split")
        if not name.strip() or "\0" in name:
            raise InputError(f"{path}: line {line}: the path is empty or holds a null byte")
        if identity is not None and not identity.strip():
            raise InputError(f"{path}: line {line}: the id is empty")
        if split is not None and split.strip().lower() not in SPLITS:
            raise InputError(
                f"{path}: line {line}: the split {split!r} is none of train, val and test"
            )
        image = os.path.join(folder, name)
        if os.path.abspath(image) in seen:
            raise InputError(f"{path}: line {line}: {name} was listed before")
        seen.add(os.path.abspath(image))
        rows[image] = (
            image if identity is None else identity.strip(),
            None if split is None else SPLITS[split.strip().lower()],
        )
    listed = [Listed(image, identity, split or "") for image, (identity, split) in rows.items()]
    _require_apart(path, listed)
    return listed if all(one.split for one in listed) else with_splits(listed)


def each_its_own(paths: Sequence[str]) -> list[Listed]:
    """Images that are identities of their own, with splits that are drawn."""
    return with_splits([Listed(path, path, "") for path in paths])


def with_splits(listed: Sequence[Listed]) -> list[Listed]:
    """The images with splits that are drawn, the same each time, of one identity together."""
    names = sorted({one.identity for one in listed})
    order = np.random.default_rng([_SPLIT_SEED, 0x1DE]).permutation(len(names)).tolist()
    held_out = {names[place] for place in order[: max(2, round(HELD_OUT * len(names)))]}
    return [
        Listed(one.path, one.identity, "val" if one.identity in held_out else "train")
        for one in listed
    ]


@dataclass(frozen=True)
class Members:
    """Which rows show which identity: an item of ``rows`` for each identity, none of them empty."""

    rows: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, identities: Sequence[str]) -> Members:
        """Of rows with these identities."""
        found: dict[str, list[int]] = {}
        for row, identity in enumerate(identities):
            found.setdefault(identity, []).append(row)
        return cls(tuple(map(tuple, found.values())))

    def batches(
        self, rng: np.random.Generator, size: int, count: int
    ) -> Iterator[list[tuple[int, int]]]:
        """So many batches of ``size`` pairs of rows, each of an identity of its own.

        All identities have come before one comes again, but for the rest of the last round. The
        rows of a pair differ where the identity has two.
        """
        waiting: list[int] = []
        for _ in range(count):
            if len(waiting) < size:
                waiting = rng.permutation(len(self.rows)).tolist()
            batch, waiting = waiting[:size], waiting[size:]
            yield [self._pair(rng, identity) for identity in batch]

    def _pair(self, rng: np.random.Generator, identity: int) -> tuple[int, int]:
        rows = self.rows[identity]
        if len(rows) == 1:
            return rows[0], rows[0]
        one, other = rng.choice(len(rows), 2, replace=False).tolist()
        return rows[one], rows[other]


def _require_apart(path: str, listed: Sequence[Listed]) -> None:
    """No identity may be in two splits: what is learned of it would be measured on it."""
    splits: dict[str, str] = {}
    for one in listed:
        if splits.setdefault(one.identity, one.split) != one.split:
            raise InputError(
                f"{path}: the id {one.identity!r} is in two splits ({splits[one.identity]} and "
                f"{one.split}); all images of an identity belong in one"
            )
