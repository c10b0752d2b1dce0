"""The result of a protocol as a person reads it in a terminal."""

from __future__ import annotations

from typing import Iterator, Sequence

from memscan.protocols import Column, Comparison, Entry, Part
from memscan.reports.names import inert, inert_path
from memscan.reports.protocols import wording
from memscan.reports.unread import unread_lines

_NAME, _MAIN = 18, 22

_BY_CELL = ("auc", "recall", "fpr")
"""The columns that are shown for each cell of a grid; the other formats have them all."""


def render(comparison: Comparison, verbose: bool) -> str:
    """The whole result; a verbose one names what could not be read."""
    return "\n".join(_lines(comparison, verbose)) + "\n"


def _lines(comparison: Comparison, verbose: bool) -> Iterator[str]:
    yield f"Protocol {comparison.protocol.value}: {comparison.images}"
    for source in comparison.sources:
        yield f"[+] Found {source.found} images in {inert_path(source.path)}"
    yield from unread_lines(comparison.failures, verbose)
    if comparison.ignored:
        yield f"[+] Left out {comparison.ignored} images, as asked"
    yield f"{wording.measured(comparison)} In percent, with 95 % intervals in brackets."
    for part in wording.wholes(comparison):
        for title, columns in wording.sheets(comparison).items():
            yield from _sheet(comparison, part, title, columns)
    for column in comparison.columns:
        if column.key in _BY_CELL:
            yield from _grid(comparison, column)
    yield from _facts(comparison)


def _sheet(
    comparison: Comparison, part: Part, title: str, columns: Sequence[Column]
) -> Iterator[str]:
    entries = wording.shown(comparison, columns, part)
    if not entries:
        return
    yield ""
    yield f"{title}: {part.title} ({wording.counts(part)})"
    widths = [_width(comparison, column) for column in columns]
    yield "-" * (_NAME + sum(widths))
    yield f"{'':{_NAME}}" + "".join(f"{c.title:>{w}}" for c, w in zip(columns, widths))
    for entry in entries:
        cells = [_cell(comparison, entry, part, column) for column in columns]
        shown = "".join(f"{cell:>{width}}" for cell, width in zip(cells, widths))
        yield f"{inert(entry.name):{_NAME}}{shown}"


def _cell(comparison: Comparison, entry: Entry, part: Part, column: Column) -> str:
    estimate = entry.figures[part.key].get(column.key)
    text = wording.figure(estimate, column)
    if column.key == comparison.main or not column.is_share:
        text = f"{text} {wording.interval(estimate, column)}".rstrip()
    return text


def _width(comparison: Comparison, column: Column) -> int:
    if column.key == comparison.main:
        return _MAIN
    return max(9, len(column.title) + 2) if column.is_share else _MAIN


def _grid(comparison: Comparison, column: Column) -> Iterator[str]:
    """One column for each cell of the grid, a column of text for each detector."""
    grid = wording.cells(comparison)
    if not grid:
        return
    yield ""
    yield f"{column.title} by edit"
    widths = [max(9, len(inert(entry.name)) + 2) for entry in comparison.entries]
    yield "-" * (_NAME + sum(widths))
    names = (f"{inert(entry.name):>{width}}" for entry, width in zip(comparison.entries, widths))
    yield f"{'':{_NAME}}" + "".join(names)
    for part in grid:
        if part.place == 0:
            yield f"{part.group}:"
        figures = (
            wording.figure(entry.figures[part.key].get(column.key), column)
            for entry in comparison.entries
        )
        shown = "".join(f"{cell:>{width}}" for cell, width in zip(figures, widths))
        yield f"  {part.title:{_NAME - 2}}{shown}"


def _facts(comparison: Comparison) -> Iterator[str]:
    sentences = list(wording.verdicts(comparison))
    if sentences:
        yield ""
        yield "Models and plain baselines:"
        yield from (f"  {inert(sentence)}" for sentence in sentences)
    yield ""
    yield "What is compared, what it was trained on, and its thresholds (distances):"
    for entry in comparison.entries:
        limits = ", ".join(
            f"{name} {wording.threshold(value)}" for name, value in entry.thresholds.items()
        )
        yield f"  {inert(entry.name)}: {inert(entry.description)}"
        yield f"    {inert(entry.origin.training)}; {limits}"
    yield ""
    yield "What to know:"
    yield from (f"  {note}" for note in comparison.notes)
