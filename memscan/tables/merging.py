"""Several hash tables made into one, without hashing anything again."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from typing import Iterator, Sequence

from memscan.errors import InputError
from memscan.tables import manifest, places, writing
from memscan.tables.finishing import finish
from memscan.tables.identity import Encoder
from memscan.tables.manifest import FailedShard, Manifest
from memscan.tables.part import OpenPart, open_part

_LONGEST_STEM = 100  # leaves room for a number within the longest name of a part


def merge(inputs: Sequence[str], output: str, memscan: str) -> Manifest:
    """Unite tables of one encoder in a new directory, which appears whole or not at all.

    Parts are hard links where the file system can, else copies: no part is ever changed in place.
    A shard that several tables hold in the same state is kept once; where two parts have one name,
    the later one is given another. ``memscan`` is the running version. Raises InputError for
    tables that do not belong together, and for an output that is there already; OutputError.
    """
    for path in (*inputs, output):
        places.require_local(path, "memscan index merge takes")
    if os.path.lexists(output):
        raise InputError(f"{output}: there is something already; merge makes a new directory")
    tables = [_opened(path) for path in inputs]
    encoder = _one_encoder(inputs, tables)
    kept: dict[str, OpenPart] = {}
    failed: dict[str, FailedShard] = {}
    for listed, parts in tables:
        for part in parts:
            kept.setdefault(part.header.shard.identity, part)
        for one in listed.failed:
            failed.setdefault(one.shard.identity, one)
    with _new_directory(output) as directory:
        placed = [_place(part, directory) for part in kept.values()]
        lost = [one for identity, one in sorted(failed.items()) if identity not in kept]
        options = {
            key: value
            for key, value in tables[0][0].options.items()
            if all(listed.options.get(key) == value for listed, _ in tables)
        }
        return finish(directory, placed, memscan, encoder, options, lost)


def _opened(path: str) -> tuple[Manifest, list[OpenPart]]:
    listed = manifest.read(path)
    if listed is None:
        raise InputError(
            f"{path}: there is no {manifest.NAME}; memscan index, run again, finishes the table"
        )
    parts = [open_part(os.path.join(path, part.name)) for part in listed.parts]
    for part, entry in zip(parts, listed.parts):
        if not listed.agrees(part, entry):
            raise InputError(f"{part.path}: not the part that {manifest.NAME} lists")
    return listed, parts


def _one_encoder(
    inputs: Sequence[str], tables: Sequence[tuple[Manifest, Sequence[OpenPart]]]
) -> Encoder:
    if not tables:
        raise InputError("there is no table to merge")
    encoder = tables[0][0].encoder
    for path, (listed, _) in zip(inputs, tables):
        if listed.encoder.views != encoder.views:
            raise InputError(f"{path}: its views are not those of {inputs[0]}")
        if listed.encoder != encoder:
            raise InputError(
                f"{path}: made with {listed.encoder.fingerprint}, "
                f"but {inputs[0]} with {encoder.fingerprint}"
            )
    return encoder


@contextlib.contextmanager
def _new_directory(path: str) -> Iterator[str]:
    """A directory under a temporary name, renamed at the end; gone if anything is raised."""
    whole = os.path.abspath(path)
    temporary = os.path.join(os.path.dirname(whole), f".memscan-{secrets.token_hex(8)}.tmp")
    try:
        os.mkdir(temporary)
    except OSError as error:
        raise writing.unwritable(path, error) from error
    try:
        yield temporary
        try:
            os.rename(temporary, whole)
        except OSError as error:
            raise writing.unwritable(path, error) from error
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _place(part: OpenPart, directory: str) -> str:
    """Put a part into a directory under a free name, which is returned."""
    stem = os.path.basename(part.path)[: -len(manifest.SUFFIX)][:_LONGEST_STEM]
    target = os.path.join(directory, stem + manifest.SUFFIX)
    count = 1
    while os.path.lexists(target):
        count += 1
        target = os.path.join(directory, f"{stem}-{count}{manifest.SUFFIX}")
    try:
        os.link(os.path.realpath(part.path), target)
    except OSError:
        try:
            shutil.copyfile(part.path, target)
        except OSError as error:
            raise writing.unwritable(target, error) from error
    return os.path.basename(target)
