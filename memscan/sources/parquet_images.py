"""Images in Parquet files: the layout of Hugging Face datasets, and plain columns of bytes.

An image column is a ``struct<bytes: binary, path: string>`` or a column of binary values, one of
whose first values begins as an image does. Of several such columns all are read, row by row and in
a row in the order of the schema. The member's name is ``<column>/<row>``, the first row of the file
being 0.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any, BinaryIO, Collection, Iterator

from memscan.decode import SUFFIXES
from memscan.errors import InputError, ReadError
from memscan.sources.members import Content, Limits, Problem, Seen, looks_like_image

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

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
    parquet = _open(file)
    limits.check_count(parquet.metadata.num_rows)
    columns = _image_columns(path, parquet, limits)
    broken = []
    first = 0
    for group in range(parquet.num_row_groups):
        row = first
        first += parquet.metadata.row_group(group).num_rows
        try:
            for batch in _batches(parquet, group, columns, limits):
                values = [_values(batch, column, limits) for column in columns]
                for at in range(batch.num_rows):
                    for column, column_values in zip(columns, values):
                        yield Content(f"{column}/{row + at}", column_values[at])
                row += batch.num_rows
            if row != first:
                raise ReadError(f"the row group states {first} rows up to here")
        except ReadError as error:
            broken.append(f"rows {row} to {first - 1} cannot be read ({error})")
    if broken:
        others = f", and {len(broken) - 1} more row groups" if len(broken) > 1 else ""
        raise ReadError(broken[0] + others)


def find(path: str, file: BinaryIO, names: Collection[str], limits: Limits) -> Iterator[Content]:
    """Those of the named values that there are: each costs its row group up to its row.

    Raises ReadError for a broken file.
    """
    wanted: dict[str, set[int]] = {}
    for name in names:
        column, _, row = name.rpartition("/")
        if row.isdigit() and str(int(row[:20])) == row:
            wanted.setdefault(column, set()).add(int(row))
    parquet = _open(file)
    there = set(parquet.schema_arrow.names)
    first = 0
    for group in range(parquet.num_row_groups):
        begin, first = first, first + parquet.metadata.row_group(group).num_rows
        for column, rows in wanted.items():
            left = sorted(row for row in rows if begin <= row < first)
            if left and column in there:
                yield from _find_rows(
                    parquet, group, column, [row - begin for row in left], begin, limits
                )


def _find_rows(
    parquet: pq.ParquetFile, group: int, column: str, rows: list[int], begin: int, limits: Limits
) -> Iterator[Content]:
    """The values in these rows of the group, in rising order; its first row is ``begin``."""
    done = 0
    for batch in _batches(parquet, group, [column], limits):
        while rows and rows[0] < done + batch.num_rows:
            row = rows.pop(0)
            (value,) = _values(batch.slice(row - done, 1), column, limits)
            yield Content(f"{column}/{begin + row}", value)
        done += batch.num_rows
        if not rows:
            return


def _open(file: BinaryIO) -> pq.ParquetFile:
    parquet = _import_parquet()
    with _as_read_error():
        return parquet.ParquetFile(file, buffer_size=_BUFFER, pre_buffer=False)


def _import_parquet() -> Any:
    try:
        import pyarrow.parquet
    except ImportError as error:
        if error.name != "pyarrow":  # it is there, but broken
            raise
        raise InputError(
            "Parquet files need the extra parquet: pip install 'memscan[parquet]'"
        ) from error
    return pyarrow.parquet


def _batches(
    parquet: pq.ParquetFile, group: int, columns: list[str], limits: Limits
) -> Iterator[pa.RecordBatch]:
    """Some rows of a row group at a time. Raises ReadError."""
    with _as_read_error():
        metadata = parquet.metadata.row_group(group)
        chunks = [metadata.column(index) for index in range(metadata.num_columns)]
        unpacked = sum(chunk.total_uncompressed_size for chunk in chunks)
        packed = sum(chunk.total_compressed_size for chunk in chunks)
        limits.check_expansion(unpacked, packed)
        batches = parquet.iter_batches(_BATCH, [group], columns, use_threads=False)
    while True:
        with _as_read_error():
            batch = next(batches, None)
        if batch is None:
            return
        yield batch


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
        return Problem(f"the row holds no image, only the path {path.as_py()!r}")
    return _NULL


def _image_columns(path: str, parquet: pq.ParquetFile, limits: Limits) -> list[str]:
    """The names of the image columns, in the order of the schema. Raises InputError."""
    with _as_read_error():
        schema = parquet.schema_arrow
    names = schema.names
    candidates = [
        field.name
        for field in schema
        if names.count(field.name) == 1 and (_is_binary(field.type) or _is_struct(field.type))
    ]
    samples = _samples(parquet, candidates, limits) if candidates else {}
    columns = [
        name
        for name in candidates
        if any(samples[name]) or (_is_struct(schema.field(name).type) and not samples[name])
    ]
    if not columns:
        described = ", ".join(f"{field.name} ({field.type})" for field in schema) or "none"
        raise InputError(f"{path}: no column of images (columns: {described})")
    return columns


def _samples(parquet: pq.ParquetFile, columns: list[str], limits: Limits) -> dict[str, list[bool]]:
    """Whether the first values of each column that are not null are images, some at most."""
    samples: dict[str, list[bool]] = {name: [] for name in columns}
    rows = 0
    for group in range(parquet.num_row_groups):
        with contextlib.suppress(ReadError):  # told when the row group is read
            for batch in _batches(parquet, group, columns, limits):
                for name, found in samples.items():
                    found.extend(_are_images(batch.column(name)))
                rows += batch.num_rows
                enough = all(len(found) >= _SAMPLE for found in samples.values())
                if enough or rows >= _SAMPLE_ROWS:
                    return samples
    return samples


def _are_images(column: pa.Array) -> Iterator[bool]:
    """For each value that is not null: whether its bytes, or the path beside them, say image."""
    values, paths = _children(column) if _is_struct(column.type) else (column, None)
    for row, value in enumerate(values):
        if value.is_valid:
            path = paths[row].as_py() if paths is not None else None
            suffix = os.path.splitext(path)[1].lower() if path else ""
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
