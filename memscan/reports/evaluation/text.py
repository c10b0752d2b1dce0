"""An evaluation as a person reads it in a terminal."""

from __future__ import annotations

from typing import Iterator

from memscan.reports.evaluation import Style, wording
from memscan.reports.names import inert_path
from memscan.reports.unread import unread_lines
from memscan.scorecard import DetectorScores, Scorecard, Scores, Times

_NAME, _RECALL, _COLUMN = 18, 20, 9


def render(card: Scorecard, style: Style) -> str:
    """The whole scorecard; a verbose one names what could not be read."""
    return "\n".join(_lines(card, style.verbose)) + "\n"


def _lines(card: Scorecard, verbose: bool) -> Iterator[str]:
    names = ", ".join(detector.name for detector in card.detectors)
    yield f"Evaluating {names} on {wording.BASES[card.basis]}..."
    for source in card.sources:
        yield f"[+] Found {source.found} images in {inert_path(source.path)}"
    yield from unread_lines(card.failures, verbose)
    if card.ignored:
        yield f"[+] Left out {card.ignored} images, as asked"
    yield wording.measured(card)
    for detector in card.detectors:
        yield ""
        yield from _table(detector)
        yield from _facts(detector, card.times.get(detector.name))


def _table(detector: DetectorScores) -> Iterator[str]:
    threshold = wording.distance(detector.default_threshold)
    yield f"{detector.name}: {detector.description}"
    yield f"Found at distance {threshold} or less. All numbers in percent."
    names = wording.metric_names(detector.false_positive_fits)
    yield "-" * (_NAME + _RECALL + _COLUMN * (len(names) - 1))
    yield _row("", "recall [95 %]", names[1:])
    group = None
    for edit in detector.edits:
        if edit.group != group:
            group = edit.group
            yield f"{group}:"
        yield _scores(f"  {edit.name}", edit.scores)
    yield _scores("overall", detector.overall)


def _scores(name: str, scores: Scores) -> str:
    recall, *others = wording.metric_values(scores)
    shown = tuple(wording.percent(estimate) for estimate in others)
    return _row(name, wording.percent_with_interval(recall), shown)


def _row(name: str, recall: str, others: tuple[str, ...]) -> str:
    return f"{name:{_NAME}}{recall:>{_RECALL}}" + "".join(f"{other:>{_COLUMN}}" for other in others)


def _facts(detector: DetectorScores, times: Times | None) -> Iterator[str]:
    yield ""
    names = wording.metric_names(detector.false_positive_fits)
    for name, estimate in zip(names, wording.metric_values(detector.overall)):
        yield f"Overall {name}: {wording.percent_with_interval(estimate)}"
    for asked, distance, calibration, reported in wording.attained(detector):
        yield (
            f"Threshold for {asked}: distance {distance}; "
            f"calibration half: {calibration}; reported half: {reported}"
        )
    yield f"Bytes per source image: {detector.bytes_per_source}"
    if times is not None:
        yield (
            f"Time per image: {1000 * times.source:.2f} ms for a source, "
            f"{1000 * times.target:.2f} ms for a target; per pair {1e9 * times.pair:.0f} ns"
        )
