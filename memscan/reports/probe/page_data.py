"""What the page's script works on: targets by suspicion, and small pictures of the first.

The rest of the targets are rows of text, so that a page of thousands opens at once.
"""

from __future__ import annotations

from typing import Any, Iterator, Sequence

from memscan import decode
from memscan.probes import Measured, Probe, ProbeReport
from memscan.reports.names import file_uri, inert, inert_path
from memscan.reports.page_data import PICTURES_IN_BLOCK, PageData, script_json
from memscan.reports.probe import score_charts, wording
from memscan.reports.probe.score_charts import STRIP_WIDTH, Scale
from memscan.reports.thumbnails import FORMAT, Drawing, Thumbnail, of_pixels, thumbnails

MAX_PICTURED = 200
"""Targets shown with pictures: those that rank highest by any of the methods."""

ROLES = ("Original", "Inverted", "Perturbed")

HEAT_LEVELS = 5
"""Shades of tokens: 0 is none, this one that of the most significant token of a prompt."""


def page_data(report: ProbeReport) -> PageData:
    """Everything that the page's script shows. Reads images of which there are no pictures."""
    probes = report.most_suspicious
    scales = {method: score_charts.scale_of(report, method) for method in report.methods}
    files: list[tuple[str, str | None, int | None]] = []
    pictures: list[Thumbnail] = []
    drawn = _pictures(probes, _pictured(report))
    rows = []
    for probe in probes:
        first = len(files)
        name, uri = inert_path(probe.path), file_uri(probe.path)
        for number, picture in enumerate(drawn.get(probe.path, [None])):
            shown = None if probe.path not in drawn else -1 if picture is None else len(pictures)
            files.append((name, None if number else uri, shown))
            if picture is not None:
                pictures.append(picture)
        rows.append(
            {
                "files": list(range(first, len(files))),
                "pictured": probe.path in drawn,
                "values": [_values(probe.methods[name], scales[name]) for name in scales],
                "tokens": _tokens(probe),
            }
        )
    document = {
        "probes": rows,
        "files": files,
        "roles": ROLES,
        "methods": list(report.methods),
        "mime": f"image/{FORMAT.lower()}",
        "blockSize": PICTURES_IN_BLOCK,
    }
    blocks = range(0, len(pictures), PICTURES_IN_BLOCK)
    return PageData(
        script_json(document),
        tuple(script_json(pictures[start : start + PICTURES_IN_BLOCK]) for start in blocks),
    )


def _pictured(report: ProbeReport) -> frozenset[str]:
    """The paths of the targets that are worth a picture."""
    best: dict[str, int] = {}
    for method in report.methods:
        ranked = sorted(report.most_suspicious, key=lambda probe: -probe.methods[method].score)
        for rank, probe in enumerate(ranked):
            best[probe.path] = min(rank, best.get(probe.path, rank))
    chosen = sorted(report.most_suspicious, key=lambda probe: best[probe.path])
    return frozenset(probe.path for probe in chosen[:MAX_PICTURED])


def _pictures(probes: Sequence[Probe], chosen: frozenset[str]) -> dict[str, list[Thumbnail | None]]:
    """Three thumbnails for each target with pictures, else one of its file; None if it is lost."""
    made: dict[str, list[Thumbnail | None]] = {}
    unread = [probe.path for probe in probes if probe.path in chosen and probe.pictures is None]
    read = thumbnails([Drawing(path) for path in unread], decode.MAX_PIXELS)
    made.update((path, [picture]) for path, picture in zip(unread, read))
    for probe in probes:
        if probe.path in chosen and probe.pictures is not None:
            seen = probe.pictures
            made[probe.path] = [
                of_pixels(pixels) for pixels in (seen.original, seen.inverted, seen.perturbed)
            ]
    return made


def _values(measured: Measured, scale: Scale) -> dict[str, Any]:
    values = {
        "score": _brief(measured.score),
        "p": wording.p_value(measured.p_value),
        "memorised": measured.memorised,
        "x": round(STRIP_WIDTH * scale.place(measured.score), 1),
    }
    if measured.distance is not None:
        values["distance"] = wording.figure(measured.distance)
        values["magnitude"] = wording.figure(measured.magnitude)
    return values


def _brief(value: float) -> float:
    """Ten digits: more than is shown, and few enough to rank thousands in a small page."""
    return float(f"{value:.10g}")


def _tokens(probe: Probe) -> list[tuple[str, str, int]]:
    """Each token with its significance in words and its shade."""
    return list(_shaded(probe))


def _shaded(probe: Probe) -> Iterator[tuple[str, str, int]]:
    most = max((value for _, value in probe.tokens), default=0.0)
    for text, value in probe.tokens:
        level = round(HEAT_LEVELS * value / most) if most > 0 else 0
        yield inert(text), wording.figure(value), max(0, level)
