"""The directory that a table is made in: what may lie there, and what is cleared away."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import time
from typing import Iterable, Iterator, Sequence

from memscan.errors import InputError
from memscan.tables import manifest, order, writing
from memscan.tables.identity import Encoder, printable
from memscan.tables.manifest import Manifest
from memscan.tables.part import open_part

_OUR_NAME = re.compile(r"part-[0-9a-f]{16}\.parquet")
_WORKSPACE = re.compile(r"\.memscan-[0-9a-f]{16}\.tmp")
_ABANDONED = 24 * 3600.0  # seconds without a change, after which no run can be at work there


def check(directory: str, encoder: Encoder, sources: Sequence[str]) -> Manifest | None:
    """Whether a table of these sources may be made in a directory; the manifest that is there.

    Raises InputError if something else lies there: other files, a table by another encoder, one
    that was merged, or one of sources that are not given this time (whose parts would be lost).
    """
    if not os.path.lexists(directory):
        return None
    if not os.path.isdir(directory):
        raise InputError(f"{directory}: there is a file of this name; a table is a directory")
    parts = manifest.part_names(directory)
    known = {manifest.NAME, order.NAME, *parts}
    for name in sorted(os.listdir(directory)):
        if name not in known and not name.startswith("."):
            raise _not_a_table(directory, name)
    listed = manifest.read(directory)
    if listed is not None:
        _check_same(directory, listed.encoder, encoder)
        _check_sources(directory, listed, sources)
    in_manifest = {part.name for part in listed.parts} if listed is not None else set()
    for name in parts:
        if name not in in_manifest:
            _check_part(directory, name, encoder)
    return listed


@contextlib.contextmanager
def workspace(directory: str) -> Iterator[str]:
    """A place within the directory for parts that are not whole yet; gone at the end.

    What runs that were killed left of theirs is cleared away a day later. Raises OutputError.
    """
    place = os.path.join(directory, f".memscan-{secrets.token_hex(8)}.tmp")
    try:
        os.makedirs(directory, exist_ok=True)
        os.mkdir(place)
    except OSError as error:
        raise writing.unwritable(directory, error) from error
    try:
        _sweep(directory)
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def remove(directory: str, names: Iterable[str]) -> tuple[str, ...]:
    """Delete parts that the table no longer needs. Raises OutputError."""
    removed = tuple(sorted(names))
    for name in removed:
        path = os.path.join(directory, name)
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise writing.unwritable(path, error) from error
    return removed


def _check_part(directory: str, name: str, encoder: Encoder) -> None:
    try:
        found = open_part(os.path.join(directory, name)).header.encoder
    except InputError:
        if _OUR_NAME.fullmatch(name):  # a damaged one, which is made again if it is wanted
            return
        raise _not_a_table(directory, name) from None
    _check_same(directory, found, encoder)


def _check_same(directory: str, found: Encoder, wanted: Encoder) -> None:
    for what, here, asked in (
        ("hash", found.algorithm, wanted.algorithm),
        ("decoding", found.decoding, wanted.decoding),
        ("views", _named(found.views), _named(wanted.views)),
        ("versions", found.fingerprint, wanted.fingerprint),
    ):
        if here != asked:
            raise InputError(
                f"{directory}: the table there was made with other {what} ({here}, now {asked}); "
                "choose another --output, or delete it"
            )


def _named(views: Sequence[str]) -> str:
    return f"full and {len(views)} others" if views else "full only"


def _check_sources(directory: str, listed: Manifest, sources: Sequence[str]) -> None:
    before = listed.options.get("sources")
    if not isinstance(before, list):
        raise InputError(f"{directory}: a table that was merged; choose another --output")
    given = set(map(printable, sources))
    dropped = [str(source) for source in before if source not in given]
    if dropped:
        raise InputError(
            f"{directory}: the table there also holds {dropped[0]}, which is not given now; "
            "name all of its sources, or choose another --output (memscan index merge unites)"
        )


def _not_a_table(directory: str, name: str) -> InputError:
    return InputError(
        f"{directory}: {name} lies there, which is not part of a hash table; "
        "choose a directory of the table's own"
    )


def _sweep(directory: str) -> None:
    for name in filter(_WORKSPACE.fullmatch, os.listdir(directory)):
        path = os.path.join(directory, name)
        with contextlib.suppress(OSError):
            if time.time() - os.stat(path).st_mtime > _ABANDONED:
                shutil.rmtree(path, ignore_errors=True)
