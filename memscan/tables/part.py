"""One part file of a hash table: the rows of one shard, in Parquet.

A row group holds at most :data:`GROUP_ROWS` rows in bytewise order of their names, so it is a
sorted run; the runs of a part may interleave. Those of embeddings hold as many rows as
:data:`GROUP_BYTES` have room for. Hashes and embeddings are stored plain and uncompressed, which
makes reading them a copy; names and the rest are compressed with zstd.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ContextManager, Iterable, Iterator

from memscan.errors import InputError
from memscan.sources import pyarrow_modules
from memscan.sources.stores import shown
from memscan.tables import arrow, identity, places, writing
from memscan.tables.identity import DocumentError, Encoder, Json, Libraries, Shard
from memscan.tables.rows import Rows, as_table, hash_columns, names_of, schema

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

FORMAT = 1
GROUP_ROWS = 1 << 16
GROUP_BYTES = 1 << 25

_HASH = 1  # the place of the column "hash" in the schema
_KEY = b"memscan"  # of the JSON object in the file's metadata
_COUNTED = ("uri", "uri_bytes", "hash")  # columns with statistics: bounds, and numbers of nulls


@dataclass(frozen=True)
class Header:
    """What a part file says about itself."""

    memscan: str
    encoder: Encoder
    libraries: Libraries
    shard: Shard

    def to_json(self) -> dict[str, Json]:
        """The header as a JSON object."""
        return {
            "format": FORMAT,
            "memscan": self.memscan,
            "encoder": self.encoder.to_json(),
            "libraries": dict(self.libraries),
            "shard": self.shard.to_json(),
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Header:
        """The header that an object describes. Raises DocumentError."""
        if document.get("format") != FORMAT:
            raise DocumentError(f"format {document.get('format')!r:.20} is not known")
        libraries = identity.get(document, "libraries", dict)
        if not all(isinstance(version, str) for version in libraries.values()):
            raise DocumentError("libraries must be an object of versions")
        return cls(
            identity.get(document, "memscan", str),
            Encoder.from_json(identity.get(document, "encoder", dict)),
            libraries,
            Shard.from_json(identity.get(document, "shard", dict)),
        )


@dataclass(frozen=True)
class Part:
    """A part file as a manifest lists it; ``failures`` of its ``rows`` have no hash."""

    name: str
    shard: Shard
    rows: int
    failures: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class OpenPart:
    """A part file whose footer was read and found right."""

    path: str
    header: Header
    footer: pq.FileMetaData
    size: int

    def parquet(self) -> ContextManager[pq.ParquetFile]:
        """The file, opened again."""
        return arrow.open_parquet(self.path, self.footer)

    def failures(self, group: int) -> int:
        """The number of rows of a row group that have no hash."""
        return int(self.footer.row_group(group).column(_HASH).statistics.null_count)

    def all_failures(self) -> int:
        """The number of rows that have no hash."""
        return sum(map(self.failures, range(self.footer.num_row_groups)))


def write_part(path: str, batches: Iterable[Rows], header: Header) -> Part:
    """Write the rows of a shard, which appear at ``path`` whole or not at all.

    Memory holds one row group, whatever the size of the batches. The bytes depend on nothing but
    rows, header and the version of pyarrow. Raises OutputError, and whatever ``batches`` raises.
    """
    pq = pyarrow_modules.libraries().pq
    columns = schema(header.encoder)
    plain = set(hash_columns(header.encoder))
    leaves = [_leaf(field) for field in columns]
    group_rows = rows_of_group(header.encoder)
    rows = failures = 0
    with writing.replacing(path) as sink:
        writer = pq.ParquetWriter(
            sink,
            columns.with_metadata({_KEY: identity.dumps(header.to_json()).encode("ascii")}),
            version="2.6",
            data_page_version="1.0",
            compression={
                leaf: "NONE" if name in plain else "ZSTD"
                for leaf, name in zip(leaves, columns.names)
            },
            use_dictionary=["quality", "width", "height", "error", "stage"],
            write_statistics=list(_COUNTED),
        )
        try:
            for group in _groups(batches, header.encoder, columns):
                writer.write_table(group, group_rows)
                sink.check()
                rows += group.num_rows
                failures += group["hash"].null_count
        finally:
            writer.close()
    return Part(os.path.basename(path), header.shard, rows, failures, sink.size, sink.sha256)


def rows_of_group(encoder: Encoder) -> int:
    """The most rows of a row group, which memory holds at once."""
    if not encoder.dimensions:
        return GROUP_ROWS
    return max(1, min(GROUP_ROWS, GROUP_BYTES // _row_bytes(encoder)))


def open_part(path: str) -> OpenPart:
    """Read the footer of a part file. Raises InputError for anything but a whole part."""
    with arrow.open_parquet(path) as file:
        footer, columns = file.metadata, file.schema_arrow
        size = places.size_of(path)
    name = shown(path)
    found = header_of(columns)
    if found is None:
        raise InputError(f"{name}: a Parquet file, but not a part of a hash table of memscan")
    try:
        header = Header.from_json(identity.loads(found))
    except DocumentError as error:
        raise InputError(f"{name}: its metadata cannot be used: {error}") from error
    if not columns.equals(schema(header.encoder)):
        raise InputError(f"{name}: its columns are not those of a hash table of memscan")
    part = OpenPart(path, header, footer, size)
    with arrow.reading(path):
        _check_counts(part)
    return part


def header_of(columns: pa.Schema) -> bytes | None:
    """The header in the metadata of a schema; None where the file is not memscan's."""
    header: bytes | None = (columns.metadata or {}).get(_KEY)
    return header


def describe(part: OpenPart) -> Part:
    """The part as a manifest lists it; reads the whole file. Raises InputError."""
    with arrow.reading(part.path):
        digest = writing.digest(part.path)
    name, rows = os.path.basename(part.path), part.footer.num_rows
    return Part(name, part.header.shard, rows, part.all_failures(), part.size, digest)


def is_done(path: str, shard: Shard, encoder: Encoder) -> bool:
    """Whether a whole part of this shard, in this state and by this encoder, lies at ``path``."""
    try:
        header = open_part(path).header
    except InputError:
        return False
    return header.encoder == encoder and header.shard.identity == shard.identity


def _check_counts(part: OpenPart) -> None:
    """Refuse counts that the file cannot hold, before memory is set aside for them."""
    hashed = 0
    encoder = part.header.encoder
    for group in range(part.footer.num_row_groups):
        rows = part.footer.row_group(group).num_rows
        statistics = part.footer.row_group(group).column(_HASH).statistics
        if statistics is None or statistics.null_count is None:
            raise InputError(
                f"{shown(part.path)}: it does not say how many of its rows have a hash"
            )
        if not 0 <= statistics.null_count <= rows <= rows_of_group(encoder):
            raise InputError(
                f"{shown(part.path)}: it claims row groups that memscan does not write"
            )
        hashed += rows - statistics.null_count
    if hashed * _row_bytes(encoder) > part.size:
        raise InputError(f"{shown(part.path)}: it claims more hashes than it has room for")


def _row_bytes(encoder: Encoder) -> int:
    """The least bytes of a row that has a hash, since hashes are not compressed."""
    each = 8 + 4 * encoder.dimensions if encoder.dimensions else 8 * encoder.words
    return each * (1 + len(encoder.views))


def _leaf(field: pa.Field) -> str:
    """The name of a column as Parquet knows it."""
    is_list = pyarrow_modules.libraries().pa.types.is_fixed_size_list(field.type)
    return f"{field.name}.list.element" if is_list else str(field.name)


def _groups(batches: Iterable[Rows], encoder: Encoder, columns: pa.Schema) -> Iterator[pa.Table]:
    """The rows in sorted groups of equal size, the last one smaller."""
    concat = pyarrow_modules.libraries().pa.concat_tables
    most = rows_of_group(encoder)
    waiting: list[pa.Table] = []
    count = 0
    for batch in batches:
        waiting.append(as_table(batch, encoder, columns))
        count += waiting[-1].num_rows
        while count >= most:
            together = concat(waiting)
            yield _in_order(together.slice(0, most))
            waiting = [together.slice(most)]
            count -= most
    if count:
        yield _in_order(concat(waiting))


def _in_order(group: pa.Table) -> pa.Table:
    order = pyarrow_modules.libraries().pc.sort_indices(names_of(group))
    return group.take(order).combine_chunks()
