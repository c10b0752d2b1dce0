"""A directory of heat maps: numbered pictures, and two lists of what they show."""

from __future__ import annotations

import html
import io
import json
import os
from typing import Any, Collection, Iterator, NamedTuple, Sequence

from PIL import Image

from memscan import decode
from memscan.detectors import heat_maps
from memscan.detectors.classes import CLASSES
from memscan.detectors.protocol import Detector
from memscan.detectors.weights import write_whole
from memscan.errors import ImageError, InputError, OutputError
from memscan.likeness import Nearest
from memscan.opening import open_any
from memscan.records import Progress
from memscan.reports.names import inert, inert_path, path_fields
from memscan.similarity.pictures import side_by_side

INDEX, PAGE = "index.json", "index.html"

_SCORE = "a place has to do with the score"
_MEANINGS = {
    heat_maps.AGREEMENT: "a place is like the same place of the other image",
    heat_maps.LAYER_CAM: _SCORE,
    heat_maps.OCCLUSION: _SCORE,
}

_POLICY = "default-src 'none'; img-src 'self' file:; style-src 'unsafe-inline'"


class Drawn(NamedTuple):
    """A pair, and the name of its picture; or, where that is None, why there is none."""

    pair: Nearest
    picture: str | None
    failure: str | None = None


def require_empty(folder: str) -> None:
    """Raise InputError for a directory that has something in it, which would mix with heat maps."""
    if os.path.isdir(folder) and os.listdir(folder):
        raise InputError(f"{folder}: not empty; heat maps go into a directory of their own")
    if os.path.lexists(folder) and not os.path.isdir(folder):
        raise InputError(f"{folder}: not a directory")


def draw(
    pairs: Sequence[Nearest],
    detector: Detector,
    folder: str,
    method: str,
    *,
    about_classes: str = "",
    max_pixels: int = decode.MAX_PIXELS,
    remote_places: Collection[str] = (),
    progress: Progress | None = None,
) -> list[Drawn]:
    """Draw each pair with a source into a new or empty directory.

    ``method`` is one that :func:`memscan.detectors.heat_maps.choose` gave. ``about_classes``
    says by which cuts pairs have their classes, and what those are worth.
    Names are numbers, since those of images come from strangers; ``index.json`` and ``index.html``
    say what is what. Of stores, only the URLs ``remote_places`` are asked. An image that cannot be
    read again has no picture, and an entry that says why. Raises InputError, OutputError.
    """
    require_empty(folder)
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made: {error.strerror}") from error
    drawn = []
    with decode.pixel_limit(max_pixels):
        for number, pair in enumerate(pairs, start=1):
            if pair.source is not None:
                name = f"{number:04d}.png"
                try:
                    images = [
                        open_any(path, max_pixels, remote_places=remote_places).image
                        for path in (pair.target, pair.source)
                    ]
                    picture = _picture(images[0], images[1], detector, method)
                    write_whole(os.path.join(folder, name), picture)
                    drawn.append(Drawn(pair, name))
                except ImageError as error:
                    drawn.append(Drawn(pair, None, str(error)))
            if progress is not None:
                progress("heat maps", number, len(pairs))
    index = _index(drawn, detector, method, about_classes)
    page = "\n".join(_page_lines(drawn, detector, method, about_classes)) + "\n"
    write_whole(os.path.join(folder, INDEX), index.encode("ascii"))
    write_whole(os.path.join(folder, PAGE), page.encode("utf-8"))
    return drawn


def _picture(target: Image.Image, source: Image.Image, detector: Detector, method: str) -> bytes:
    pixels = detector.prepare(target), detector.prepare(source)
    heats = heat_maps.heat_maps(detector, *pixels, method)
    data = io.BytesIO()
    side_by_side(target, source, heats, detector.card.input).save(data, "PNG")
    return data.getvalue()


def _index(drawn: Sequence[Drawn], detector: Detector, method: str, about_classes: str) -> str:
    def entry(one: Drawn) -> dict[str, Any]:
        return {
            "picture": one.picture,
            **path_fields("target", one.pair.target),
            **path_fields("source", one.pair.source or ""),
            "score": one.pair.score,
            "class": CLASSES[one.pair.kind],
            "failure": None if one.failure is None else inert(one.failure),
        }

    document = {
        "detector": detector.fingerprint,
        "method": method,
        "about_classes": about_classes,
        "pairs": [entry(one) for one in drawn],
    }
    return json.dumps(document, indent=2) + "\n"


def _page_lines(
    drawn: Sequence[Drawn], detector: Detector, method: str, about_classes: str
) -> Iterator[str]:
    title = f"Where pairs agree, by {detector.card.kind} ({detector.card.name})"
    yield '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    yield f"<title>{_safe(title)}</title>"
    yield "<style>body{font:16px/1.4 sans-serif;margin:2em}figure{margin:0 0 3em}"
    yield "figcaption{overflow-wrap:anywhere}img{max-width:100%}</style>"
    yield f"<h1>{_safe(title)}</h1>"
    yield (
        f"<p>Left the target, right the source most like it. Below, by {method}: the lighter the "
        f"colour, the more {_MEANINGS[method]}.</p>"
    )
    if about_classes:
        yield f"<p>{_safe(about_classes)}</p>"
    for one in drawn:
        names = [_safe(inert_path(path)) for path in (one.pair.target, one.pair.source or "")]
        yield "<figure>"
        if one.picture is None:
            yield f"<p>No picture: {_safe(one.failure or '')}</p>"
        else:
            yield f'<img src="{one.picture}" alt="{names[0]} and {names[1]}">'
        yield f"<figcaption><strong>{one.pair.score:.3f} {CLASSES[one.pair.kind]}</strong><br>"
        yield f"{names[0]}<br>{names[1]}</figcaption>\n</figure>"


def _safe(text: str) -> str:
    return html.escape(inert(text))
