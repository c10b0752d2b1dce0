"""Images in Parquet files: the layout of Hugging Face datasets, and plain columns of bytes.

An image column is a ``struct<bytes: binary, path: string>`` or a column of binary values, one of
whose first values begins as an image does. Of several such columns all are read, row by row and in
a row in the order of the schema. The member's name is ``<column>/<row>``, the first row of the file
being 0.
"""

from __future__ import annotations

import contextlib
import itertools
import os
from typing import TYPE_CHECKING, Any, BinaryIO, Collection, Iterator

from memscan.decode import SUFFIXES
from memscan.errors import InputError, ReadError
from memscan.sources import pyarrow_modules
from memscan.sources.members import Content, Limits, Problem, Seen, looks_like_image

if TYPE_CHECKING:
    import pyarrow as pa

_BATCH = 16  # rows in memory at a time
_BUFFER = 1 << 20  # bytes of a column chunk that are read at a time
_SAMPLE = 16  # values that tell whether a column holds images
_SAMPLE_ROWS = 1024  # rows in which they are looked for
_BINARY = ("binary", "large_binary", "binary_view")
_NULL = Problem("the row is null")


def members(path: str, file: BinaryIO, limits: Limits, seen: Seen) -> Iterator[Content]:
    """The images of all image columns. A row without an image is a problem, which says so.

    A broken row group is left at its first bad batch, the next is read, and ReadError is raised
    at the end. Raises InputError if no column holds images or pyarrow is missing.
    """
    table = _Table(file, limits)
    columns = table.image_columns(path)
    broken = []
    for group, rows in enumerate(table.groups):
        row = rows.start
        try:
            for batch in table.batches(group, columns):
                values = [_values(batch, column, limits) for column in columns]
                for in_row in zip(*values):
                    for column, value in zip(columns, in_row):
                        yield Content(f"{column}/{row}", value)
                    row += 1
        except ReadError as error:
            broken.append(f"rows {row} to {rows.stop - 1} cannot be read ({error})")
    if broken:
        others = f", and {len(broken) - 1} more row groups" if len(broken) > 1 else ""
        raise ReadError(broken[0] + others)


def find(path: str, file: BinaryIO, names: Collection[str], limits: Limits) -> Iterator[Content]:
    """Those of the named values that there are: each costs its row group up to its row.

    Raises ReadError for a broken file, and InputError if pyarrow is missing.
    """
    table = _Table(file, limits)
    wanted: dict[str, set[str]] = {}
    for name in names:
        column, _, row_text = name.rpartition("/")
        wanted.setdefault(column, set()).add(row_text)
    for column in table.candidates():
        texts = wanted.get(column, set())
        for group, rows in enumerate(table.groups):
            left = [row for row in rows if str(row) in texts] if texts else []
            row = rows.start
            for batch in table.batches(group, [column]) if left else ():
                while left and left[0] < row + batch.num_rows:
                    at = left.pop(0)
                    (value,) = _values(batch.slice(at - row, 1), column, limits)
                    yield Content(f"{column}/{at}", value)
                row += batch.num_rows
                if not left:
                    break


class _Table:
    """An open Parquet file; ``groups`` holds the rows of each row group."""

    def __init__(self, file: BinaryIO, limits: Limits) -> None:
        parquet = pyarrow_modules.libraries().pq
        self._limits = limits
        self._size = file.seek(0, 2)
        if not self._size:
            raise ReadError("the file is empty")
        file.seek(0)
        with _as_read_error():
            self._parquet = parquet.ParquetFile(
                file, buffer_size=_BUFFER, pre_buffer=False, page_checksum_verification=True
            )
            self._schema: pa.Schema = self._parquet.schema_arrow
            metadata = self._parquet.metadata
            counts = [
                metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)
            ]
        if min(counts, default=0) < 0:
            raise ReadError("a row group states less than 0 rows")
        limits.check_count(sum(counts))
        ends = list(itertools.accumulate(counts))
        self.groups = [range(end - count, end) for count, end in zip(counts, ends)]

    def batches(self, group: int, columns: list[str]) -> Iterator[pa.RecordBatch]:
        """Some rows of a row group at a time, all in all as many as it states. Raises ReadError."""
        left = len(self.groups[group])
        with _as_read_error():
            # Not the sizes of its columns: where these are bad, pyarrow ends the process.
            unpacked = self._parquet.metadata.row_group(group).total_byte_size
            self._limits.check_expansion(unpacked, self._size)
            batches = self._parquet.iter_batches(_BATCH, [group], columns, use_threads=False)
        while True:
            with _as_read_error():
                batch = next(batches, None)
            if batch is None:
                break
            left -= batch.num_rows
            if left < 0:
                break
            yield batch
        if left:
            raise ReadError("another number of rows than stated")

    def candidates(self) -> list[str]:
        """The columns that can hold images by their types, in the order of the schema."""
        names = self._schema.names
        return [
            field.name
            for field in self._schema
            if names.count(field.name) == 1 and (_is_binary(field.type) or _is_struct(field.type))
        ]

    def image_columns(self, path: str) -> list[str]:
        """The columns that hold images, in the order of the schema.

        Raises ReadError if this cannot be told, and InputError if there are none.
        """
        samples: dict[str, list[bool]] = {name: [] for name in self.candidates()}
        error = self._sample(samples) if samples else None
        columns = [
            name
            for name, found in samples.items()
            if any(found) or (not found and _is_struct(self._schema.field(name).type))
        ]
        if not columns and error is not None:
            raise error
        if not columns:
            described = ", ".join(f"{field.name} ({field.type})" for field in self._schema)
            raise InputError(f"{path}: no column of images (columns: {described or 'none'})")
        return columns

    def _sample(self, samples: dict[str, list[bool]]) -> ReadError | None:
        """Add whether the first values of each column that are not null are images.

        Returns the error of the first row group that could not be read.
        """
        rows = 0
        first_error = None
        for group in range(len(self.groups)):
            try:
                for batch in self.batches(group, list(samples)):
                    for name, found in samples.items():
                        with _as_read_error():
                            found.extend(_are_images(batch.column(name)))
                    rows += batch.num_rows
                    enough = all(len(found) >= _SAMPLE for found in samples.values())
                    if enough or rows >= _SAMPLE_ROWS:
                        return first_error
            except ReadError as error:
                first_error = first_error or error
        return first_error


@contextlib.contextmanager
def _as_read_error() -> Iterator[None]:
    """Turn whatever pyarrow makes of bytes that are no Parquet into a ReadError of one line."""
    try:
        yield
    except ReadError:
        raise
    except Exception as error:  # Arrow's own, but also OSError, KeyError, UnicodeDecodeError …
        text = " ".join((str(error) or type(error).__name__).split())
        raise ReadError(text if len(text) <= 200 else text[:199] + "…") from error


def _values(batch: pa.RecordBatch, name: str, limits: Limits) -> list[bytes | Problem]:
    """The value of each row of a column, or why there is none."""
    with _as_read_error():
        column = batch.column(name)
        if _is_binary(column.type):
            return [_bytes(value, limits) for value in column]
        return [
            _bytes(value, limits) if value.is_valid else _no_bytes(path)
            for value, path in zip(*_children(column))
        ]


def _children(column: pa.StructArray) -> tuple[Any, Any]:
    """The two children of a struct, ``bytes`` and ``path``, null where the struct is."""
    children = column.flatten()
    names = [column.type.field(index).name for index in range(column.type.num_fields)]
    return children[names.index("bytes")], children[names.index("path")]


def _bytes(value: pa.Scalar, limits: Limits) -> bytes | Problem:
    """The bytes of a binary value, or why there are none."""
    if not value.is_valid:
        return _NULL
    buffer = value.as_buffer()
    return limits.too_large if buffer.size > limits.member_bytes else buffer.to_pybytes()


def _no_bytes(path: pa.Scalar) -> Problem:
    """What is said of a row without bytes."""
    if path.is_valid:
        return Problem(f"the row holds no image, only the path {_text(path)!r}")
    return _NULL


def _text(value: pa.Scalar) -> str:
    """A string that may be null or no UTF-8."""
    return value.as_buffer().to_pybytes().decode("utf-8", "replace") if value.is_valid else ""


def _are_images(column: pa.Array) -> Iterator[bool]:
    """For each value that is not null: whether its bytes, or the path beside them, say image."""
    values, paths = _children(column) if _is_struct(column.type) else (column, None)
    for row, value in enumerate(values):
        if value.is_valid:
            path = _text(paths[row]) if paths is not None else ""
            suffix = os.path.splitext(path)[1].lower()
            yield suffix in SUFFIXES or looks_like_image(value.as_buffer().to_pybytes())


def _is_binary(kind: pa.DataType) -> bool:
    return str(kind) in _BINARY


def _is_struct(kind: pa.DataType) -> bool:
    """Whether this is a struct of bytes and path, as Hugging Face datasets store images."""
    fields = {kind.field(index).name: kind.field(index).type for index in range(kind.num_fields)}
    return (
        str(kind).startswith("struct<")
        and set(fields) == {"bytes", "path"}
        and _is_binary(fields["bytes"])
    )
