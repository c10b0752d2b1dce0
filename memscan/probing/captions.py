"""The prompts of images, from a CSV file."""

from __future__ import annotations

from typing import Mapping, Sequence

from memscan import csv_lists
from memscan.errors import InputError


def read(path: str) -> dict[str, str]:
    """The captions of a list with the columns path and caption, by the real path of the image.

    Paths are relative to the directory of the list. Raises InputError for a list that cannot be
    read, an empty caption, and two captions of one image.
    """
    found: dict[str, str] = {}
    for line, row in csv_lists.rows(path, ("path", "caption")):
        place = csv_lists.listed_image(path, line, row["path"])
        caption = " ".join(row["caption"].split())
        if not caption:
            raise InputError(f"{path}: line {line}: a caption must not be empty")
        if found.get(place, caption) != caption:
            raise InputError(f"{path}: line {line}: {row['path']!r} has another caption above")
        found[place] = caption
    return found


def of_all(paths: Sequence[str], captions: Mapping[str, str], file: str) -> dict[str, str]:
    """The caption of each path. Raises InputError where one has none."""
    places = {path: csv_lists.real(path) for path in paths}
    missing = [path for path, place in places.items() if place not in captions]
    if missing:
        raise InputError(
            f"{file}: {len(missing)} of {len(paths)} images have no caption in it, such as "
            f"{missing[0]}; prompts are only compared with prompts, so all targets and all "
            "reference images need theirs"
        )
    return {path: captions[place] for path, place in places.items()}
