"""Fingerprints as a caller gave them: files, or directories of them."""

from __future__ import annotations

import os
from typing import NamedTuple, Sequence

from memscan.errors import InputError
from memscan.fingerprints import fingerprint
from memscan.fingerprints.fingerprint import SUFFIX, Fingerprint


class Given(NamedTuple):
    """A fingerprint, its name and the file that it was read from."""

    name: str
    path: str
    fingerprint: Fingerprint


def read(paths: Sequence[str]) -> list[Given]:
    """The fingerprints in bytewise order of their names. Raises InputError."""
    found: dict[str, Given] = {}
    for path in paths:
        for file in _files(path):
            one = fingerprint.read(file)
            first = next(iter(found.values()), None)
            if first is not None and one.side != first.fingerprint.side:
                raise InputError(
                    f"{file}: {one.side} pixels a side, where {first.path} has "
                    f"{first.fingerprint.side}; only fingerprints of one size can be compared"
                )
            if one.name in found:
                raise InputError(f"{file}: has the name of {found[one.name].path}, {one.name}")
            found[one.name] = Given(one.name, file, one)
    return [found[name] for name in sorted(found, key=os.fsencode)]


def _files(path: str) -> list[str]:
    if not os.path.isdir(path):
        return [path]
    try:
        names = sorted((name for name in os.listdir(path) if _is_one(name)), key=os.fsencode)
    except OSError as error:
        raise InputError(f"{path}: cannot be listed: {error.strerror}") from error
    if not names:
        raise InputError(f"{path}: no fingerprints in it; their names end in {SUFFIX}")
    return [os.path.join(path, name) for name in names]


def _is_one(name: str) -> bool:
    return name.endswith(SUFFIX) and not name.startswith(".")
