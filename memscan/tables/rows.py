"""The rows of a part file: as columns in memory, and as columns in Parquet."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Sequence

import numpy as np
import numpy.typing as npt

from memscan import vectors
from memscan.sources import pyarrow_modules
from memscan.tables import identity
from memscan.tables.identity import Encoder

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Rows:
    """Some images of a shard, in any order; n rows.

    ``hashes`` (uint64) has shape (n,) or (n, words), ``views`` (n, views) or (n, views, words),
    embeddings as words as :mod:`memscan.vectors` packs them;
    ``low_information`` (bool), ``width`` and ``height`` (uint32, pixels, 0 where unknown) and
    ``quality`` (uint8, None for hashes without one) have shape (n,). ``errors`` and ``stages`` hold
    why and where an image was lost (a value of :class:`memscan.records.Stage`), None for images
    that were hashed; the numbers of lost images are not stored.
    """

    uris: Sequence[str]
    hashes: npt.NDArray[np.uint64]
    low_information: npt.NDArray[np.bool_]
    width: npt.NDArray[np.uint32]
    height: npt.NDArray[np.uint32]
    errors: Sequence[str | None]
    stages: Sequence[str | None]
    views: npt.NDArray[np.uint64] | None = None
    quality: npt.NDArray[np.uint8] | None = None


def column_names(name: str, words: int) -> list[str]:
    """The columns of the words of one hash, the most significant word first."""
    return [name, *(f"{name}_{word}" for word in range(1, words))]


def view_column(name: str) -> str:
    """The first column of a view; ``hash`` for the full image."""
    return "hash" if name == "full" else f"view: {name}"


def embedding_column(name: str) -> str:
    """The column of the embeddings of a view; ``embedding`` for the full image."""
    return "embedding" if name == "full" else f"embedding: {name}"


def columns_of(encoder: Encoder, view: str) -> list[str]:
    """The columns that describe images in one view: its words, or its pHash and embedding."""
    if encoder.dimensions:
        return [view_column(view), embedding_column(view)]
    return column_names(view_column(view), encoder.words)


def hash_columns(encoder: Encoder) -> list[str]:
    """The columns of hashes: those of the full image, then those of each view."""
    return [column for view in ("full", *encoder.views) for column in columns_of(encoder, view)]


def schema(encoder: Encoder) -> pa.Schema:
    """The columns of a part file.

    ``uri`` is text for people and other programs; ``uri_bytes`` is null, or the bytes of a name
    that is not UTF-8 (its ``uri`` then holds replacement characters). Hashes are numbers, an
    embedding is a list of fixed size.
    """
    pa = pyarrow_modules.libraries().pa
    embeddings = {embedding_column(view) for view in ("full", *encoder.views)}
    return pa.schema(
        [
            pa.field("uri", pa.string(), nullable=False),
            *(
                (name, _embedding_type(encoder) if name in embeddings else pa.uint64())
                for name in hash_columns(encoder)
            ),
            ("low_information", pa.bool_()),
            ("quality", pa.uint8()),
            ("width", pa.uint32()),
            ("height", pa.uint32()),
            ("error", pa.string()),
            ("stage", pa.string()),
            ("uri_bytes", pa.binary()),
        ]
    )


def as_table(rows: Rows, encoder: Encoder, columns: pa.Schema) -> pa.Table:
    """The rows in the columns of :func:`schema`."""
    pa = pyarrow_modules.libraries().pa
    count, words = len(rows.uris), encoder.words
    lost = np.array([error is not None for error in rows.errors], np.bool_).reshape(count)
    names = [os.fsencode(uri) for uri in rows.uris]
    texts = [name.decode("utf-8", "replace") for name in names]
    views = np.empty((count, 0), np.uint64) if rows.views is None else rows.views
    hashes = rows.hashes.reshape(count, 1, words)
    every = np.concatenate([hashes, views.reshape(count, len(encoder.views), words)], axis=1)
    quality = pa.nulls(count) if rows.quality is None else pa.array(rows.quality, mask=lost)
    arrays = [
        pa.array(texts, pa.string()),
        *(array for view in every.swapaxes(0, 1) for array in _arrays(view, encoder, lost)),
        pa.array(rows.low_information, mask=lost),
        quality.cast(pa.uint8()),
        pa.array(rows.width, pa.uint32(), mask=lost | (rows.width == 0)),
        pa.array(rows.height, pa.uint32(), mask=lost | (rows.height == 0)),
        pa.array([error and identity.printable(error) for error in rows.errors], pa.string()),
        pa.array(rows.stages, pa.string()),
        pa.array(
            [None if "\ufffd" not in t or t.encode() == n else n for t, n in zip(texts, names)],
            pa.binary(),
        ),
    ]
    return pa.Table.from_arrays(arrays, schema=columns)


def fill(
    words: npt.NDArray[np.uint64], table: pa.Table, encoder: Encoder, views: Sequence[str]
) -> None:
    """Fill ``words``, of shape (views, n, words), from a table without failures of these views."""
    for view, rows in zip(views, words):
        if not encoder.dimensions:
            for word, name in enumerate(columns_of(encoder, view)):
                rows[:, word] = table[name].to_numpy()
            continue
        rows[:, -1] = 0  # which an odd number of dimensions fills by half
        rows[:, 0] = table[view_column(view)].to_numpy()
        start = 0
        for chunk in table[embedding_column(view)].chunks:
            numbers = chunk.flatten().to_numpy().reshape(len(chunk), encoder.dimensions)
            vectors.put(rows[start : start + len(chunk)], numbers)
            start += len(chunk)


def _arrays(
    words: npt.NDArray[np.uint64], encoder: Encoder, lost: npt.NDArray[np.bool_]
) -> list[pa.Array]:
    """The columns of one view, from its words (n, words)."""
    pa = pyarrow_modules.libraries().pa
    if not encoder.dimensions:
        return [pa.array(np.ascontiguousarray(word), mask=lost) for word in words.T]
    numbers = pa.array(np.ravel(vectors.unpack(words, encoder.dimensions)))
    embeddings = pa.FixedSizeListArray.from_arrays(
        numbers, type=_embedding_type(encoder), mask=pa.array(lost)
    )
    return [pa.array(np.ascontiguousarray(words[:, 0]), mask=lost), embeddings]


def _embedding_type(encoder: Encoder) -> pa.DataType:
    pa = pyarrow_modules.libraries().pa
    return pa.list_(pa.field("element", pa.float32(), nullable=False), encoder.dimensions)


def names_of(table: pa.Table) -> pa.ChunkedArray:
    """The bytes of the names in a table with the columns ``uri`` and ``uri_bytes``."""
    pa, _, pc = pyarrow_modules.libraries()
    return pc.coalesce(table["uri_bytes"], table["uri"].cast(pa.binary()))
