"""All images that were listed, hashed: loose files, those in containers, those on stores."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING, Iterator, NamedTuple, Sequence

import numpy as np

from memscan import hashed, views
from memscan.encoders import PHASH, Encoder
from memscan.intake import Held, Intake
from memscan.recipe import Recipe
from memscan.records import Failure
from memscan.report import Volume
from memscan.sources.directories import Listing
from memscan.sources.given import Count, in_bytewise_order
from memscan.table import HashTable, joined
from memscan.views import ViewSet

if TYPE_CHECKING:
    from memscan.selection import Wanted
    from memscan.shards import ShardEngine


class Collected(NamedTuple):
    """What came of some listings.

    ``counts`` has an entry for each container and each image on a store; ``volumes`` say how
    values of medical volumes became grey levels.
    """

    table: HashTable
    failures: tuple[Failure, ...]
    counts: dict[str, Count]
    volumes: tuple[Volume, ...]
    warnings: tuple[str, ...] = ()


def collect(
    listings: Sequence[Listing],
    intake: Intake,
    phase: str,
    *,
    by_listing: bool = False,
    encoder: Encoder = PHASH,
    fast: bool = False,
    view_set: ViewSet = views.NONE,
    hash_column: str | None = None,
    wanted: Wanted | None = None,
    engine: ShardEngine | None = None,
) -> Collected:
    """Hash all images of the listings.

    The rows are in bytewise order of the images' names, which resolves equal distances; with
    ``by_listing``, in the order of the listings and so only within each. ``fast`` decodes loose
    files at reduced scale, and only these; ``hash_column`` names the column of tables of hashes
    that others made. Of tables only what is ``wanted`` may be kept (:func:`hashed.load`). Raises
    InputError as :meth:`Intake.hash_containers`.
    """
    paths = in_bytewise_order(listings)
    if by_listing:
        paths = [path for listing in listings for path in listing.paths]
    loose, failures = intake.hash_files(paths, phase, encoder=encoder, fast=fast, view_set=view_set)
    containers = list(dict.fromkeys(path for one in listings for path in one.containers))
    tables = list(dict.fromkeys(path for one in listings for path in one.tables))
    remote = {entry.url: entry for one in listings for entry in one.remote}
    if not containers and not remote and not tables:
        return Collected(loose, failures, {}, ())
    held: dict[str, Held] = {}
    warnings: list[str] = []
    for path in tables:
        held[path], more = hashed.load(path, encoder, view_set, hash_column, wanted, engine)
        warnings += more
    recipe = Recipe(encoder, False, view_set, intake.max_pixels)
    if containers:
        held.update(intake.hash_containers(containers, phase, recipe))
    if remote:
        held.update(intake.hash_remote(list(remote.values()), phase, recipe))
    sizes = {place: one.table.size for place, one in held.items()}
    _take_once(loose, held, tables)
    parts = [part for part in (loose, *(one.table for one in held.values())) if len(part)]
    table = joined(parts) if len(parts) > 1 else (parts or [loose])[0]
    if len(parts) > 1 and not by_listing:  # one part is in this order
        table = table.in_bytewise_order()
    elif len(parts) > 1:
        rank = {path: number for number, one in enumerate(listings) for path in _places(one)}
        places = [*loose.paths]
        for place, one in held.items():
            places += [place] * len(one.table)
        keys = [(rank[place], os.fsencode(path)) for place, path in zip(places, table.paths)]
        order = sorted(range(len(table)), key=keys.__getitem__)
        table = table.rows(np.array(order, np.int64))
    lost = [failure for place in held for failure in held[place].failures]
    return Collected(
        table,
        failures + tuple(sorted(lost, key=lambda failure: os.fsencode(failure.path))),
        {
            place: Count(one.table.size + len(one.failures), sizes[place], one.failures)
            for place, one in held.items()
        },
        tuple(
            Volume(place, one.mapping)
            for place, one in sorted(held.items(), key=_name)
            if one.mapping
        ),
        tuple(warnings),
    )


def _take_once(loose: HashTable, held: dict[str, Held], tables: Sequence[str]) -> None:
    """Leave out of tables what is also among the images, or in a table before."""
    if not tables or len(held) + len(loose) < 2:
        return
    seen = set(loose.paths)
    for place in held:
        if place not in tables:
            seen.update(held[place].table.paths)
    for place in tables:
        table = held[place].table
        new = np.array([path not in seen for path in table.paths], np.bool_)
        seen.update(table.paths)
        if not new.all():
            fewer = dataclasses.replace(
                table.chosen(new),
                population=None if table.population is None else table.size - int((~new).sum()),
            )
            held[place] = held[place]._replace(table=fewer)


def _name(entry: tuple[str, Held]) -> bytes:
    return os.fsencode(entry[0])


def _places(listing: Listing) -> Iterator[str]:
    yield from listing.paths
    yield from listing.containers
    yield from (entry.url for entry in listing.remote)
    yield from listing.tables
