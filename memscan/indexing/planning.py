"""A collection cut into shards: each archive by itself, and runs of all other files."""

from __future__ import annotations

import enum
import hashlib
import itertools
import os
import time
from dataclasses import dataclass
from typing import Iterable, Iterator, Sequence

from memscan.records import Failure
from memscan.sources import items, stores, uris
from memscan.sources.directories import Entry, Listing
from memscan.sources.given import in_bytewise_order, unlisted
from memscan.stamps import Stamp
from memscan.tables.identity import Json, dumps

RUN = 1024
"""Files in a run on average: enough that parts are few, few enough that a change costs little."""

MOST = 4 * RUN
"""Files in the longest run."""


class Kind(enum.Enum):
    """What a piece is made of, and so how its images are read."""

    FILES = "files"
    CONTAINERS = "containers"
    OBJECTS = "objects"
    LOST = "lost"


@dataclass(frozen=True)
class Piece:
    """Some of a collection, to be hashed as one shard.

    ``paths`` are as the user gave them; ``states`` say in what state each of them was when it was
    listed, where the listing knows (objects on a store, and what is lost). ``name`` tells the piece
    from all others of the collection and stays while its first file does.
    """

    kind: Kind
    name: str
    paths: tuple[str, ...]
    states: tuple[Json, ...] = ()

    @property
    def images(self) -> int | None:
        """The number of images, if that is known without opening them."""
        return None if self.kind is Kind.CONTAINERS else len(self.paths)

    @property
    def folder(self) -> str:
        """What goes before relative paths where the current folder may be another one."""
        return os.getcwd() if self._is_local else ""

    @property
    def _is_local(self) -> bool:
        if self.kind is Kind.CONTAINERS:  # all of them are of one sort
            return not stores.is_remote(self.paths[0])
        return self.kind is Kind.FILES


def plan(listings: Sequence[Listing]) -> list[Piece]:
    """The pieces of a collection; every image that was listed is in one of them.

    What could not be listed is a piece, too: its rows are failures.
    """
    containers = {path for listing in listings for path in listing.containers}
    archives = _sorted(path for path in containers if uris.kind_of(path) is not None)
    volumes = [path for path in _sorted(containers) if uris.kind_of(path) is None]
    objects = {entry.url: entry for listing in listings for entry in listing.remote}
    pieces = [Piece(Kind.CONTAINERS, path, (path,)) for path in archives]
    for is_remote, some in itertools.groupby(volumes, stores.is_remote):
        del is_remote
        pieces += [_run(Kind.CONTAINERS, "volumes", run) for run in cut(list(some))]
    pieces += [_run(Kind.FILES, "files", run) for run in cut(in_bytewise_order(listings))]
    for run in cut(_sorted(objects)):
        states = tuple(_state_of(objects[url]) for url in run)
        pieces.append(_run(Kind.OBJECTS, "objects", run, states))
    lost = {failure.path: failure for failure in unlisted(listings)}
    if lost:
        paths = tuple(_sorted(lost))
        reasons = tuple(_reason(lost[path]) for path in paths)
        pieces.append(Piece(Kind.LOST, "what could not be listed", paths, reasons))
    return pieces


def cut(paths: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Runs of consecutive paths, whose ends depend on the paths near them only.

    A run begins with a path whose own digest says so, one in :data:`RUN`: so a file that comes or
    goes changes the run that it is in, and at most the one before it, wherever it stands.
    """
    run: list[str] = []
    for path in paths:
        if run and (len(run) == MOST or _begins_run(path)):
            yield tuple(run)
            run = []
        run.append(path)
    if run:
        yield tuple(run)


def stamp_of(piece: Piece, max_pixels: int) -> str | None:
    """What changes when a file of the piece does, or what is made of it; 32 hexadecimal digits.

    None if a change could go unseen, so that the piece is never taken for done: a file that was
    written within this tick of the clock, an object of which its store tells nothing. Each file is
    looked at once, and not opened.
    """
    whole = hashlib.sha256(b"%d\n" % max_pixels)
    states = iter(piece.states)
    now = time.time_ns()
    for path in piece.paths:
        if piece.kind is Kind.FILES:
            found = Stamp.of(path)
            if found is not None and not found.is_settled(now):
                return None
            state: Json = None if found is None else list(found)  # None: a link to nowhere
        elif piece.kind is Kind.CONTAINERS:
            stamp = items.stamp_of(path)
            if stamp is None:
                return None
            state = list(stamp)
        else:
            state = next(states)
            if state is None:
                return None
        whole.update(dumps([path, state]).encode("ascii") + b"\n")
    return whole.hexdigest()[:32]


def _begins_run(path: str) -> bool:
    digest = hashlib.blake2b(os.fsencode(path), digest_size=4).digest()
    return int.from_bytes(digest, "big") % RUN == 0


def _run(kind: Kind, what: str, run: tuple[str, ...], states: tuple[Json, ...] = ()) -> Piece:
    return Piece(kind, f"{what} from {run[0]}", run, states)


def _state_of(entry: Entry) -> Json:
    return None if entry.identity is None else [entry.size, entry.identity]


def _reason(failure: Failure) -> Json:
    return [failure.stage.value, failure.message]


def _sorted(paths: Iterable[str]) -> list[str]:
    return sorted(paths, key=os.fsencode)
