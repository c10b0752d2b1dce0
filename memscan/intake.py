"""From image files to a table of hashes: known files by the cache, the others by decoding."""

from __future__ import annotations

import contextlib
import functools
from dataclasses import dataclass
from typing import Any, Callable, Iterable, Optional, Sequence, Tuple, Union

import numpy as np

from memscan import decode, engines, views
from memscan.cache import Cache, Known, rest_of
from memscan.crew import Crew, WorkerError, serve
from memscan.encoders import KNOWN, PHASH, Encoder
from memscan.errors import DecodeError, HashError, ImageError
from memscan.records import Failure, HashedImage, Progress, Stage
from memscan.stamps import Stamp, settled
from memscan.table import HashTable
from memscan.views import ViewSet

PROCESSES_FROM = 4000
"""Files from which the start of processes is paid back by what threads would wait for the
interpreter lock."""

_CHUNK_OF_PROCESSES = 32  # more than of threads: a process waits between two chunks

_Outcome = Union[HashedImage, Failure]
_Stamped = Tuple[Optional[Stamp], _Outcome]
_Work = Callable[[Iterable[str]], Sequence[_Stamped]]


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
        key, rest_words = encoder.key(fast, view_set), _rest_words(encoder, view_set)
        known = Known(
            np.zeros(len(paths), np.bool_),
            np.zeros(len(paths), np.uint64),
            np.zeros(len(paths), np.bool_),
            np.zeros((len(paths), rest_words), np.uint64),
        )
        if self.cache is not None:
            known = self.cache.find(paths, key, self.max_pixels, rest_words)
        done, first, low_information, rest = known
        if done.any():
            self._report(phase, int(done.sum()), len(paths))
        failures = []
        unknown = np.flatnonzero(~done).tolist()
        new = self._hash([paths[row] for row in unknown], encoder, fast, view_set)
        for count, (row, (stamp, image)) in enumerate(
            zip(unknown, new), start=len(paths) - len(unknown) + 1
        ):
            if isinstance(image, Failure):
                failures.append(image)
            else:
                done[row], first[row] = True, image.words[0]
                low_information[row] = image.low_information
                rest[row] = rest_of(image)
                if self.cache is not None and stamp is not None:
                    self.cache.keep(paths[row], key, stamp, image)
            self._report(phase, count, len(paths))
        if self.cache is not None:
            self.cache.flush()
        table = _table(paths, known, encoder, view_set)
        return (table.chosen(done), tuple(failures)) if failures else (table, ())

    def _hash(
        self, paths: Sequence[str], encoder: Encoder, fast: bool, view_set: ViewSet
    ) -> Iterable[_Stamped]:
        jobs = self.jobs or engines.available_cores()
        with decode.pixel_limit(self.max_pixels), contextlib.ExitStack() as stack:
            chunk = engines.CHUNK
            options: dict[str, Any] = {
                "max_pixels": self.max_pixels,
                "encoder": encoder.name,
                "fast": fast,
                "view_set": view_set,
            }
            work: _Work = functools.partial(_hash_chunk, **options)
            if jobs > 1 and len(paths) >= PROCESSES_FROM:
                # Without processes, be it a limit or no interpreter, threads do the work.
                with contextlib.suppress(OSError, WorkerError):
                    crew = stack.enter_context(Crew(jobs, __name__, serve_chunks.__name__))
                    work = functools.partial(_ask, crew, options)
                    chunk = _CHUNK_OF_PROCESSES
            yield from engines.map_chunks(work, paths, jobs, chunk)

    def _report(self, phase: str, done: int, total: int) -> None:
        if self.progress is not None:
            self.progress(phase, done, total)


def _rest_words(encoder: Encoder, view_set: ViewSet) -> int:
    """The words that are kept of an image besides the first one of its hash."""
    return encoder.words * (1 + len(view_set.names)) - 1 + encoder.has_quality


def _table(paths: Sequence[str], known: Known, encoder: Encoder, view_set: ViewSet) -> HashTable:
    _, first, low_information, rest = known
    qualities = np.empty(0, np.uint8)
    if encoder.has_quality:
        qualities, rest = rest[:, -1].astype(np.uint8), rest[:, :-1]
    if encoder.words > 1:
        words = np.concatenate([first[:, None], rest], axis=1)
        words = words.reshape(len(paths), 1 + len(view_set.names), encoder.words)
        first, rest = np.ascontiguousarray(words[:, 0]), words[:, 1:]
    return HashTable(paths, first, low_information, rest, view_set.names, qualities)


def hash_decoded(
    images: Sequence[decode.Decoded], encoder: Encoder = PHASH, view_set: ViewSet = views.NONE
) -> list[HashedImage]:
    """Hash some decoded images at once. Raises HashError."""
    return encoder.finish([encoder.prepare(image, view_set) for image in images], view_set)


def serve_chunks() -> None:
    """Hash chunks of files for another process: what runs in a :class:`Crew`."""

    def answer(request: dict[str, Any]) -> list[Any]:
        options = {
            **request,
            "view_set": ViewSet(request["view_set"][0], tuple(request["view_set"][1])),
        }
        with decode.pixel_limit(request["max_pixels"]):
            return [_to_json(result) for result in _hash_chunk(**options)]

    serve(answer)


def _ask(crew: Crew, options: dict[str, Any], paths: Iterable[str]) -> list[_Stamped]:
    """What _hash_chunk gives, from another process."""
    chunk = list(paths)
    try:
        return list(map(_from_json, crew.ask({"paths": chunk, **options})))
    except WorkerError:  # an image brought its decoder down: find out which one
        return [_ask_alone(crew, path, options) for path in chunk]


def _ask_alone(crew: Crew, path: str, options: dict[str, Any]) -> _Stamped:
    try:
        return _from_json(crew.ask({"paths": [path], **options})[0])
    except WorkerError:
        return None, Failure(path, Stage.DECODE, "the process that decoded it came to an end")


def _to_json(result: _Stamped) -> list[Any]:
    stamp, image = result
    if isinstance(image, Failure):
        return [stamp, [image.path, image.stage.value, image.message]]
    return [stamp, [image.words, image.low_information, image.size, image.quality]]


def _from_json(value: list[Any]) -> _Stamped:
    stamp, fields = value
    image: HashedImage | Failure
    if isinstance(fields[0], str):
        image = Failure(fields[0], Stage(fields[1]), fields[2])
    else:
        words, low_information, (width, height), quality = fields
        image = HashedImage(tuple(words), low_information, (width, height), quality)
    return None if stamp is None else Stamp(*stamp), image


def _hash_chunk(
    paths: Iterable[str], max_pixels: int, encoder: str, fast: bool, view_set: ViewSet
) -> list[_Stamped]:
    """Hash some image files; each gives its hash or its failure, in order.

    Several at a time, because the work on thumbnails is so short that threads would spend more
    time in passing the interpreter lock to each other than in it.
    """
    stamps: list[Stamp | None] = []
    outcomes: list[Failure | None] = []
    prepared = []
    by_name = KNOWN[encoder]
    for path in paths:
        stamps.append(settled(path))  # before the file is read: a change meanwhile shows
        try:
            prepared.append(_prepared(path, max_pixels, by_name, fast, view_set))
            outcomes.append(None)
        except ImageError as error:
            outcomes.append(Failure(path, _stage(error), str(error)))
    hashed = iter(by_name.finish(prepared, view_set))
    images = [next(hashed) if failure is None else failure for failure in outcomes]
    return list(zip(stamps, images))


def _prepared(
    path: str, max_pixels: int, encoder: Encoder, fast: bool, view_set: ViewSet
) -> object:
    """What the encoder keeps of an image file.

    A function of its own so that the image is gone before the next one is decoded: its memory is
    then used again, which is a sixth faster at 3 megapixels than getting fresh pages.
    """
    return encoder.prepare(decode.open_image(path, max_pixels, fast=fast), view_set)


def _stage(error: ImageError) -> Stage:
    if isinstance(error, HashError):
        return Stage.HASH
    return Stage.DECODE if isinstance(error, DecodeError) else Stage.READ
