"""The making of a table: shards worked on, counted, and listed in a manifest."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Callable, Iterable, Iterator, NamedTuple, Sequence

from memscan import __version__, decode, engines, hashed, shards, views
from memscan.errors import InputError, OutputError
from memscan.indexing import output as place
from memscan.indexing.network import WeightsFile
from memscan.indexing.planning import Kind, Piece, plan, stamp_of
from memscan.indexing.work import TASK, requested_encoder, table_encoder
from memscan.sources import pyarrow_modules
from memscan.sources.directories import Listing, Selection
from memscan.sources.given import (
    AnyPath,
    Named,
    as_paths,
    as_patterns,
    list_images,
    require_images,
)
from memscan.sources.stores import shown
from memscan.tables import manifest, places
from memscan.tables.finishing import finish
from memscan.tables.identity import Json, Shard, printable
from memscan.tables.manifest import FailedShard, Manifest


class Step(NamedTuple):
    """How far a run is. ``expected`` images is an estimate where archives are among them."""

    images: int
    expected: int | None
    shards: int
    all_shards: int


Progress = Callable[[Step], None]
"""Called in the thread that called :func:`index`."""


@dataclass(frozen=True)
class Indexed:
    """What a run did: shards that it hashed, and those that were done ``already``.

    ``removed`` are parts that the table listed before and no source gives any more, ``left`` parts
    that lie there, and which neither this run nor the one before knows.
    """

    manifest: Manifest
    hashed: int
    already: int
    removed: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


def index(
    sources: AnyPath | Iterable[AnyPath],
    output: AnyPath,
    *,
    lists: Sequence[Named] = (),
    recursive: bool = False,
    exclude: str | Iterable[str] = (),
    follow_symlinks: bool = False,
    hash: str = "phash",
    weights: WeightsFile | None = None,
    views: str = "plain",
    max_pixels: int = decode.MAX_PIXELS,
    engine: str = "local",
    address: str | None = None,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> Indexed:
    """Hash a collection into a table on disk; what is there and has not changed is not done again.

    Args:
        sources: directories, images, archives, patterns, URLs, as a source of a scan.
        output: the directory of the table; made if it is not there.
        lists: lists of paths beside the sources.
        recursive: whether directories are searched at every depth.
        exclude: shell patterns for paths below a given directory that are left out.
        follow_symlinks: whether links to directories are entered.
        hash: one of :data:`memscan.encoders.KNOWN`.
        weights: those of a learned detector, whose embeddings are then kept in the place of hashes.
            It works in this process, or in the workers of a cluster, which open the same file.
        views: which views are hashed, one of :data:`memscan.views.LEVELS`.
        max_pixels: images with more pixels are failures.
        engine: ``local`` (this machine's cores) or ``ray`` (a cluster).
        address: where the cluster is.
        jobs: how many shards are worked on at once; for a network in this process, how many
            images are decoded at once. It does not change a byte of the table.
        progress: told how far the run is.

    Raises:
        InputError: a source has no images, the output holds something else, the engine cannot run.
        OutputError: the table cannot be written.

    Images that cannot be read are rows of the table; shards that crash their worker each time are
    named in its manifest. Neither raises.

    """
    places.require_local(os.fspath(output), "a table is written to")
    pyarrow_modules.libraries()  # missing, it would fail every shard
    workers = shards.engine(engine, address, jobs)
    made_by: dict[str, Any] = {"hash": hash}
    if weights is not None:
        made_by = {"weights": list(weights._replace(path=os.path.abspath(weights.path)))}
        if engine == "local":
            workers = shards.HereEngine()
            made_by["threads"] = jobs or engines.available_cores()
        elif weights.device.startswith("cuda"):
            workers = shards.RayEngine(address, jobs, gpus_per_task=1)
    run = _Run(os.fspath(output), made_by, views, max_pixels, progress)
    given, patterns = as_paths(sources), as_patterns(exclude)
    selection = Selection(recursive, patterns, follow_symlinks)
    listings = hashed.separate(list_images(given, selection, "source", lists))
    require_images(listings, "index")
    _require_no_secrets(listings)
    roots = [*given, *(named.root for named in lists)]
    options: dict[str, Json] = {
        "sources": [printable(root) for root in roots],
        "recursive": recursive,
        "exclude": [printable(pattern) for pattern in patterns],
        "follow_symlinks": follow_symlinks,
        **({"hash": hash} if weights is None else {"detector": run.encoder.name}),
        "views": views,
        "max_pixels": max_pixels,
    }
    return run.make(plan(listings), workers, roots, options)


def _require_no_secrets(listings: Sequence[Listing]) -> None:
    """Raise InputError for URLs with a password or a signature, which a table would keep."""
    for listing in listings:
        for given in (listing.root, *listing.containers, *(one.url for one in listing.remote)):
            if shown(given) != given:
                raise InputError(
                    f"{shown(given)}: a table holds the URLs of its images, and this one has a "
                    "password or a query; give the credentials in another way"
                )


class _Run:
    """One run: what is asked of the workers, and what came of it."""

    def __init__(
        self,
        output: str,
        made_by: dict[str, Any],
        view_level: str,
        max_pixels: int,
        progress: Progress | None,
    ) -> None:
        self._output = output
        self.encoder = requested_encoder(made_by)
        self._encoder = table_encoder(self.encoder, views.of_source(view_level))
        self._asked: dict[str, Any] = {
            **made_by,
            "views": view_level,
            "max_pixels": max_pixels,
            "encoder": self._encoder.to_json(),
            "output": os.path.abspath(output),
        }
        self._progress = progress
        self._images = 0
        self._shards: list[Shard] = []
        self._failed: list[FailedShard] = []
        self._names: list[str] = []
        self._already = 0
        self._digests: dict[str, str] = {}  # by the identity of a shard

    def make(
        self,
        pieces: Sequence[Piece],
        workers: shards.ShardEngine,
        sources: Sequence[str],
        options: dict[str, Json],
    ) -> Indexed:
        before = place.check(self._output, self._encoder, sources)
        if before is not None:
            self._digests = {part.shard.identity: part.sha256 for part in before.parts}
        with place.workspace(self._output) as workspace, workers:
            self._work(pieces, workers, os.path.abspath(workspace))
        made = finish(self._output, self._names, __version__, self._encoder, options, self._failed)
        unneeded = set(manifest.part_names(self._output)) - set(self._names)
        ours = {part.name for part in before.parts} & unneeded if before is not None else set()
        return Indexed(
            made,
            hashed=len(self._names) - self._already,
            already=self._already,
            removed=place.remove(self._output, ours),
            left=tuple(sorted(unneeded - ours)),
        )

    def _work(self, pieces: Sequence[Piece], workers: shards.ShardEngine, workspace: str) -> None:
        known = sum(piece.images or 0 for piece in pieces)
        archives = sum(piece.images is None for piece in pieces)
        opened = inside = ended = 0

        def tell(images: int) -> None:
            self._images = images
            if self._progress is not None:
                expected = known + round(inside / opened * archives) if opened else None
                if not archives:
                    expected = known
                self._progress(Step(images, expected, ended, len(pieces)))

        tell(0)
        for outcome in workers.run(TASK, self._requests(pieces, workspace), progress=tell):
            ended += 1
            shard = self._shards[outcome.index]
            if outcome.result is None:
                self._failed.append(FailedShard(shard, outcome.failure or "it says not why"))
            elif "unwritable" in outcome.result:
                raise OutputError(outcome.result["unwritable"])
            else:
                self._names.append(shard.part_name)
                self._already += outcome.result["already"]
                if pieces[outcome.index].images is None:
                    opened, inside = opened + 1, inside + outcome.result["rows"]
            tell(self._images)

    def _requests(self, pieces: Sequence[Piece], workspace: str) -> Iterator[dict[str, Any]]:
        """What a worker needs to know of each piece, whose files are looked at only now."""
        for piece in pieces:
            stamp = stamp_of(piece, self._asked["max_pixels"])
            shard = Shard(piece.name, stamp)
            self._shards.append(shard)
            yield {
                **self._asked,
                "workspace": workspace,
                "shard": shard.to_json(),
                "sha256": self._digests.get(shard.identity),
                "kind": piece.kind.value,
                "folder": piece.folder,
                "paths": piece.paths,
                "states": piece.states if piece.kind is Kind.LOST else (),
            }
