"""One shard hashed: what runs in a worker, on this machine or on another one."""

from __future__ import annotations

import functools
import os
from typing import Any, Callable, Iterator, NamedTuple, Sequence

import numpy as np

from memscan import __version__, decode, hashing, views
from memscan.encoders import Encoder, choose
from memscan.engines import CHUNK, map_chunks
from memscan.errors import InputError, OutputError
from memscan.indexing.network import WeightsFile
from memscan.indexing.planning import Kind
from memscan.learned import LearnedEncoder
from memscan.recipe import Loader, file_loader, hash_all, item_loader
from memscan.records import Failure, HashedImage, Stage
from memscan.sources import items
from memscan.sources.directories import Entry
from memscan.tables import identity, part, writing
from memscan.tables.identity import Shard
from memscan.tables.rows import Rows
from memscan.views import ViewSet

TASK = f"{__name__}:index_shard"

_BATCH = 128 * CHUNK  # rows that are handed to the table at once
_BATCH_OF_EMBEDDINGS = 128


class _Found(NamedTuple):
    """An image under its name in the table: how to decode it, or what went wrong."""

    uri: str
    image: Loader | Failure


def table_encoder(encoder: Encoder, view_set: ViewSet) -> identity.Encoder:
    """What a table says of hashes by this encoder, decoded exactly, in these views."""
    dimensions = encoder.card.dimensions if isinstance(encoder, LearnedEncoder) else 0
    fingerprint = encoder.fingerprint(False)
    return identity.Encoder(
        algorithm=fingerprint.partition(" ")[0],
        decoding="exact",
        fingerprint=encoder.key(False, view_set),
        views=view_set.names,
        words=encoder.words,
        dimensions=dimensions,
    )


def requested_encoder(request: dict[str, Any]) -> Encoder:
    """The encoder that a request names: by its ``weights``, or else its ``hash``.

    Raises InputError for weights that cannot be used.
    """
    if "weights" in request:
        return WeightsFile(*request["weights"]).open()
    return choose(request["hash"])


def index_shard(request: dict[str, Any], report: Callable[[int], None]) -> dict[str, Any]:
    """Hash the images of a shard into its part file, unless that is there already.

    The reply holds ``rows``, ``failures`` (of the rows) and ``already`` (nothing was to be done),
    or ``unwritable``, why the part could not be written. Raises InputError for what stands in the
    way of the whole shard.
    """
    encoder, view_set = requested_encoder(request), views.of_source(request["views"])
    made_by = table_encoder(encoder, view_set)
    if made_by.to_json() != request["encoder"]:
        raise InputError(
            f"the libraries or weights of this worker make other hashes ({made_by.fingerprint}) "
            f"than those where memscan was started ({request['encoder']['fingerprint']})"
        )
    shard = Shard.from_json(request["shard"])
    path = os.path.join(request["output"], shard.part_name)
    if shard.stamp is not None and _is_done(path, shard, made_by, request["sha256"]):
        done = part.open_part(path)
        report(done.footer.num_rows)
        return {
            "rows": done.footer.num_rows,
            "failures": done.all_failures(),
            "already": True,
        }
    header = part.Header(__version__, made_by, hashing.library_versions(), shard)
    temporary = os.path.join(request["workspace"], shard.part_name)
    try:
        with decode.pixel_limit(request["max_pixels"]):
            rows = _rows(_found(request), encoder, view_set, request.get("threads", 1), report)
            written = part.write_part(temporary, rows, header)
        try:
            os.replace(temporary, path)
        except OSError as error:
            raise writing.unwritable(path, error) from error
    except OutputError as error:
        return {"unwritable": str(error).replace(request["workspace"], request["output"])}
    return {"rows": written.rows, "failures": written.failures, "already": False}


def _is_done(path: str, shard: Shard, made_by: identity.Encoder, sha256: str | None) -> bool:
    """Whether the part is there and, where a manifest lists it, still the file that it lists."""
    if not part.is_done(path, shard, made_by):
        return False
    try:
        return sha256 is None or writing.digest(path) == sha256
    except OSError:
        return False


def _found(request: dict[str, Any]) -> Iterator[_Found]:
    """The images of the shard, one of those in containers in memory at a time."""
    kind, paths, max_pixels = Kind(request["kind"]), request["paths"], request["max_pixels"]
    if kind is Kind.LOST:
        for path, (stage, message) in zip(paths, request["states"]):
            yield _Found(path, Failure(path, Stage(stage), message))
    elif kind is Kind.OBJECTS:
        for item in items.read_remote([Entry(url, None, None) for url in paths]):
            yield _of_item(item.uri, item, max_pixels)
    elif kind is Kind.FILES:
        for path in paths:
            location = os.path.join(request["folder"], path)
            yield _Found(path, file_loader(location, max_pixels))
    else:
        for path in paths:
            yield from _contained(path, os.path.join(request["folder"], path), max_pixels)


def _contained(path: str, location: str, max_pixels: int) -> Iterator[_Found]:
    """The images of the container at ``location``, under the names that they have in ``path``.

    What is wrong with the container itself is one failure, since no name stands in a table twice.
    """
    complaints = []
    try:
        for item in items.read_container(location, max_pixels):
            if item.uri == location and isinstance(item.content, Failure):
                complaints.append(item.content.message)
            else:
                yield _of_item(item.uri[: -len(location)] + path, item, max_pixels)
    except InputError as error:
        raise InputError(str(error).replace(location, path)) from error
    if complaints:
        yield _Found(path, Failure(path, Stage.READ, "; ".join(complaints)))


def _of_item(uri: str, item: items.Item, max_pixels: int) -> _Found:
    return _Found(uri, item_loader(item, max_pixels))


def _rows(
    found: Iterator[_Found],
    encoder: Encoder,
    view_set: ViewSet,
    threads: int,
    report: Callable[[int], None],
) -> Iterator[Rows]:
    """The rows of the shard in batches; ``report`` is told how many images are done."""
    made_by = table_encoder(encoder, view_set)
    most = _BATCH_OF_EMBEDDINGS if made_by.dimensions else _BATCH
    chunk = encoder.chunk(view_set)
    work = functools.partial(hash_all, encoder=encoder, view_set=view_set)
    batch: list[tuple[str, HashedImage | Failure]] = []
    for done, named in enumerate(map_chunks(work, found, threads, chunk), start=1):
        batch.append(named)
        report(done)
        if len(batch) == most:
            yield _batch(batch, encoder, made_by)
            batch = []
    if batch:
        yield _batch(batch, encoder, made_by)


def _batch(
    batch: Sequence[tuple[str, HashedImage | Failure]], encoder: Encoder, made_by: identity.Encoder
) -> Rows:
    count = len(batch)
    hashes = np.zeros((count, 1 + len(made_by.views), encoder.words), np.uint64)
    low_information = np.zeros(count, np.bool_)
    size = np.zeros((2, count), np.uint32)
    quality = np.zeros(count, np.uint8)
    errors: list[str | None] = [None] * count
    stages: list[str | None] = [None] * count
    for row, (_, image) in enumerate(batch):
        if isinstance(image, Failure):
            errors[row], stages[row] = image.message, image.stage.value
            continue
        hashes[row] = np.array(image.words, np.uint64).reshape(hashes.shape[1:])
        low_information[row], size[:, row] = image.low_information, image.size
        quality[row] = 0 if image.quality is None else image.quality
    return Rows(
        uris=[uri for uri, _ in batch],
        hashes=hashes[:, 0],
        low_information=low_information,
        width=size[0],
        height=size[1],
        errors=errors,
        stages=stages,
        views=hashes[:, 1:],
        quality=quality if encoder.has_quality else None,
    )
