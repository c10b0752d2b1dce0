"""Tables of hashes in the place of images."""

from __future__ import annotations

import dataclasses
import itertools
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Sequence

from memscan import hashing
from memscan.encoders import Encoder
from memscan.errors import InputError
from memscan.intake import Held
from memscan.records import Failure, Stage
from memscan.sources.directories import Listing
from memscan.sources.stores import is_remote, shown
from memscan.sources.uris import kind_of
from memscan.views import ViewSet

if TYPE_CHECKING:
    from memscan.selection import Wanted
    from memscan.shards import ShardEngine


_ASKED_AT_ONCE = 16  # whether they are parts of tables, which on stores means waiting

MOST_LOADED = 0.25
"""Share of the machine's memory that the hashes of a table may take."""


def is_part(path: str) -> bool:
    """Whether a container is a part of a hash table, which is a Parquet file, too."""
    if kind_of(path) != "parquet" or not (os.path.isfile(path) or is_remote(path)):
        return False
    from memscan.tables import stored  # pyarrow

    return stored.is_table(path)


def separate(listings: Sequence[Listing]) -> list[Listing]:
    """The listings with parts of hash tables among their tables, and not among their containers."""
    containers = [path for listing in listings for path in listing.containers]
    with ThreadPoolExecutor(_ASKED_AT_ONCE) as pool:
        parts = set(itertools.compress(containers, pool.map(is_part, containers)))
    if not parts:
        return list(listings)
    return [
        dataclasses.replace(
            listing,
            containers=tuple(path for path in listing.containers if path not in parts),
            tables=tuple(sorted(parts.intersection(listing.containers).union(listing.tables))),
        )
        for listing in listings
    ]


def are_foreign(path: str, hash_column: str | None) -> bool:
    """Whether a table holds hashes that others made: by its name, or as the user says."""
    return hash_column is not None or shown(path).lower().endswith((".csv", ".npy"))


def load(
    path: str,
    encoder: Encoder,
    view_set: ViewSet,
    hash_column: str | None = None,
    wanted: Wanted | None = None,
    engine: ShardEngine | None = None,
) -> tuple[Held, list[str]]:
    """The hashes of a table, in bytewise order of the images' names, and warnings.

    With ``wanted``, a table that is too large for memory gives only the images that decide about
    the targets, and so does one of any size with an ``engine``, whose workers then read it. A table
    is what ``memscan index`` wrote, or, with a column, hashes that others made. Raises InputError
    for a table that is damaged, or whose hashes were made in another way.
    """
    from memscan.tables import foreign, stored

    if are_foreign(path, hash_column):
        if encoder.name != "phash" or view_set.names:
            raise InputError(
                f"{shown(path)}: hashes that others made are compared by --hash phash and "
                "--views plain"
            )
        found = foreign.read_hashes(path, hash_column)
        return Held(found.table, found.failures), [found.warning] if found.warning else []
    table = stored.StoredTable.open(path)
    algorithm = encoder.fingerprint(fast=False).split()[0]
    warnings = table.check(algorithm, "exact", view_set.names, hashing.library_versions())
    lost = [Failure(one.shard.name, Stage.READ, one.reason, is_shard=True) for one in table.failed]
    lost += table.failures()
    if wanted is not None and engine is not None:
        from memscan import selection

        rows, more = selection.select_by(engine, table, view_set.names, wanted)
        return Held(rows, (*lost, *more)), warnings
    size = 8 * encoder.words * (1 + len(view_set.names)) * len(table)
    if wanted is not None and size > MOST_LOADED * _memory():
        from memscan import selection

        return Held(selection.select(table, view_set.names, wanted, len(table)), (*lost,)), warnings
    return Held(table.load(view_set.names), (*lost,)), warnings


def _memory() -> int:
    """The bytes of memory of this machine."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # a system that does not tell
        return 1 << 33
