"""From the words that are kept of images to a table of hashes."""

from __future__ import annotations

from typing import Sequence

import numpy as np

from memscan.kept import Known, rest_of
from memscan.recipe import Recipe
from memscan.records import HashedImage
from memscan.table import HashTable


def no_rows(count: int, rest_words: int) -> Known:
    """Rows of images of which nothing is known yet."""
    return Known(
        np.zeros(count, np.bool_),
        np.zeros(count, np.uint64),
        np.zeros(count, np.bool_),
        np.zeros((count, rest_words), np.uint64),
    )


def fill(rows: Known, row: int, image: HashedImage) -> None:
    """Enter what is kept of an image."""
    rows.known[row], rows.first[row] = True, image.words[0]
    rows.low_information[row] = image.low_information
    rows.rest[row] = rest_of(image)


def table(paths: Sequence[str], known: Known, recipe: Recipe) -> HashTable:
    """The table of images with these names; rows of unknown ones are zero."""
    encoder, view_set = recipe.encoder, recipe.view_set
    _, first, low_information, rest = known
    qualities = np.empty(0, np.uint8)
    if encoder.has_quality:
        qualities, rest = rest[:, -1].astype(np.uint8), rest[:, :-1]
    if encoder.words > 1:
        words = np.concatenate([first[:, None], rest], axis=1)
        words = words.reshape(len(paths), 1 + len(view_set.names), encoder.words)
        first, rest = np.ascontiguousarray(words[:, 0]), words[:, 1:]
    return HashTable(paths, first, low_information, rest, view_set.names, qualities)
