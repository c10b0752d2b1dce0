"""A folder for each model, with what it generated and perhaps real images."""

from __future__ import annotations

import os
from typing import NamedTuple, Sequence

from memscan.attribution.evaluating import FAKE, REAL
from memscan.errors import InputError
from memscan.sources.directories import Selection, find_images


class Folder(NamedTuple):
    """What a model generated: its name, and the directory that holds the images."""

    name: str
    path: str


class Folders(NamedTuple):
    """The models below a directory in bytewise order of their names, and folders that are none."""

    models: list[Folder]
    others: list[str]


def generated(root: str, selection: Selection) -> Folders:
    """The folders of a directory: of a model where they hold images or 1_fake, which has them.

    Raises InputError for a model without images, and where there is no model.
    """
    found = Folders([], [])
    for name in _names(root):
        path = os.path.join(root, name)
        inside = os.path.join(path, FAKE)
        if os.path.isdir(inside):
            found.models.append(Folder(name, inside))
        elif os.path.isdir(os.path.join(path, REAL)):
            raise InputError(f"{path}: holds {REAL} and no {FAKE}, the images of the model")
        elif find_images(path, selection).is_empty:
            found.others.append(path)
        else:
            found.models.append(Folder(name, path))
    if not found.models:
        raise InputError(f"{root}: none of its folders holds images; it needs one for each model")
    return found


def real(root: str, given: Sequence[str]) -> list[str]:
    """Where real images are: the paths given or, without any, in 0_real of each model.

    Raises InputError where there are none.
    """
    beside = [os.path.join(root, name, REAL) for name in _names(root)]
    places = list(given) or [path for path in beside if os.path.isdir(path)]
    if not places:
        raise InputError(
            f"{root}: no model here has a folder {REAL}; name real images by --real PATH"
        )
    return places


def _names(root: str) -> list[str]:
    """Raises InputError."""
    try:
        with os.scandir(root) as entries:
            names = [entry.name for entry in entries if _is_folder(entry)]
    except OSError as error:
        raise InputError(f"{root}: cannot be listed: {error.strerror}") from error
    if FAKE in names:
        raise InputError(f"{root}: holds {FAKE}, so it is one model; give the folder above it")
    if not names:
        raise InputError(f"{root}: no folders in it; it must hold one for each model")
    return sorted(names, key=os.fsencode)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return not entry.name.startswith(".") and entry.is_dir()
    except OSError:  # a link to itself
        return False
