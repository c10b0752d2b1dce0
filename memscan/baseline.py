"""Findings that a person has looked at and accepted, in a JSON file.

An entry names a source hash, the distance at which it was accepted and the hash of the target, or
``"any"``. It covers a pair of these hashes at that distance or more: closer is news. Distances of a
learned detector are 1 minus its score, and the file names the weights that they were made with.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
from dataclasses import dataclass
from typing import Any, Iterable

from memscan.errors import InputError
from memscan.records import Finding, Reason
from memscan.sources.stores import shown

VERSION = 1

_MOST_CHARACTERS = 1 << 26

_SAME = 1e-4  # of scores: an image has others in another batch of images

_KEYS_IN_ORDER = ("source_hash", "distance", "target_hash", "note")
_KEYS = set(_KEYS_IN_ORDER)


@dataclass(frozen=True)
class Accepted:
    """One accepted pair. ``target_hash`` is None where any target was accepted."""

    source_hash: int
    distance: float
    target_hash: int | None
    note: str = ""

    def covers(self, finding: Finding, source_hash: int, distance: float) -> bool:
        """Whether this entry accepts a source hash at a distance from a finding's target."""
        if source_hash != self.source_hash or distance < self.distance - _SAME:
            return False
        if self.target_hash is None:
            # Whatever lacks detail collides: accepting it once would accept every blank image.
            return Reason.LOW_INFORMATION not in finding.reasons
        return self.target_hash == finding.hash


@dataclass(frozen=True)
class Baseline:
    """The entries of a baseline file, its path as given, and the hash that they were made with.

    ``detector`` is the fingerprint of the learned detector that compared the images, if one did;
    the 64-bit pHash then names them.
    """

    path: str
    entries: tuple[Accepted, ...] = ()
    hash: str = "phash"
    hash_bits: int = 64
    detector: str | None = None

    @classmethod
    def read(
        cls, path: str, hash: str = "phash", hash_bits: int = 64, detector: str | None = None
    ) -> Baseline:
        """The baseline in a file. Raises InputError that says what is wrong with it."""
        document = _document(path)
        if document.get("detector") != detector:
            known = _described(document.get("detector"))
            raise InputError(f"{path}: a baseline made with {known}, not {_described(detector)}")
        made_with = document.get("hash", "phash")
        if made_with != hash:
            raise InputError(f"{path}: a baseline made with --hash {made_with}, not {hash}")
        entries = document.get("accepted")
        if not isinstance(entries, list):
            raise InputError(f"{path}: a broken baseline: 'accepted' must be a list")
        numbered = enumerate(entries, start=1)
        accepted = (
            _entry(path, number, entry, hash_bits, detector is None) for number, entry in numbered
        )
        return cls(path, tuple(accepted), hash, hash_bits, detector)

    def accept(self, findings: Iterable[Finding]) -> tuple[Finding, ...]:
        """The findings, marked as accepted where entries cover every source that supports them.

        One accepted source must not hide another one that is as close.
        """
        by_source: dict[int, list[Accepted]] = {}
        for entry in self.entries:
            by_source.setdefault(entry.source_hash, []).append(entry)

        def is_accepted(finding: Finding) -> bool:
            return bool(finding.supporting) and all(
                any(entry.covers(finding, *pair) for entry in by_source.get(pair[0], ()))
                for pair in finding.supporting
            )

        return tuple(
            dataclasses.replace(finding, accepted=True) if is_accepted(finding) else finding
            for finding in findings
        )

    def updated(self, findings: Iterable[Finding]) -> Baseline:
        """The baseline with an entry more for each pair of the findings not yet accepted."""
        new = [
            Accepted(hash, distance, finding.hash, _note(finding, hash))
            for finding in findings
            if not finding.accepted
            for hash, distance in finding.supporting
        ]
        return self.with_entries(new)

    def with_entries(self, more: Iterable[Accepted]) -> Baseline:
        """The baseline with those entries added that it does not have, whatever their notes."""

        def pair(entry: Accepted) -> tuple[int, float, int | None]:
            return entry.source_hash, entry.distance, entry.target_hash

        known = {pair(entry): entry for entry in more}
        known.update((pair(entry), entry) for entry in self.entries)
        return dataclasses.replace(self, entries=tuple(known.values()))

    def text(self) -> str:
        """What the file holds, in an order that makes changes easy to see."""
        digits = self.hash_bits // 4
        accepted = [
            {
                "source_hash": f"{entry.source_hash:0{digits}x}",
                "distance": entry.distance,
                "target_hash": (
                    "any" if entry.target_hash is None else f"{entry.target_hash:0{digits}x}"
                ),
                "note": entry.note,
            }
            for entry in sorted(self.entries, key=_place)
        ]
        made_with = {} if self.hash == "phash" else {"hash": self.hash}
        if self.detector is not None:
            made_with = {"detector": self.detector}
        document = {"baseline_version": VERSION, **made_with, "accepted": accepted}
        return json.dumps(document, indent=2) + "\n"


def _document(path: str) -> dict[str, Any]:
    try:
        if not os.path.exists(path):
            raise InputError(f"{path}: there is no such baseline (--update-baseline writes one)")
        if not os.path.isfile(path):  # a pipe or a device might never end
            raise InputError(f"{path}: the baseline cannot be read: it is not a regular file")
        with open(path, encoding="utf-8-sig") as file:
            text = file.read(_MOST_CHARACTERS + 1)
        if len(text) > _MOST_CHARACTERS:
            raise InputError(f"{path}: the baseline is larger than any that memscan writes")
        document = json.loads(text)
    except OSError as error:
        raise InputError(f"{path}: the baseline cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not a baseline, it is not JSON ({error})") from error
    if not isinstance(document, dict) or "baseline_version" not in document:
        raise InputError(f"{path}: not a baseline (--update-baseline writes one)")
    if repr(document["baseline_version"]) != str(VERSION):  # True and 1.0 are none of ours
        raise InputError(
            f"{path}: a baseline of version {document['baseline_version']!r}, "
            f"this memscan reads version {VERSION}"
        )
    return document


def _described(detector: object) -> str:
    return "a hash" if detector is None else f"the weights of {detector!r:.100}"


def _entry(path: str, number: int, entry: Any, bits: int, in_bits: bool) -> Accepted:
    def broken(what: str) -> InputError:
        return InputError(f"{path}: a broken baseline: entry {number} {what}")

    if not isinstance(entry, dict) or not _KEYS - {"note"} <= set(entry) <= _KEYS:
        raise broken(f"must have the keys {', '.join(_KEYS_IN_ORDER)}")
    distance, note = entry["distance"], entry.get("note", "")
    is_whole = isinstance(distance, int) and not isinstance(distance, bool)
    if in_bits and not (is_whole and 0 <= distance <= bits):
        raise broken(f"has a distance that is no whole number from 0 to {bits}")
    if not in_bits and not ((is_whole or isinstance(distance, float)) and 0 <= distance <= 2):
        raise broken("has a distance that is no number from 0 to 2")
    if not isinstance(note, str):
        raise broken("has a note that is no text")
    hashes = entry["source_hash"], entry["target_hash"]
    digits = bits // 4
    is_hash = re.compile(f"[0-9a-f]{{{digits}}}").fullmatch
    if not all(isinstance(hash, str) for hash in hashes) or not is_hash(hashes[0]):
        raise broken(f"has a source_hash that is not {digits} hexadecimal digits in lower case")
    if hashes[1] != "any" and not is_hash(hashes[1]):
        raise broken(f"has a target_hash that is neither 'any' nor {digits} hexadecimal digits")
    target = None if hashes[1] == "any" else int(hashes[1], 16)
    return Accepted(int(hashes[0], 16), distance, target, note)


def _note(finding: Finding, source_hash: int) -> str:
    names = {match.hash: match.source for match in reversed(finding.matches)}
    known = names.get(source_hash)
    return " and ".join(shown(path) for path in (finding.target, known) if path is not None)


def _place(entry: Accepted) -> tuple[int, int, float, str]:
    target = -1 if entry.target_hash is None else entry.target_hash
    return entry.source_hash, target, entry.distance, entry.note
