"""An image opened again by the name that it has in a report."""

from __future__ import annotations

from typing import Collection

from memscan import decode
from memscan.errors import InputError, ReadError
from memscan.records import Failure


def open_any(
    path: str,
    max_pixels: int = decode.MAX_PIXELS,
    *,
    fast: bool = False,
    colour: bool = False,
    remote_places: Collection[str] = (),
) -> decode.Decoded:
    """Decode the image of a path or a URI, as :func:`memscan.decode.open_image` does.

    Of stores, only the URLs ``remote_places`` of images and containers are asked. Raises ReadError
    and DecodeError.
    """
    if "://" in path:
        from memscan.sources import items  # much code for what few scans need

        try:
            item = items.read_one(path, remote_places)
        except InputError as error:  # an extra that only this name needs
            raise ReadError(str(error)) from error
        if item is not None and isinstance(item.content, Failure):
            raise ReadError(item.content.message)
        if item is not None:
            return items.decoded(item, max_pixels, fast=fast, colour=colour)
    return decode.open_image(path, max_pixels, fast=fast, colour=colour)
