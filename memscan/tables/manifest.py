"""``_manifest.json``: what a hash table holds, and what is missing from it."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from typing import Any, Dict, Iterable, Mapping, Sequence, Tuple

from memscan.errors import InputError
from memscan.sources import uris
from memscan.sources.stores import shown
from memscan.tables import identity, places, writing
from memscan.tables.identity import DocumentError, Encoder, Json, Shard
from memscan.tables.part import OpenPart, Part, describe

NAME = uris.MANIFEST
SCHEMA = 1
SUFFIX = ".parquet"

_MOST_BYTES = 1 << 30
_PART_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,120}\.parquet")
_SHA256 = re.compile(r"[0-9a-f]{64}")

Versions = Dict[str, Tuple[str, ...]]


@dataclass(frozen=True)
class FailedShard:
    """A shard that gave no part, and why."""

    shard: Shard
    reason: str


@dataclass(frozen=True)
class Manifest:
    """What a table holds.

    ``memscan`` is the version that wrote the manifest, ``libraries`` the versions of each library
    that made its parts, ``options`` those that decide what is hashed, ``parts`` in the order of
    their names, ``order`` the SHA-256 of the file of :mod:`memscan.tables.order`, None without one.
    """

    memscan: str
    encoder: Encoder
    libraries: Versions
    options: Mapping[str, Json]
    parts: tuple[Part, ...]
    failed: tuple[FailedShard, ...] = ()
    order: str | None = None

    @property
    def rows(self) -> int:
        """The number of images, hashed or lost."""
        return sum(part.rows for part in self.parts)

    @property
    def failures(self) -> int:
        """The number of images that were lost."""
        return sum(part.failures for part in self.parts)

    def agrees(self, part: OpenPart, entry: Part) -> bool:
        """Whether a part seems to be what its entry says; only its footer is looked at."""
        return (
            part.header.encoder == self.encoder
            and part.header.shard.identity == entry.shard.identity
            and (part.footer.num_rows, part.size) == (entry.rows, entry.bytes)
        )

    def to_json(self) -> dict[str, Json]:
        """The manifest as a JSON object."""
        return {
            "schema": SCHEMA,
            "memscan": self.memscan,
            "encoder": self.encoder.to_json(),
            "libraries": {name: list(self.libraries[name]) for name in self.libraries},
            "options": dict(self.options),
            "order": self.order,
            "totals": {
                "parts": len(self.parts),
                "rows": self.rows,
                "hashed": self.rows - self.failures,
                "failures": self.failures,
                "failed_shards": len(self.failed),
                "bytes": sum(part.bytes for part in self.parts),
            },
            "parts": [
                {
                    "name": part.name,
                    "shard": part.shard.to_json(),
                    "rows": part.rows,
                    "hashed": part.rows - part.failures,
                    "failures": part.failures,
                    "bytes": part.bytes,
                    "sha256": part.sha256,
                }
                for part in sorted(self.parts, key=lambda part: part.name)
            ],
            "failed_shards": [
                {"shard": failed.shard.to_json(), "reason": identity.printable(failed.reason)}
                for failed in sorted(self.failed, key=lambda failed: failed.shard.identity)
            ],
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Manifest:
        """The manifest that an object describes. Raises DocumentError."""
        if document.get("schema") != SCHEMA:
            raise DocumentError(f"schema {document.get('schema')!r:.20} is not known")
        parts = tuple(map(_part, _objects(document, "parts")))
        if len({part.name for part in parts}) < len(parts):
            raise DocumentError("it lists a part twice")
        manifest = cls(
            identity.get(document, "memscan", str),
            Encoder.from_json(identity.get(document, "encoder", dict)),
            _versions(identity.get(document, "libraries", dict)),
            identity.get(document, "options", dict),
            tuple(sorted(parts, key=lambda part: part.name)),
            tuple(
                FailedShard(
                    Shard.from_json(identity.get(one, "shard", dict)),
                    identity.get(one, "reason", str),
                )
                for one in _objects(document, "failed_shards")
            ),
            None if document.get("order") is None else _sha256(document, "order"),
        )
        if identity.get(document, "totals", dict) != manifest.to_json()["totals"]:
            raise DocumentError("its totals are not those of its parts")
        return manifest


def collect(
    parts: Sequence[OpenPart],
    memscan: str,
    encoder: Encoder,
    options: Mapping[str, Json],
    failed: Sequence[FailedShard] = (),
) -> Manifest:
    """The manifest of these parts, each of which is read once for its digest.

    ``memscan`` is the running version. Raises InputError for a part by another encoder.
    """
    if parts and one_encoder(parts) != encoder:
        raise _two_encoders(parts[0], encoder)
    listed = sorted(map(describe, parts), key=lambda part: part.name)
    return Manifest(memscan, encoder, versions(parts), options, tuple(listed), tuple(failed))


def one_encoder(parts: Sequence[OpenPart]) -> Encoder:
    """The encoder of at least one part. Raises InputError if they have several."""
    encoder = parts[0].header.encoder
    for part in parts:
        if part.header.encoder != encoder:
            raise _two_encoders(part, encoder)
    return encoder


def versions(parts: Iterable[OpenPart]) -> Versions:
    """The versions of each library that made some parts, in order."""
    found: dict[str, set[str]] = {}
    for part in parts:
        for library, version in part.header.libraries.items():
            found.setdefault(library, set()).add(version)
    return {library: tuple(sorted(found[library])) for library in sorted(found)}


def write(directory: str, manifest: Manifest) -> None:
    """Write the manifest of the table in a directory, whole or not at all. Raises OutputError."""
    text = json.dumps(manifest.to_json(), sort_keys=True, indent=1, allow_nan=False)
    with writing.replacing(os.path.join(directory, NAME)) as sink:
        sink.write(text.encode("ascii") + b"\n")


def read(directory: str) -> Manifest | None:
    """The manifest of the table in a directory, None where there is none.

    A manifest may come from a stranger: its parts have plain names, so nothing outside the
    directory is reached. Raises InputError for one that cannot be used.
    """
    path = places.join(directory, NAME)
    text = places.read(path, _MOST_BYTES)
    if text is None:
        return None
    try:
        return Manifest.from_json(identity.loads(text))
    except DocumentError as error:
        raise InputError(f"{shown(path)}: not a manifest that memscan can use: {error}") from error


def part_names(directory: str, listed: Manifest | None = None) -> list[str]:
    """The names of all part files that lie in a directory, in order. Raises InputError.

    On a web server, which lists nothing, they are those of the manifest.
    """
    if listed is not None and not places.can_be_listed(directory):
        return [part.name for part in listed.parts]
    return sorted(filter(_PART_NAME.fullmatch, places.names_in(directory)))


def _two_encoders(part: OpenPart, encoder: Encoder) -> InputError:
    other = part.header.encoder
    names = [f"{e.fingerprint}, {len(e.views)} views, {e.words} words" for e in (other, encoder)]
    return InputError(
        f"{shown(part.path)}: its hashes ({names[0]}) do not belong with ({names[1]})"
    )


def _part(document: Mapping[str, Any]) -> Part:
    name = identity.get(document, "name", str)
    if not _PART_NAME.fullmatch(name):
        raise DocumentError(f"{name!r:.80} is not the name of a part")
    sha256 = _sha256(document, "sha256")
    rows, failures, size = (identity.number(document, k) for k in ("rows", "failures", "bytes"))
    if identity.number(document, "hashed") + failures != rows:
        raise DocumentError(f"the counts of {name} do not add up")
    return Part(
        name, Shard.from_json(identity.get(document, "shard", dict)), rows, failures, size, sha256
    )


def _sha256(document: Mapping[str, Any], key: str) -> str:
    text = identity.get(document, key, str)
    if not _SHA256.fullmatch(text):
        raise DocumentError(f"{key} is no SHA-256")
    return text


def _objects(document: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    items = identity.get(document, key, list)
    if not all(isinstance(item, dict) for item in items):
        raise DocumentError(f"{key} must be a list of objects")
    return items


def _versions(document: Mapping[str, Any]) -> Versions:
    for versions in document.values():
        if not isinstance(versions, list) or not all(isinstance(v, str) for v in versions):
            raise DocumentError("libraries must be an object of lists of versions")
    return {name: tuple(document[name]) for name in sorted(document)}
