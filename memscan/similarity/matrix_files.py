"""A matrix of scores on disk, written target by target: npz and Parquet.

An npz file holds ``scores`` (float32, targets x sources), ``targets`` and ``sources`` (their names,
as text) and ``detector`` (its fingerprint); ``numpy.load`` needs no pickle for it. A Parquet file
holds a row for each pair, with the columns ``target``, ``source`` and ``score``, so that any engine
can filter it, whatever the number of sources; it has a row group for a few targets. In both, names
are as reports show them, and files appear whole or not at all.
"""

from __future__ import annotations

import contextlib
import json
import os
import zipfile
from typing import Any, Callable, ContextManager, Iterator, Mapping, NamedTuple, Sequence

import numpy as np
import numpy.typing as npt

from memscan.detectors.protocol import Scores
from memscan.errors import InputError
from memscan.sources import pyarrow_modules
from memscan.sources.stores import shown
from memscan.tables import writing

GROUP_ROWS = 1 << 22
"""Pairs in a row group of Parquet, about: each group has the names of all sources again."""

_MOST_NAME_BYTES = 1 << 30  # text in npz is as wide as the longest name, at four bytes a letter
_FIRST_DAY = (1980, 1, 1, 0, 0, 0)  # of the zip format: equal matrices are equal files
_KEY = b"memscan"

Write = Callable[[Scores], None]
"""Takes the scores of the next targets, of shape (n, N)."""


class Names(NamedTuple):
    """What a matrix is about: the names of its rows and columns, and the detector's fingerprint."""

    targets: Sequence[str]
    sources: Sequence[str]
    fingerprint: str


def require(format: str) -> None:
    """Raise InputError if a library is missing that this format needs."""
    if format == "parquet":
        pyarrow_modules.libraries()


def opened(path: str, format: str, names: Names) -> ContextManager[Write]:
    """Write a matrix: blocks of rows go to the function that is given, until all are there.

    Raises OutputError.
    """
    return _WRITERS[format](os.path.realpath(path), names)


@contextlib.contextmanager
def _npz(path: str, names: Names) -> Iterator[Write]:
    columns = {name: _text(path, values) for name, values in zip(("targets", "sources"), names)}
    columns["detector"] = np.array(names.fingerprint)
    with writing.replacing(path) as sink, zipfile.ZipFile(sink, "w") as archive:
        for name, values in columns.items():
            with _member(archive, name) as member:
                np.lib.format.write_array(member, values, allow_pickle=False)
        with _member(archive, "scores") as member:
            header = {
                "descr": np.lib.format.dtype_to_descr(np.dtype("<f4")),
                "fortran_order": False,
                "shape": (len(names.targets), len(names.sources)),
            }
            np.lib.format.write_array_header_1_0(member, header)

            def write(scores: Scores) -> None:
                member.write(np.ascontiguousarray(scores, "<f4").data.cast("B"))
                sink.check()

            yield write


def _member(archive: zipfile.ZipFile, name: str) -> Any:
    return archive.open(zipfile.ZipInfo(f"{name}.npy", _FIRST_DAY), "w", force_zip64=True)


def _text(path: str, names: Sequence[str]) -> npt.NDArray[np.str_]:
    """Names as an array; bytes that are not UTF-8 stay surrogate escapes, as in Python's paths."""
    texts = [shown(name) for name in names]
    if 4 * len(texts) * max(map(len, texts), default=0) > _MOST_NAME_BYTES:
        raise InputError(f"{path}: the names are too long for npz; Parquet can hold them")
    return np.array(texts, np.str_)


@contextlib.contextmanager
def _parquet(path: str, names: Names) -> Iterator[Write]:
    pa, pq, _ = pyarrow_modules.libraries()
    targets, sources = (pa.array(_utf8(some), pa.string()) for some in names[:2])
    text = pa.dictionary(pa.int32(), pa.string())
    about = {"format": 1, "detector": names.fingerprint, "shape": [len(targets), len(sources)]}
    schema = pa.schema(
        [pa.field("target", text, False), pa.field("source", text, False), ("score", pa.float32())],
        {_KEY: json.dumps(about).encode("ascii")},
    )
    done = 0
    waiting: list[Scores] = []

    def flush() -> None:
        nonlocal done
        if not waiting:
            return
        block = np.concatenate(waiting)
        waiting.clear()
        count, width = block.shape
        rows = np.repeat(np.arange(count, dtype=np.int32), width)
        columns = np.tile(np.arange(width, dtype=np.int32), count)
        arrays = [
            pa.DictionaryArray.from_arrays(rows, targets[done : done + count]),
            pa.DictionaryArray.from_arrays(columns, sources),
            pa.array(block.ravel(), pa.float32()),
        ]
        writer.write_table(pa.Table.from_arrays(arrays, schema=schema), len(rows))
        done += count
        sink.check()

    def write(scores: Scores) -> None:
        waiting.append(scores)
        if sum(block.size for block in waiting) >= GROUP_ROWS:
            flush()

    with writing.replacing(path) as sink:
        writer = pq.ParquetWriter(
            sink,
            schema,
            version="2.6",
            compression="ZSTD",
            use_dictionary=["target", "source"],
            column_encoding={"score": "BYTE_STREAM_SPLIT"},
            write_statistics=["target", "score"],
            dictionary_pagesize_limit=1 << 30,  # or a long list of names would be written out
        )
        try:
            yield write
            flush()
        finally:
            writer.close()


def _utf8(names: Sequence[str]) -> list[str]:
    r"""Names as text; a byte that is not UTF-8 is written ``\\xff``, as in reports."""
    return [os.fsencode(shown(name)).decode("utf-8", "backslashreplace") for name in names]


_WRITERS: Mapping[str, Callable[[str, Names], ContextManager[Write]]] = {
    "npz": _npz,
    "parquet": _parquet,
}
