"""A folder for each model, with what it generated and perhaps real images."""

from __future__ import annotations

import os
from typing import NamedTuple, Sequence

from memscan.errors import InputError
from memscan.sources.directories import Listing, Selection
from memscan.sources.given import list_images, require_files

REAL, GENERATED = "0_real", "1_fake"
"""The folders of a model's, as DIF has them."""

_ROLE = "folder of images"


class Folder(NamedTuple):
    """What a model generated."""

    name: str
    listing: Listing


def generated(root: str, selection: Selection) -> list[Folder]:
    """The models below a directory, in bytewise order of their names.

    Raises InputError where there is none, and for one without images.
    """
    found = []
    for name in _names(root):
        path = os.path.join(root, name)
        parts = [os.path.isdir(os.path.join(path, part)) for part in (REAL, GENERATED)]
        if parts == [True, False]:
            raise InputError(f"{path}: holds {REAL} and no {GENERATED}, the images of the model")
        place = os.path.join(path, GENERATED) if parts[1] else path
        found.append(Folder(name, _images([place], selection)[0]))
    return found


def real(root: str, given: Sequence[str], selection: Selection) -> list[Listing]:
    """The real images: those given or, without any, the ones beside each model's; each file once.

    Raises InputError where there are none.
    """
    beside = [os.path.join(root, name, REAL) for name in _names(root)]
    places = list(given) or [path for path in beside if os.path.isdir(path)]
    if not places:
        raise InputError(
            f"{root}: no model here has a folder {REAL}; name real images by --real DIR"
        )
    return _images(places, selection)


def _names(root: str) -> list[str]:
    try:
        with os.scandir(root) as entries:
            names = [entry.name for entry in entries if _is_folder(entry)]
    except OSError as error:
        raise InputError(f"{root}: cannot be listed: {error.strerror}") from error
    if not names:
        raise InputError(f"{root}: no folders in it; it must hold one for each model")
    if GENERATED in names:
        raise InputError(f"{root}: holds {GENERATED}, so it is one model; give the folder above")
    return sorted(names, key=os.fsencode)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return not entry.name.startswith(".") and entry.is_dir()
    except OSError:  # a link to itself
        return False


def _images(places: Sequence[str], selection: Selection) -> list[Listing]:
    listings = list_images(places, selection, _ROLE)
    require_files(listings, "a comparison by fingerprints")
    return listings
