"""From image files to a table of hashes: known files by the cache, the others by decoding."""

from __future__ import annotations

import contextlib
import functools
from dataclasses import dataclass
from typing import Any, Callable, Iterable, Optional, Sequence, Tuple, Union

import numpy as np
import numpy.typing as npt

from memscan import decode, engines, hashing
from memscan.cache import Cache
from memscan.crew import Crew, WorkerError, serve
from memscan.errors import DecodeError, HashError, ImageError
from memscan.evidence import detail
from memscan.records import Failure, HashedImage, Progress, Stage
from memscan.stamps import Stamp, settled
from memscan.table import HashTable

PROCESSES_FROM = 4000
"""Files from which the start of processes is paid back by what threads would wait for the
interpreter lock."""

_CHUNK_OF_PROCESSES = 32  # more than of threads: a process waits between two chunks

_Stamped = Tuple[Optional[Stamp], Union[HashedImage, Failure]]
_Work = Callable[[Iterable[str]], Sequence[_Stamped]]


@dataclass(frozen=True)
class Intake:
    """How files are hashed: the options of a scan that reach its files."""

    max_pixels: int = decode.MAX_PIXELS
    jobs: int | None = None
    cache: Cache | None = None
    progress: Progress | None = None

    def hash_files(
        self, paths: Sequence[str], phase: str, *, fast: bool = False
    ) -> tuple[HashTable, tuple[Failure, ...]]:
        """Hash each file; those that cannot be hashed are failures, both in the given order.

        ``fast`` decodes JPEG files at reduced scale, which can change a hash by a bit or two.
        """
        encoder = f"{hashing.fingerprint(fast)} {detail.fingerprint()}"
        done = np.zeros(len(paths), np.bool_)
        hashes = np.zeros(len(paths), np.uint64)
        low_information = np.zeros(len(paths), np.bool_)
        if self.cache is not None:
            done, hashes, low_information = self.cache.find(paths, encoder, self.max_pixels)
        if done.any():
            self._report(phase, int(done.sum()), len(paths))
        failures = []
        unknown = np.flatnonzero(~done).tolist()
        for count, (row, result) in enumerate(
            zip(unknown, self._hash([paths[row] for row in unknown], fast)),
            start=len(paths) - len(unknown) + 1,
        ):
            stamp, image = result
            if isinstance(image, Failure):
                failures.append(image)
            else:
                done[row], hashes[row] = True, image.hash
                low_information[row] = image.low_information
                if self.cache is not None and stamp is not None:
                    self.cache.keep(paths[row], encoder, stamp, image)
            self._report(phase, count, len(paths))
        if self.cache is not None:
            self.cache.flush()
        if not failures:
            return HashTable(paths, hashes, low_information), ()
        kept = [paths[row] for row in np.flatnonzero(done).tolist()]
        return HashTable(kept, hashes[done], low_information[done]), tuple(failures)

    def _hash(self, paths: Sequence[str], fast: bool) -> Iterable[_Stamped]:
        jobs = self.jobs or engines.available_cores()
        with decode.pixel_limit(self.max_pixels), contextlib.ExitStack() as stack:
            chunk = engines.CHUNK
            work: _Work = functools.partial(_hash_chunk, max_pixels=self.max_pixels, fast=fast)
            if jobs > 1 and len(paths) >= PROCESSES_FROM:
                # Without processes, be it a limit or no interpreter, threads do the work.
                with contextlib.suppress(OSError, WorkerError):
                    crew = stack.enter_context(Crew(jobs, __name__, serve_chunks.__name__))
                    work = functools.partial(_ask, crew, max_pixels=self.max_pixels, fast=fast)
                    chunk = _CHUNK_OF_PROCESSES
            yield from engines.map_chunks(work, paths, jobs, chunk)

    def _report(self, phase: str, done: int, total: int) -> None:
        if self.progress is not None:
            self.progress(phase, done, total)


def hash_decoded(images: Sequence[decode.Decoded]) -> list[HashedImage]:
    """Hash some decoded images at once. Raises HashError."""
    return _reduce([hashing.thumbnail(image) for image, _ in images], [n for _, n in images])


def serve_chunks() -> None:
    """Hash chunks of files for another process: what runs in a :class:`Crew`."""

    def answer(request: dict[str, Any]) -> list[Any]:
        with decode.pixel_limit(request["max_pixels"]):
            return [_to_json(result) for result in _hash_chunk(**request)]

    serve(answer)


def _ask(crew: Crew, paths: Iterable[str], max_pixels: int, fast: bool) -> list[_Stamped]:
    """What _hash_chunk gives, from another process."""
    chunk = list(paths)
    options = {"max_pixels": max_pixels, "fast": fast}
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
    return [stamp, [image.hash, image.low_information, image.pixels]]


def _from_json(value: list[Any]) -> _Stamped:
    stamp, fields = value
    image: HashedImage | Failure
    if isinstance(fields[0], str):
        image = Failure(fields[0], Stage(fields[1]), fields[2])
    else:
        image = HashedImage(*fields)
    return None if stamp is None else Stamp(*stamp), image


def _hash_chunk(paths: Iterable[str], max_pixels: int, fast: bool) -> list[_Stamped]:
    """Hash some image files; each gives its hash or its failure, in order.

    Several at a time, because the work on thumbnails is so short that threads would spend more
    time in passing the interpreter lock to each other than in it.
    """
    stamps: list[Stamp | None] = []
    outcomes: list[Failure | None] = []
    thumbnails, pixels = [], []
    for path in paths:
        stamps.append(settled(path))  # before the file is read: a change meanwhile shows
        try:
            thumbnail, size = _thumbnail(path, max_pixels, fast)
            thumbnails.append(thumbnail)
            pixels.append(size)
            outcomes.append(None)
        except ImageError as error:
            outcomes.append(Failure(path, _stage(error), str(error)))
    hashed = iter(_reduce(thumbnails, pixels))
    images = [next(hashed) if failure is None else failure for failure in outcomes]
    return list(zip(stamps, images))


def _thumbnail(path: str, max_pixels: int, fast: bool) -> tuple[npt.NDArray[np.uint8], int]:
    """The thumbnail and the number of pixels of an image file.

    A function of its own so that the image is gone before the next one is decoded: its memory is
    then used again, which is a sixth faster at 3 megapixels than getting fresh pages.
    """
    image, pixels = decode.open_image(path, max_pixels, fast=fast)
    return hashing.thumbnail(image), pixels


def _reduce(
    thumbnails: Sequence[npt.NDArray[np.uint8]], pixels: Sequence[int]
) -> list[HashedImage]:
    if not thumbnails:
        return []
    stack = np.stack(thumbnails)
    coefficients = hashing.transform(stack)
    hashes = hashing.phashes(stack, coefficients)
    flags = detail.low_information(stack, coefficients)
    return list(map(HashedImage, hashes.tolist(), flags.tolist(), pixels))


def _stage(error: ImageError) -> Stage:
    if isinstance(error, HashError):
        return Stage.HASH
    return Stage.DECODE if isinstance(error, DecodeError) else Stage.READ
