"""An image opened again by the name that it has in a report."""

from __future__ import annotations

from memscan import decode
from memscan.errors import ReadError
from memscan.records import Failure


def open_any(
    path: str, max_pixels: int = decode.MAX_PIXELS, *, fast: bool = False, colour: bool = False
) -> decode.Decoded:
    """Decode the image of a path or a URI, as :func:`memscan.decode.open_image` does.

    Raises ReadError and DecodeError.
    """
    if "://" in path:
        from memscan.sources import items  # much code for what few scans need

        item = items.read_one(path)
        if item is not None and isinstance(item.content, Failure):
            raise ReadError(item.content.message)
        if item is not None:
            return items.decoded(item, max_pixels, fast=fast, colour=colour)
    return decode.open_image(path, max_pixels, fast=fast, colour=colour)
