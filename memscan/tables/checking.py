"""Whether a hash table on disk is what its manifest says."""

from __future__ import annotations

import itertools
import os
from typing import Sequence

import numpy as np

from memscan.errors import InputError
from memscan.sources import pyarrow_modules
from memscan.tables import arrow, manifest, order, places
from memscan.tables.manifest import Manifest
from memscan.tables.part import OpenPart, Part, describe, open_part
from memscan.tables.rows import names_of, schema
from memscan.tables.runs import Run, clusters, order_of, runs_of


def verify(directory: str) -> list[str]:
    """What is wrong with a table, one sentence each; nothing for a sound one.

    Every byte is read: all parts are there and no others, each has the digest, the counts and the
    encoder of the manifest, its columns can be decoded, and no name stands in the table twice.
    Raises InputError where there is no manifest, or one that cannot be used.
    """
    places.require_local(directory, "memscan index verify takes")
    listed = manifest.read(directory)
    if listed is None:
        raise InputError(f"{directory}: there is no {manifest.NAME} to check the parts against")
    problems = [
        f"{name}: not in {manifest.NAME}"
        for name in manifest.part_names(directory)
        if name not in {part.name for part in listed.parts}
    ]
    parts = []
    for entry in listed.parts:
        try:
            part = open_part(os.path.join(directory, entry.name))
            problems += _differences(part, entry, listed)
            parts.append(part)
        except InputError as error:
            problems.append(str(error))
    runs = [run for part in parts for run in runs_of(part)]
    if not problems:
        problems += _order_problems(directory, listed, list(itertools.chain(*clusters(runs))))
    return problems + _repeated(runs)


def _order_problems(directory: str, listed: Manifest, runs: Sequence[Run]) -> list[str]:
    expected = order_of(runs)
    if listed.order is None:
        return []  # every scan sorts for itself
    try:
        found = order.read(directory, listed.order, sum(run.hashed for run in runs))
    except InputError as error:
        return [str(error)]
    if expected is None or not np.array_equal(found, expected):
        return [f"{order.NAME}: not the bytewise order of the names"]
    return []


def _differences(part: OpenPart, entry: Part, listed: Manifest) -> list[str]:
    found = describe(part)
    problems = []
    if part.header.encoder != listed.encoder:
        problems.append(f"{entry.name}: made by another encoder than {manifest.NAME} says")
    if found.shard.identity != entry.shard.identity:
        problems.append(f"{entry.name}: made of another shard than {manifest.NAME} says")
    for what in ("rows", "failures", "bytes", "sha256"):
        here, said = getattr(found, what), getattr(entry, what)
        if here != said:
            problems.append(f"{entry.name}: {what} {here}, but {said} in {manifest.NAME}")
    for run in runs_of(part):
        table = run.read(schema(part.header.encoder).names)
        with arrow.reading(part.path):
            table.validate(full=True)
            if table["hash"].null_count != run.failures:
                problems.append(f"{entry.name}: it has not the failures that its footer says")
                continue
        encoder = part.header.encoder
        if encoder.dimensions:  # a hash is any number, an embedding is not
            views = ("full", *encoder.views)
            words = np.empty((len(views), run.hashed, encoder.words), np.uint64)
            run.read_hashes(views, words)
    return problems


def _repeated(runs: Sequence[Run]) -> list[str]:
    """The names that stand in the table more than once; only runs that overlap can share them."""
    pa, _, pc = pyarrow_modules.libraries()
    problems = []
    for cluster in clusters(runs):
        try:
            tables = [run.read(["uri", "uri_bytes"]) for run in cluster]
        except InputError as error:
            problems.append(str(error))
            continue
        counts = pc.value_counts(pa.chunked_array([c for t in tables for c in names_of(t).chunks]))
        twice = counts.filter(pc.greater(counts.field("counts"), 1))
        problems += [
            f"{os.fsdecode(entry['values'])}: {entry['counts']} times in the table"
            for entry in twice.to_pylist()
        ]
    return sorted(problems)
