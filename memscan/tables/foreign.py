"""Hashes that others made: a column of a Parquet or CSV file, or a numpy array."""

from __future__ import annotations

import csv
import functools
import io
import itertools
import os
from typing import TYPE_CHECKING, Any, Callable, Iterable, Iterator, NamedTuple, Sequence

import numpy as np
import numpy.typing as npt

from memscan import hamming
from memscan.errors import InputError, MemscanError
from memscan.records import Failure, Stage
from memscan.sources import pyarrow_modules
from memscan.sources.stores import is_remote, shown
from memscan.table import HashTable
from memscan.tables import arrays, arrow, columns, notation, places
from memscan.tables.columns import Column, RowNames
from memscan.tables.notation import Parsed

if TYPE_CHECKING:
    import pyarrow as pa

_CHUNK = 1 << 16  # rows
_FEWEST, _MOST = 28, 36  # bits set in a pHash of imagehash: 32, but for ties with the median


class ForeignHashes(NamedTuple):
    """Hashes of a file, in bytewise order of their names; rows without one are failures.

    ``warning`` says what to keep in mind about them. Whether an image has too little detail for a
    hash is not known: ``low_information`` is False for all.
    """

    table: HashTable
    failures: tuple[Failure, ...]
    warning: str


def read_hashes(path: str, column: str | None = None) -> ForeignHashes:
    """Read 64-bit hashes from a ``.parquet``, ``.csv`` or ``.npy`` file, here or at a URL.

    A hash is an integer of 64 bits (signed or not, the same bits), 16 hex digits, a decimal number,
    or eight bytes, the most significant first. ``column`` names the column of hashes; a numpy
    array, of shape (N,), has none. Rows are numbered from 0, as pandas and numpy do. Raises
    InputError for a file without hashes, or with several columns that could be meant.
    """
    readers: dict[str, Callable[[str, str | None], Column]] = {
        ".parquet": _from_parquet,
        ".csv": _from_csv,
        ".npy": _from_npy,
    }
    name = shown(path)
    suffix = os.path.splitext(name)[1].lower()
    if suffix not in readers:
        raise InputError(f"{name}: hashes are read from {', '.join(readers)}")
    places.require_file(path)
    parsed, names, order = readers[suffix](path, column)
    known = parsed.known[order]
    if not known.any():
        raise InputError(f"{name}: none of its {len(known)} rows has a 64-bit hash")
    rows = order[known]
    hashes = parsed.hashes[rows]
    lost = order[~known]
    failures = tuple(
        Failure(image, Stage.READ, f"row {row} has no 64-bit hash")
        for image, row in zip(RowNames(name, names, lost), lost.tolist())
    )
    table = HashTable(
        RowNames(name, names, rows),
        hashes,
        np.zeros(len(rows), np.bool_),
        np.empty((len(rows), 0), np.uint64),
    )
    return ForeignHashes(table, failures, _warning(name, hashes))


def _warning(path: str, hashes: hamming.Hashes) -> str:
    bits = hamming.distances(hashes, np.uint64(0))
    odd = np.count_nonzero((bits < _FEWEST) | (bits > _MOST)) / len(bits)
    text = (
        f"{path}: hashes of other software: distances are only as good as its pHash is like that "
        "of imagehash, and images with too little detail for a hash are not known"
    )
    if odd:
        text += (
            f"; {odd:.2%} of the hashes do not have {_FEWEST} to {_MOST} of their bits set, "
            "as the pHash of a photograph has"
        )
    return text


def _from_npy(path: str, column: str | None) -> Column:
    array = _streamed(path) if is_remote(path) else _mapped(path)
    native = np.asarray(array, array.dtype.newbyteorder("="))
    parsed = Parsed(native.view(np.uint64), np.ones(len(native), np.bool_))
    return Column(parsed, None, columns.order_of_numbers(len(native)))


def _mapped(path: str) -> npt.NDArray[Any]:
    try:
        array = np.lib.format.open_memmap(path, mode="r")
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"{path}: cannot be read: {reason}") from error
    except Exception as error:  # numpy evaluates the header, and fails in as many ways as Python
        raise InputError(f"{path}: not an array of numbers that numpy can map") from error
    _require_hashes(path, array.shape, array.dtype)
    return array


def _streamed(url: str) -> npt.NDArray[Any]:
    with places.open_stream(url) as file:
        try:
            shape, dtype = arrays.read_header(file)
            _require_hashes(url, shape, dtype)
            return arrays.read_numbers(file, shape, dtype)
        except MemscanError:
            raise
        except EOFError as error:
            raise InputError(f"{shown(url)}: {error}") from error
        except Exception as error:  # of numpy, as above
            raise InputError(f"{shown(url)}: not an array of numbers") from error


def _require_hashes(path: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    if len(shape) != 1 or dtype.kind not in "iu" or dtype.itemsize != 8:
        raise InputError(
            f"{shown(path)}: an array of {dtype} with shape {shape}, "
            "but hashes are uint64 with shape (N,)"
        )


def _from_csv(path: str, asked: str | None) -> Column:
    header = _csv_header(path)
    column = columns.chosen(shown(path), asked, header, header)
    place = header.index(column)
    named = columns.name_column(header, column)
    read = notation.notation_of(_cell(row, place) for row in _csv_rows(path))
    names: list[str | None] | None = None if named is None else []
    chunks = []
    rows = _csv_rows(path)
    while some := list(itertools.islice(rows, _CHUNK)):
        chunks.append(notation.parse_texts([_cell(row, place) for row in some], read))
        if names is not None:
            names += [_cell(row, header.index(named or "")) for row in some]
    parsed = _joined(chunks)
    if names is None:
        return Column(parsed, None, columns.order_of_numbers(len(parsed.known)))
    return Column(parsed, names, columns.order_of_names(shown(path), names))


def _csv_header(path: str) -> list[str]:
    header = next(_csv_lines(path), [])
    if not header:
        raise InputError(f"{shown(path)}: it is empty; the first line must name the columns")
    if any(notation.from_hex(name) is not None for name in header):
        raise InputError(f"{shown(path)}: its first line is a hash, but it must name the columns")
    return header


def _csv_rows(path: str) -> Iterator[list[str]]:
    """The rows below the header; empty lines are none."""
    return filter(None, itertools.islice(_csv_lines(path), 1, None))


def _csv_lines(path: str) -> Iterator[list[str]]:
    try:
        with places.open_stream(path) as file, io.TextIOWrapper(
            file, encoding="utf-8-sig", errors="surrogateescape", newline=""
        ) as text:
            yield from csv.reader(text, strict=True)
    except csv.Error as error:
        raise InputError(f"{shown(path)}: not a CSV file: {error}") from error


def _cell(row: Sequence[str], place: int) -> str | None:
    return row[place] or None if place < len(row) else None


def _from_parquet(path: str, asked: str | None) -> Column:
    with arrow.open_parquet(path) as file:
        schema = file.schema_arrow
        if file.metadata.num_rows > places.size_of(path):
            raise InputError(f"{shown(path)}: it claims more rows than it has room for")
        fitting = [field.name for field in schema if _reader(field.type) is not None]
        column = columns.chosen(shown(path), asked, schema.names, fitting)
        kind = schema.field(column).type
        reader = _reader(kind)
        if reader is None:
            raise InputError(
                f"{shown(path)}: column {column} holds {kind}, but a hash is a 64-bit integer, "
                "16 hex digits, a decimal number or 8 bytes"
            )

        def batches() -> Iterable[pa.Array]:
            for batch in file.iter_batches(_CHUNK, columns=[column]):
                yield batch.column(0)

        if reader is notation.parse_texts:
            texts = itertools.chain.from_iterable(batch.to_pylist() for batch in batches())
            reader = functools.partial(notation.parse_texts, read=notation.notation_of(texts))
        listed = reader is not _parse_integers
        parsed = _joined([reader(b.to_pylist() if listed else b) for b in batches()])
        named = columns.name_column(
            [field.name for field in schema if _is_name(field.type)], column
        )
        if named is None:
            return Column(parsed, None, columns.order_of_numbers(len(parsed.known)))
        names = _ArrowTexts(file.read(columns=[named])[named])
        return Column(parsed, names, names.order(shown(path)))


class _ArrowTexts(Sequence[Any]):
    """Names in a column of Arrow: a tenth of what they take as Python's strings."""

    def __init__(self, column: pa.ChunkedArray) -> None:
        self._texts = column.cast(pyarrow_modules.libraries().pa.large_string())

    def __len__(self) -> int:
        return len(self._texts)

    def __getitem__(self, row: Any) -> Any:
        return self._texts[row].as_py()

    def order(self, path: str) -> Any:
        """The rows in bytewise order, those without a name by ``FILE#row``."""
        pa, _, pc = pyarrow_modules.libraries()
        texts = self._texts
        if texts.null_count:
            numbers = pa.array(np.arange(len(texts))).cast(pa.large_string())
            nothing = pa.scalar("", pa.large_string())
            start = pa.scalar(f"{path}#".encode("utf-8", "replace").decode(), pa.large_string())
            texts = pc.coalesce(texts, pc.binary_join_element_wise(start, numbers, nothing))
        return pc.sort_indices(texts).to_numpy().astype(np.int64)


def _reader(kind: pa.DataType) -> Callable[..., Parsed] | None:
    """What reads a column of this type; None for one that cannot hold hashes."""
    types = pyarrow_modules.libraries().pa.types
    if types.is_int64(kind) or types.is_uint64(kind):
        return _parse_integers
    if _is_text(kind):
        return notation.parse_texts
    if types.is_fixed_size_binary(kind):
        return notation.parse_bytes if kind.byte_width == 8 else None
    if types.is_binary(kind) or types.is_large_binary(kind):
        return notation.parse_bytes
    return None


def _is_text(kind: pa.DataType) -> bool:
    types = pyarrow_modules.libraries().pa.types
    value = kind.value_type if types.is_dictionary(kind) else kind
    return bool(types.is_string(value) or types.is_large_string(value))


def _is_name(kind: pa.DataType) -> bool:
    return _is_text(kind) or bool(pyarrow_modules.libraries().pa.types.is_integer(kind))


def _parse_integers(values: pa.Array) -> Parsed:
    known = values.is_valid().to_numpy(zero_copy_only=False)
    return Parsed(values.fill_null(0).to_numpy(zero_copy_only=False).view(np.uint64), known)


def _joined(chunks: Sequence[Parsed]) -> Parsed:
    return Parsed(
        np.concatenate([np.empty(0, np.uint64), *(chunk.hashes for chunk in chunks)]),
        np.concatenate([np.empty(0, np.bool_), *(chunk.known for chunk in chunks)]),
    )
