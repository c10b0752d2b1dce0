"""Images that are no files of their own: in containers, or behind URLs.

A container is an archive, a Parquet file or a medical volume, here or on a store. Whatever holds
an image, what comes out is an :class:`Item`, and :func:`decoded` makes an image of it.
"""

from __future__ import annotations

import os
from typing import Collection, Iterator, NamedTuple, Sequence, Union

from PIL import Image

from memscan import decode
from memscan.errors import ImageError, ReadError
from memscan.records import Failure, Stage
from memscan.sources import containers, medical, remote, stores, uris, volumes
from memscan.sources.directories import Entry
from memscan.sources.members import DEFAULT_LIMITS, open_container
from memscan.stamps import Stamp, settled

Content = Union[bytes, Image.Image, Failure]


class Item(NamedTuple):
    """One image: its URI, and its bytes, the image itself, or what went wrong.

    ``mapping`` says how the values of a medical volume became grey levels (else it is empty).
    """

    uri: str
    content: Content
    mapping: str = ""


def read_container(path: str, max_pixels: int = decode.MAX_PIXELS) -> Iterator[Item]:
    """The images of a container in its own order, one in memory at a time.

    A container that cannot be opened, or breaks half-way, gives an item with a failure under its
    own path. Raises InputError for a missing extra, and for a Parquet file without images.
    """
    if containers.kind_of(path) is not None:
        for member in containers.read_members(path):
            yield Item(*member)
        return
    try:
        with open_container(path) as file:
            kind = medical.kind_of(path, file.read(medical.HEAD_BYTES))
            file.seek(0)
            if kind is None:
                raise ReadError("neither a DICOM nor a NIfTI file")
            for part in medical.read_slices(path, kind, file, volumes.Limits(max_pixels)):
                yield Item(part.uri, part.image, part.mapping)
    except (ImageError, OSError) as error:
        yield Item(path, Failure(path, Stage.READ, str(error)))


def read_remote(
    entries: Sequence[Entry], limit: int = DEFAULT_LIMITS.member_bytes
) -> Iterator[Item]:
    """The images behind URLs, in the given order; several are asked for at a time."""
    for url, content in remote.read_many([entry.url for entry in entries], limit):
        yield Item(url, content)


def decoded(
    item: Item, max_pixels: int = decode.MAX_PIXELS, *, fast: bool = False, colour: bool = False
) -> decode.Decoded:
    """Decode an item that is no failure, as :func:`decode.open_image` does a file.

    Raises ReadError and DecodeError.
    """
    if isinstance(item.content, Image.Image):
        return decode.load(item.content, max_pixels)
    assert isinstance(item.content, bytes)
    return decode.open_bytes(item.content, max_pixels, fast=fast, colour=colour)


def stamp_of(container: str) -> Stamp | None:
    """What tells one state of a container from another; None if nothing that can be relied on.

    Of an object on a store, its identity stands in the place of the times of a file.
    """
    if not stores.is_remote(container):
        return settled(container)
    try:
        identity = remote.identity(container)
    except ImageError:
        return None
    return None if identity is None else stamp_of_identity(identity)


def stamp_of_identity(identity: str) -> Stamp:
    """A stamp that differs where the 32 hexadecimal digits do, in numbers that SQLite holds."""
    return Stamp(0, int(identity[:15], 16), int(identity[15:30], 16), int(identity[30:], 16))


def read_one(uri: str, remote_places: Collection[str] = ()) -> Item | None:
    """The image behind a URI; None for the path of a file. Raises ReadError and DecodeError.

    Of stores, only the URLs ``remote_places`` of images and containers are asked: a name can come
    from a table of hashes that a stranger made.
    """
    if "://" not in uri or os.path.lexists(uri):
        return None
    _, place = uris.split_container(uri)
    if stores.is_remote(place) and place not in remote_places:
        raise ReadError("this scan did not read it, so it is not asked for")
    if containers.split_uri(uri) is not None:
        return Item(uri, containers.read_one(uri))
    name = medical.parse(uri)
    if name is not None:
        with open_container(name.path) as file:
            return Item(uri, medical.read_one(name, file).image)
    if stores.is_remote(uri):
        return Item(uri, remote.read_remote(uri, DEFAULT_LIMITS.member_bytes))
    return None
