"""The pictures of what was missed: edited once more, small enough for a page."""

from __future__ import annotations

from typing import Dict, Iterable, Tuple

from PIL import Image

from memscan import decode, engines
from memscan.errors import ImageError
from memscan.evaluation.describing import open_rgb
from memscan.evaluation.edits import EDITS, key
from memscan.scorecard import Scorecard

SIDE = 160
"""Pixels: the longest side of a picture."""

_Drawn = Dict[Tuple[str, str], Image.Image]


def pictures(card: Scorecard, max_pixels: int, jobs: int | None) -> _Drawn:
    """The images of all misses by path and edit, and by path and "" as they are.

    Images that can no longer be read are left out.
    """
    wanted: dict[str, set[str]] = {}
    for detector in card.detectors:
        for miss in detector.misses:
            wanted.setdefault(miss.path, {""}).add(miss.edit)
            wanted.setdefault(miss.other, {""})

    def draw(paths: Iterable[str]) -> list[_Drawn]:
        return [_draw(path, wanted[path], card.seed, max_pixels) for path in paths]

    found: _Drawn = {}
    with decode.pixel_limit(max(max_pixels, decode.MAX_PIXELS)):
        for drawn in engines.map_chunks(draw, wanted, jobs, chunk=1):
            found.update(drawn)
    return found


def _draw(path: str, names: set[str], seed: int, max_pixels: int) -> _Drawn:
    try:
        image = open_rgb(path, max_pixels)
    except ImageError:
        return {}
    lots = key(image, seed)
    drawn = {(path, edit.name): edit.of(image, lots) for edit in EDITS if edit.name in names}
    drawn[path, ""] = image
    for picture in drawn.values():
        picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    return drawn
