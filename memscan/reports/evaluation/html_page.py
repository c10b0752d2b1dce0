"""An evaluation as one HTML file that opens offline, asks for nothing and runs no script."""

from __future__ import annotations

import base64
import io
from typing import NamedTuple, Sequence

from PIL import Image

from memscan.reports import charts, templating
from memscan.reports.evaluation import Pictures, Style, curves, wording
from memscan.reports.thumbnails import FORMAT
from memscan.scorecard import Basis, DetectorScores, Miss, Scorecard

MAX_FAILURES = 1000
"""Failures that the page lists; it says how many more there are."""

_QUALITY = 65


class Picture(NamedTuple):
    """A small image in the page, and what it shows."""

    uri: str
    width: int
    height: int
    role: str
    path: str


class Shown(NamedTuple):
    """A miss with the pictures that there are of it."""

    miss: Miss
    description: str
    pictures: tuple[Picture, ...]


class Row(NamedTuple):
    """An edit, and for each detector its small chart and its recall."""

    name: str
    description: str
    cells: tuple[tuple[curves.Bar | None, str], ...]


def render(card: Scorecard, style: Style) -> str:
    """The whole scorecard with the style's pictures."""
    environment = templating.environment()
    css = templating.text("page.css", "evaluation.css")
    return environment.get_template("evaluation.html").render(
        card=card,
        css=css,
        policy=templating.policy(css),
        wording=wording,
        chart=charts,
        curves=curves,
        tradeoffs=curves.tradeoffs(card.detectors),
        groups=_groups(card.detectors),
        misses={detector.name: _shown(detector, style.pictures) for detector in card.detectors},
        failures=card.failures[:MAX_FAILURES],
        edits=card.basis is Basis.EDITS,
    )


def require() -> None:
    """Raise InputError if what the page is made with is not installed."""
    templating.environment()


def _groups(detectors: Sequence[DetectorScores]) -> dict[str, list[Row]]:
    """The rows of all edits by their group."""
    groups: dict[str, list[Row]] = {}
    for several in zip(*(detector.edits for detector in detectors)):
        cells = []
        for edit in several:
            bar = curves.bar(edit.scores.recall, wording.middle(edit.scores.true_positives))
            cells.append((bar, wording.percent(edit.scores.recall)))
        first = several[0]
        row = Row(first.name, first.description, tuple(cells))
        groups.setdefault(first.group, []).append(row)
    return groups


def _shown(detector: DetectorScores, pictures: Pictures) -> list[Shown]:
    descriptions = {edit.name: edit.description for edit in detector.edits}
    shown = []
    for miss in detector.misses:
        wanted = [(miss.path, "", "Original"), (miss.path, miss.edit, "Edited")]
        if miss.outranked:
            wanted.append((miss.other, "", "Taken for it"))
        found = [
            _picture(pictures[path, edit], role, path)
            for path, edit, role in wanted
            if (path, edit) in pictures
        ]
        shown.append(Shown(miss, descriptions[miss.edit], tuple(found)))
    return shown


def _picture(image: Image.Image, role: str, path: str) -> Picture:
    data = io.BytesIO()
    image.save(data, FORMAT, quality=_QUALITY)
    encoded = base64.b64encode(data.getvalue()).decode("ascii")
    uri = f"data:image/{FORMAT.lower()};base64,{encoded}"
    return Picture(uri, image.width, image.height, role, path)
