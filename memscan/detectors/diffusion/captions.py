"""The images that a diffusion model is trained on: what each shows, and how often it comes."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Sequence

import numpy as np

from memscan import csv_lists
from memscan.detectors.diffusion import parts
from memscan.errors import InputError

SOURCES = ("none", "folder", "name", "text")
"""Where captions come from: nowhere, the directory's name, the file's name, a file .txt beside."""

MOST_COPIES = 1_000_000


@dataclass(frozen=True)
class Captioned:
    """An image, what it shows ("" where nobody says), and how many copies of it there are."""

    path: str
    caption: str = ""
    copies: int = 1


def read_list(path: str, base: str | None = None) -> list[Captioned]:
    """The images of a CSV file with the column path, and perhaps caption or class, and copies.

    Paths are relative to ``base``, or else to the directory of the file. Raises InputError of one
    sentence, with the line.
    """
    folder = os.path.dirname(path) if base is None else base
    found: dict[str, Captioned] = {}
    for line, row in csv_lists.rows(path, ("path",), ("caption", "class", "copies")):
        name = row["path"]
        if not name.strip() or "\0" in name:
            raise InputError(f"{path}: line {line}: the path is empty or holds a null byte")
        if "caption" in row and "class" in row:
            raise InputError(f"{path}: has both a column caption and a column class")
        image = os.path.join(folder, name)
        if os.path.abspath(image) in found:
            raise InputError(
                f"{path}: line {line}: {name} was listed before; the column copies says how often"
            )
        caption = row.get("caption", row.get("class", "")).strip()
        copies = _copies(path, line, row.get("copies", "1"))
        found[os.path.abspath(image)] = Captioned(image, caption, copies)
    return list(found.values())


def captioned(paths: Sequence[str], source: str) -> list[Captioned]:
    """Images with captions from one of :data:`SOURCES`. Raises InputError."""
    return [Captioned(path, _caption(path, source)) for path in paths]


def with_copies(images: Sequence[Captioned], said: str, seed: int) -> list[Captioned]:
    """The images in copies: so many as a CSV file of path and copies says, and else one.

    ``said`` is the file, or FROM-TO for numbers drawn evenly for each image. Raises InputError.
    """
    span = re.fullmatch(r"(\d{1,6})-(\d{1,6})", said)
    if span is not None:
        least, most = int(span[1]), int(span[2])
        if not 1 <= least <= most:
            raise InputError(f"{said}: copies must be from 1 up, the smaller number first")
        drawn = np.random.default_rng([seed, 0xC0]).integers(least, most + 1, len(images))
        counts = drawn.tolist()
    else:
        by_path = {os.path.abspath(one.path): row for row, one in enumerate(images)}
        counts = [1] * len(images)
        for line, cells in csv_lists.rows(said, ("path", "copies")):
            path = os.path.abspath(os.path.join(os.path.dirname(said), cells["path"]))
            if path not in by_path:
                raise InputError(f"{said}: line {line}: {cells['path']} is none of the images")
            counts[by_path[path]] = _copies(said, line, cells["copies"])
    return [Captioned(one.path, one.caption, count) for one, count in zip(images, counts)]


def _copies(path: str, line: int, text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,7}", text.strip()) or not 1 <= int(text) <= MOST_COPIES:
        raise InputError(
            f"{path}: line {line}: copies must be a whole number from 1 to {MOST_COPIES}"
        )
    return int(text)


def _caption(path: str, source: str) -> str:
    if source == "folder":
        return os.path.basename(os.path.dirname(os.path.abspath(path)))
    stem = os.path.splitext(path)[0]
    if source == "name":
        return re.sub(r"[-_]+", " ", os.path.basename(stem))
    return " ".join(parts.read_text(f"{stem}.txt").split()) if source == "text" else ""
