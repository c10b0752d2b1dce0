"""What the page's script works on: findings by evidence, the files they name, small pictures.

Each file is named once and each picture embedded once, however many targets copy it. Pictures are
for the pairs most worth looking at; the rest of the findings are rows of text.
"""

from __future__ import annotations

import itertools
import json
from typing import Any, Iterable, Iterator, NamedTuple, Sequence

from memscan import decode
from memscan.records import Finding, Match, Reason
from memscan.report import CopiedSource, Report
from memscan.reports import glossary, wording
from memscan.reports.names import file_uri, inert_path
from memscan.reports.thumbnails import FORMAT, Drawing, Thumbnail, thumbnails

MAX_PAIRS = 1500
"""Copies and findings under review that are shown as pictures, the strongest evidence first."""

CLOSEST_DISTINCT = 12
"""Findings beyond those that are shown as pictures all the same, so that a person can judge."""

COPIED_SHOWN = 24
"""Most copied sources whose picture is embedded, whether or not their pairs are."""

PICTURES_IN_BLOCK = 100  # the page parses a block when its first picture is to be seen

# What a script element's text must not hold, as JSON writes it instead. The rest is ASCII.
_ESCAPES = {ord("<"): "\\u003c", ord(">"): "\\u003e", ord("&"): "\\u0026"}


class PageData(NamedTuple):
    """JSON texts that are safe inside a script element."""

    document: str
    blocks: tuple[str, ...]


def page_data(report: Report) -> PageData:
    """Everything that the page's script shows. Reads the image files."""
    findings = by_evidence(report.findings)
    with_pictures = _with_pictures(findings)
    drawings = _drawings(report, findings, with_pictures)
    files = _Files(drawings, _max_pixels(report), report.remote_places)
    order = {finding.target: position for position, finding in enumerate(findings)}
    document = {
        "findings": [
            _finding(finding, position in with_pictures, files)
            for position, finding in enumerate(findings)
        ],
        "copied": [_copied(item, order, files) for item in report.copied],
        "files": files.rows,
        "mime": f"image/{FORMAT.lower()}",
        "blockSize": PICTURES_IN_BLOCK,
        "reasons": {reason.value: text for reason, text in glossary.reasons(report).items()},
        "scored": report.detector is not None,
    }
    pictures = iter(files.pictures)
    blocks = iter(lambda: list(itertools.islice(pictures, PICTURES_IN_BLOCK)), [])
    return PageData(script_json(document), tuple(script_json(block) for block in blocks))


def by_evidence(findings: Iterable[Finding]) -> list[Finding]:
    """Copies, then what is to be reviewed, then the rest; each by distance, then by chance."""

    def key(finding: Finding) -> tuple[int, float, float]:
        rank = 0 if finding.is_copy else 1 if finding.review else 2
        expected = finding.chance.expected
        return rank, finding.distance, float("inf") if expected is None else expected

    return sorted(findings, key=key)


def _with_pictures(findings: Sequence[Finding]) -> frozenset[int]:
    """The positions of the findings that are shown as pictures."""
    worth = sum(finding.is_copy or finding.review for finding in findings)
    shown = range(min(worth, MAX_PAIRS))
    closest = range(worth, min(worth + CLOSEST_DISTINCT, len(findings)))
    return frozenset((*shown, *closest))


def _drawings(
    report: Report, findings: Sequence[Finding], with_pictures: frozenset[int]
) -> list[Drawing]:
    """The pictures that are due: each image as the view shows it in which it met the other."""
    due = [Drawing(item.source) for item in report.copied[:COPIED_SHOWN]]
    for position in sorted(with_pictures):
        due += _drawn(findings[position])
    return list(dict.fromkeys(due))


def _drawn(finding: Finding) -> tuple[Drawing, Drawing]:
    """Target and closest source as they met."""
    closest = finding.matches[0]
    return (
        Drawing(finding.target, closest.view.target),
        Drawing(closest.source, closest.view.source),
    )


class _Files:
    """Every file that the page names, as rows [name, URI, picture], one for each way it is drawn.

    ``picture`` is its position in ``pictures``, -1 if it could not be read, None if none is due.
    """

    def __init__(
        self, drawings: Sequence[Drawing], max_pixels: int, remote_places: frozenset[str]
    ) -> None:
        self.rows: list[tuple[str, str | None, int | None]] = []
        self.pictures: list[Thumbnail] = []
        self._numbers: dict[Drawing, int] = {}
        for drawing, picture in zip(drawings, thumbnails(drawings, max_pixels, remote_places)):
            self._add(drawing, -1 if picture is None else len(self.pictures))
            if picture is not None:
                self.pictures.append(picture)

    def number(self, path: str, view: str = "full") -> int:
        """The row of the path, drawn in a view."""
        drawing = Drawing(path, view)
        if drawing not in self._numbers:
            self._add(drawing, None)
        return self._numbers[drawing]

    def _add(self, drawing: Drawing, picture: int | None) -> None:
        self._numbers[drawing] = len(self.rows)
        self.rows.append((inert_path(drawing.path), file_uri(drawing.path), picture))


def _finding(finding: Finding, pictured: bool, files: _Files) -> dict[str, Any]:
    return {
        "target": files.number(*_drawn(finding)[0]),
        "verdict": wording.verdict(finding),
        "kinds": list(_kinds(finding)),
        "reasons": [reason.value for reason in finding.reasons],
        "chance": wording.chance(finding.chance),
        "confirmation": finding.matches[0].confirmation,
        "pictured": pictured,
        "matches": [_match(match, files) for match in finding.matches],
    }


def _kinds(finding: Finding) -> Iterator[str]:
    """The filters that let the finding through."""
    if finding.is_copy:
        yield "copy"
    yield finding.verdict.value.lower()
    if finding.review:
        yield "review"
    if finding.accepted:
        yield "accepted"
    if Reason.LOW_INFORMATION in finding.reasons:
        yield "low-information"


def _match(match: Match, files: _Files) -> tuple[int, float, str]:
    return files.number(match.source, match.view.source), match.distance, match.view.name


def _copied(item: CopiedSource, order: dict[str, int], files: _Files) -> dict[str, Any]:
    return {
        "source": files.number(item.source),
        "sameHash": item.same_hash,
        "targets": [[files.number(target), order.get(target)] for target in item.targets],
    }


def _max_pixels(report: Report) -> int:
    limit = report.options.max_pixels
    return decode.MAX_PIXELS if limit is None else limit


def script_json(value: Any) -> str:
    """JSON that is safe inside a script element."""
    return json.dumps(value, separators=(",", ":")).translate(_ESCAPES)
