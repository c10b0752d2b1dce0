"""Fingerprints found at the paths that a user gave."""

from __future__ import annotations

import os
from typing import Iterator, NamedTuple, Sequence

from memscan.errors import InputError
from memscan.fingerprints import fingerprint
from memscan.fingerprints.fingerprint import Fingerprint

PUBLISHED = "chk_0.pt"
"""The name of a published fingerprint, in a folder that is called as its generator."""

PUBLISHED_RESIDUAL = "laplacian"
"""By which images are compared with published fingerprints, whose own denoiser cannot be had."""


class Found(NamedTuple):
    """A fingerprint and its file."""

    path: str
    fingerprint: Fingerprint


def find(paths: Sequence[str], residual: str = PUBLISHED_RESIDUAL) -> list[Found]:
    """The fingerprints at some paths, in bytewise order of their names.

    A path is a file, or a directory that holds ``*.dif.npz`` or published ``NAME/chk_0.pt`` at any
    depth; these are compared with by ``residual``. Raises InputError for a path without any, for
    two of one name, and for one that cannot be read.
    """
    files = dict.fromkeys(file for path in paths for file in _files(path))
    found: dict[str, Found] = {}
    for file in files:
        one = Found(file, _read(file, residual))
        name = one.fingerprint.name
        if name in found:
            raise InputError(
                f"{file}: the fingerprint of {name!r} is also in {found[name].path}; give one"
            )
        found[name] = one
    return [found[name] for name in sorted(found, key=_name_bytes)]


def _name_bytes(name: str) -> bytes:
    """A name comes from a file's JSON, which may hold lone surrogates."""
    return name.encode("utf-8", "surrogatepass")


def _files(path: str) -> Iterator[str]:
    """Raises InputError."""
    if not os.path.lexists(path):
        raise InputError(f"{path}: there is no such file or directory")
    if not os.path.isdir(path):
        yield path
        return
    files = [
        os.path.join(folder, name)
        for folder, _, names in os.walk(path)
        for name in names
        if name.endswith(fingerprint.SUFFIX) or name == PUBLISHED
    ]
    if not files:
        raise InputError(
            f"{path}: no fingerprints here (*{fingerprint.SUFFIX}, or NAME/{PUBLISHED})"
        )
    yield from sorted(files, key=os.fsencode)


def _read(path: str, residual: str) -> Fingerprint:
    """Raises InputError."""
    if os.path.exists(path) and not os.path.isfile(path):  # a pipe might never end
        raise InputError(f"{path}: is no file")
    if path.endswith(fingerprint.SUFFIX):
        return fingerprint.read(path)
    if os.path.basename(path) != PUBLISHED:
        raise InputError(f"{path}: a fingerprint is called *{fingerprint.SUFFIX} or {PUBLISHED}")
    from memscan.detectors.extras import require

    require("torch", "learned")
    from memscan.detectors.dif import published

    return published.read(path, residual)
