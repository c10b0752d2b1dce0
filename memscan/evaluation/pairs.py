"""Lists of labelled images in CSV files: pairs with a label, and images with an identity.

Paths are relative to the directory of the list. Whatever a list holds that has no meaning is an
InputError of one sentence, with the line.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from memscan import csv_lists
from memscan.detectors import classes
from memscan.errors import InputError

_LABELS = {"1": True, "true": True, "0": False, "false": False}
_SPLITS = {
    **dict.fromkeys(("calibration", "val", "valid", "validation"), "calibration"),
    **dict.fromkeys(("test", "report", "reported"), "reported"),
    **dict.fromkeys(("train", "training", "ignore", "ignored"), "ignored"),
}


@dataclass(frozen=True)
class Pair:
    """Two images; ``right`` says that the first was made from the second, or shows the same.

    ``half`` is as in :class:`Identified`.
    """

    target: str
    source: str
    right: bool
    half: str | None = None


@dataclass(frozen=True)
class Classed:
    """Two images, their class, their SSIM if that is known, and their half as an image has it.

    ``kind`` is a place in :data:`memscan.detectors.classes.CLASSES`.
    """

    target: str
    source: str
    kind: int
    ssim: float | None
    half: str | None


@dataclass(frozen=True)
class Identified:
    """An image, what it shows, and its half: "calibration", "reported", "ignored" or not given."""

    path: str
    identity: str
    half: str | None


def read_pairs(path: str) -> list[Pair]:
    """The pairs of a file with the columns path_a, path_b, label (1 or 0), and perhaps split.

    Raises InputError.
    """
    folder = os.path.dirname(path)
    pairs = []
    for line, row in csv_lists.rows(path, ("path_a", "path_b", "label")):
        label = row["label"].strip().lower()
        if label not in _LABELS:
            raise InputError(f"{path}: line {line}: the label {row['label']!r} is neither 1 nor 0")
        target, source = (_joined(path, line, folder, row[key]) for key in ("path_a", "path_b"))
        pairs.append(Pair(target, source, _LABELS[label], _half(path, line, row)))
    return pairs


def read_classed(path: str) -> list[Classed]:
    """The pairs of a file with the columns path_a and path_b, and label or ssim or both.

    A label is different, similar or duplicate; without labels, SSIM makes them by the published
    cuts of DeepSSIM. A column split is that of :func:`read_identities`. Raises InputError.
    """
    folder = os.path.dirname(path)
    pairs = []
    for line, row in csv_lists.rows(path, ("path_a", "path_b")):
        if "label" not in row and "ssim" not in row:
            raise InputError(f"{path}: the first line must name a column label or ssim, or both")
        ssim = None if "ssim" not in row else _ssim(path, line, row["ssim"])
        if "label" in row:
            label = row["label"].strip().lower()
            if label not in classes.CLASSES:
                raise InputError(
                    f"{path}: line {line}: the label {row['label']!r} is none of "
                    f"{', '.join(classes.CLASSES)}"
                )
            kind = classes.CLASSES.index(label)
        else:
            kind = int(classes.classify(np.array(ssim), classes.PUBLISHED))
        target, source = (_joined(path, line, folder, row[key]) for key in ("path_a", "path_b"))
        pairs.append(Classed(target, source, kind, ssim, _half(path, line, row)))
    return pairs


def read_identities(path: str) -> list[Identified]:
    """The images of a file with the columns path and id, and perhaps split. Raises InputError.

    A split is calibration (or val), reported (or test) or ignored (or train).
    """
    folder = os.path.dirname(path)
    images: dict[str, Identified] = {}
    for line, row in csv_lists.rows(path, ("path", "id")):
        half = _half(path, line, row)
        if not row["id"].strip():
            raise InputError(f"{path}: line {line}: the id is empty")
        image = _joined(path, line, folder, row["path"])
        if image in images:
            raise InputError(f"{path}: line {line}: {row['path']} was listed before")
        images[image] = Identified(image, row["id"].strip(), half)
    return list(images.values())


def halve(groups: npt.NDArray[np.int64], seed: int) -> npt.NDArray[np.bool_]:
    """Which items are for calibration: about half, whole groups at a time, drawn by the seed.

    ``groups`` (n,) says which items belong together. Each group, in a drawn order, goes to the
    half with fewer items so far, the first to the reported half; so one group alone is reported.
    """
    sizes = np.bincount(groups)
    order = np.random.default_rng([seed, 0x5917]).permutation(len(sizes))
    calibrating = np.zeros(len(sizes), np.bool_)
    calibration = reported = 0
    for group in order.tolist():
        if calibration < reported:
            calibrating[group] = True
            calibration += int(sizes[group])
        else:
            reported += int(sizes[group])
    return calibrating[groups]


def calibrating(
    halves: Sequence[str | None], groups: npt.NDArray[np.int64], seed: int
) -> npt.NDArray[np.bool_]:
    """Which items are for calibration, as a list says it; without splits, as the seed draws it."""
    if any(half is None for half in halves):
        return halve(groups, seed)
    return np.array([half == "calibration" for half in halves], np.bool_)


def connected(left: Sequence[int], right: Sequence[int]) -> npt.NDArray[np.int64]:
    """For each pair of images, the number of its group: pairs that share an image are in one."""
    parents: dict[int, int] = {}

    def root(node: int) -> int:
        while parents.setdefault(node, node) != node:
            parents[node] = parents[parents[node]]
            node = parents[node]
        return node

    for one, other in zip(left, right):
        parents[root(one)] = root(other)
    numbers: dict[int, int] = {}
    return np.array([numbers.setdefault(root(node), len(numbers)) for node in left], np.int64)


def _ssim(path: str, line: int, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not -1 <= value <= 1:
        raise InputError(f"{path}: line {line}: the ssim {text!r} is no number from -1 to 1")
    return value


def _half(path: str, line: int, row: Mapping[str, str]) -> str | None:
    split = row.get("split")
    if split is None:
        return None
    if split.strip().lower() not in _SPLITS:
        raise InputError(
            f"{path}: line {line}: the split {split!r} is none of calibration, reported, "
            "ignored (or val, test, train)"
        )
    return _SPLITS[split.strip().lower()]


def _joined(path: str, line: int, folder: str, name: str) -> str:
    if not name.strip() or "\0" in name:
        raise InputError(f"{path}: line {line}: a path is empty or holds a null byte")
    return os.path.join(folder, name)
