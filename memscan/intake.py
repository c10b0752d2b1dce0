"""From image files to a table of hashes: known files by the cache, the others by decoding."""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Callable, Iterable, Iterator, NamedTuple, Sequence

import numpy as np

from memscan import assembly, decode, engines, views
from memscan.cache import Cache
from memscan.encoders import PHASH, Encoder
from memscan.recipe import Named, Recipe, Stamped, hash_files, hash_items
from memscan.records import Failure, Progress, Stage
from memscan.stamps import Stamp
from memscan.table import HashTable
from memscan.views import ViewSet

if TYPE_CHECKING:
    from memscan.sources.directories import Entry
    from memscan.sources.items import Item

PROCESSES_FROM = 4000
"""Files from which the start of processes is paid back by what threads would wait for the
interpreter lock."""

PROCESSES_FROM_BYTES = 1 << 27
"""Likewise for several containers: about as many photographs."""

_CHUNK_OF_PROCESSES = 32  # more than of threads: a process waits between two chunks


@dataclass(frozen=True)
class Intake:
    """How files are hashed: the options of a scan that reach its files."""

    max_pixels: int = decode.MAX_PIXELS
    jobs: int | None = None
    cache: Cache | None = None
    progress: Progress | None = None

    def hash_files(
        self,
        paths: Sequence[str],
        phase: str,
        *,
        encoder: Encoder = PHASH,
        fast: bool = False,
        view_set: ViewSet = views.NONE,
    ) -> tuple[HashTable, tuple[Failure, ...]]:
        """Hash each file; those that cannot be hashed are failures, both in the given order.

        ``fast`` decodes JPEG files at reduced scale, which can change a hash by the
        ``fast_error`` of the encoder.
        ``view_set`` says which views are hashed besides the full image.
        """
        recipe = Recipe(encoder, fast, view_set, self.max_pixels)
        if self.cache is None:
            known = assembly.no_rows(len(paths), recipe.rest_words)
        else:
            known = self.cache.find(paths, recipe.key, self.max_pixels, recipe.rest_words)
        done = known.known
        if done.any():
            self._report(phase, int(done.sum()), len(paths))
        failures = []
        unknown = np.flatnonzero(~done).tolist()
        new = self._hash([paths[row] for row in unknown], recipe)
        for count, (row, (stamp, image)) in enumerate(
            zip(unknown, new), start=len(paths) - len(unknown) + 1
        ):
            if isinstance(image, Failure):
                failures.append(image)
            else:
                assembly.fill(known, row, image)
                if self.cache is not None and stamp is not None:
                    self.cache.keep(paths[row], recipe.key, stamp, image)
            self._report(phase, count, len(paths))
        if self.cache is not None:
            self.cache.flush()
        table = assembly.table(paths, known, recipe)
        return (table.chosen(done), tuple(failures)) if failures else (table, ())

    def hash_containers(
        self, containers: Sequence[str], phase: str, recipe: Recipe
    ) -> Iterator[tuple[str, Held]]:
        """Hash the images in each container, in the given order of the containers.

        Containers that are known, whole, are not opened. Raises InputError for a missing extra, and
        a Parquet file without images.
        """
        from memscan.sources import items  # much code for what few scans need

        stamps = {path: items.stamp_of(path) for path in containers}  # before they are read
        known = {path: self._known(path, stamps[path], recipe) for path in containers}
        unknown = [path for path in containers if known[path] is None]
        done = 0
        with self._in_processes(unknown, recipe) as by_container:
            for path in containers:
                held = known[path]
                if held is None:
                    named: list[Named] = []
                    for one in by_container(path):
                        named.append(one)
                        self._report(phase, done + len(named), 0)
                    held = self._keep(path, stamps[path], named, recipe)
                done += len(held.table) + len(held.failures)
                yield path, held

    def hash_remote(
        self, entries: Sequence[Entry], phase: str, recipe: Recipe
    ) -> Iterator[tuple[str, Held]]:
        """Hash image files on a store; each gives a table of one row, or a failure."""
        from memscan.sources import items

        stamps = {
            entry.url: items.stamp_of_identity(entry.identity) if entry.identity else None
            for entry in entries
        }
        known = {entry.url: self._known(entry.url, stamps[entry.url], recipe) for entry in entries}
        unknown = [entry for entry in entries if known[entry.url] is None]
        new = iter(self._hash_items(items.read_remote(unknown), recipe))
        for count, entry in enumerate(entries, start=1):
            held = known[entry.url]
            if held is None:
                held = self._keep(entry.url, stamps[entry.url], [next(new)], recipe)
            self._report(phase, count, len(entries))
            yield entry.url, held

    def _known(self, container: str, stamp: Stamp | None, recipe: Recipe) -> Held | None:
        """The images of a container, if all of them are kept."""
        if self.cache is None or stamp is None:
            return None
        kept = self.cache.find_members(
            container, recipe.key, stamp, self.max_pixels, recipe.rest_words
        )
        if kept is None:
            return None
        names = [_uri(name, container) for name in kept.names]
        table = assembly.table(names, kept.rows, recipe)
        return Held(table.in_bytewise_order(), (), kept.remark)

    def _keep(
        self, container: str, stamp: Stamp | None, named: Sequence[Named], recipe: Recipe
    ) -> Held:
        """What was hashed of a container; it is kept if all of it was hashed."""
        images = [(uri, image) for uri, _, image in named if not isinstance(image, Failure)]
        images.sort(key=lambda pair: os.fsencode(pair[0]))
        failures = tuple(image for _, _, image in named if isinstance(image, Failure))
        mappings = dict.fromkeys(mapping for _, mapping, _ in named if mapping)
        mapping = "; ".join(mappings)
        if self.cache is not None and stamp is not None and not failures:
            short = [(_short(uri, container), image) for uri, image in images]
            self.cache.keep_members(container, recipe.key, stamp, short, mapping)
        rows = assembly.no_rows(len(images), recipe.rest_words)
        for row, (_, image) in enumerate(images):
            assembly.fill(rows, row, image)
        paths = [uri for uri, _ in images]
        return Held(assembly.table(paths, rows, recipe), failures, mapping)

    @contextlib.contextmanager
    def _in_processes(
        self, containers: Sequence[str], recipe: Recipe
    ) -> Iterator[Callable[[str], Iterable[Named]]]:
        """A function that hashes each of the containers, which are asked for in this order."""
        from memscan.sources import items

        def all_items() -> Iterator[Item]:
            """One stream, for small containers are too little work for several threads."""
            for path in containers:
                yield from items.read_container(path, self.max_pixels)
                yield end

        def here(path: str) -> Iterable[Named]:
            return itertools.takewhile(lambda named: named[0] != end.uri, stream)

        end = items.Item("", Failure("", Stage.READ, "the end of a container"))
        stream = self._hash_items(all_items(), recipe)
        jobs = self.jobs or engines.available_cores()
        with decode.pixel_limit(self.max_pixels), contextlib.ExitStack() as stack:
            alone = jobs == 1 or len(containers) == 1 or not recipe.encoder.in_processes
            if alone or _bytes_of(containers) < PROCESSES_FROM_BYTES:
                yield here
                return
            from memscan import workers

            crew = workers.start(jobs, stack)
            if crew is None:
                yield here
                return
            ask = functools.partial(workers.ask_for_containers, crew, recipe.options)
            results = engines.map_chunks(ask, containers, jobs, 1)
            yield lambda path: next(results)

    def _hash_items(self, some: Iterable[Item], recipe: Recipe) -> Iterator[Named]:
        work = functools.partial(hash_items, recipe=recipe)
        with decode.pixel_limit(self.max_pixels):
            chunk = recipe.encoder.chunk(recipe.view_set)
            yield from engines.map_chunks(work, some, self.jobs, chunk)

    def _hash(self, paths: Sequence[str], recipe: Recipe) -> Iterable[Stamped]:
        jobs = self.jobs or engines.available_cores()
        with decode.pixel_limit(self.max_pixels), contextlib.ExitStack() as stack:
            chunk = recipe.encoder.chunk(recipe.view_set)
            work: Callable[[Iterable[str]], Sequence[Stamped]] = functools.partial(
                hash_files, recipe=recipe
            )
            if jobs > 1 and len(paths) >= PROCESSES_FROM and recipe.encoder.in_processes:
                from memscan import workers  # code that small scans need not load

                crew = workers.start(jobs, stack)
                if crew is not None:
                    work = functools.partial(workers.ask_for_files, crew, recipe.options)
                    chunk = _CHUNK_OF_PROCESSES
            yield from engines.map_chunks(work, paths, jobs, chunk)

    def _report(self, phase: str, done: int, total: int) -> None:
        if self.progress is not None:
            self.progress(phase, done, total)


class Held(NamedTuple):
    """The images of one container, in bytewise order of their names.

    ``mapping`` says how the values of a medical volume became grey levels.
    """

    table: HashTable
    failures: tuple[Failure, ...]
    mapping: str = ""


def _short(uri: str, container: str) -> str:
    """The name of an image in its container: its URI without the container."""
    return uri[: -len(container) - 2] if uri != container else uri


def _uri(short: str, container: str) -> str:
    return f"{short}::{container}" if short != container else short


def _bytes_of(containers: Sequence[str]) -> float:
    """The size of local containers; any on a store counts as large, but for this process's own."""
    if any(path.lower().startswith("memory://") for path in containers):
        return 0
    stamps = [Stamp.of(path) for path in containers]
    return sum(float("inf") if stamp is None else stamp.size for stamp in stamps)
