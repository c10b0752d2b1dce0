"""The rows of a part file: as columns in memory, and as columns in Parquet."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Sequence

import numpy as np
import numpy.typing as npt

from memscan.sources import pyarrow_modules
from memscan.tables import identity
from memscan.tables.identity import Encoder

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Rows:
    """Some images of a shard, in any order; n rows.

    ``hashes`` (uint64) has shape (n,) or (n, words), ``views`` (n, views) or (n, views, words);
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


def hash_columns(encoder: Encoder) -> list[str]:
    """The columns of hashes: those of the full image, then those of each view."""
    names = ["full", *encoder.views]
    return [column for n in names for column in column_names(view_column(n), encoder.words)]


def schema(encoder: Encoder) -> pa.Schema:
    """The columns of a part file.

    ``uri`` is text for people and other programs; ``uri_bytes`` is null, or the bytes of a name
    that is not UTF-8 (its ``uri`` then holds replacement characters).
    """
    pa = pyarrow_modules.libraries().pa
    return pa.schema(
        [
            pa.field("uri", pa.string(), nullable=False),
            *((name, pa.uint64()) for name in hash_columns(encoder)),
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
    every = every.reshape(count, len(hash_columns(encoder)))
    quality = pa.nulls(count) if rows.quality is None else pa.array(rows.quality, mask=lost)
    arrays = [
        pa.array(texts, pa.string()),
        *(
            pa.array(np.ascontiguousarray(every[:, column]), mask=lost)
            for column in range(every.shape[1])
        ),
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


def names_of(table: pa.Table) -> pa.ChunkedArray:
    """The bytes of the names in a table with the columns ``uri`` and ``uri_bytes``."""
    pa, _, pc = pyarrow_modules.libraries()
    return pc.coalesce(table["uri_bytes"], table["uri"].cast(pa.binary()))
