"""A comparison of all targets with all sources as a person reads it in a terminal."""

from __future__ import annotations

from typing import Iterator

from memscan.detectors.classes import CLASSES
from memscan.evidence import rates
from memscan.likeness import Labelled, LikenessReport, Nearest
from memscan.reports.names import inert, inert_path
from memscan.reports.text import RULE
from memscan.reports.unread import unread_lines

_NAME, _COLUMN = 24, 11  # widths of tables


def render(report: LikenessReport, shown: int, verbose: bool) -> str:
    """The ``shown`` most alike targets, and the numbers."""
    return "\n".join(_lines(report, shown, verbose)) + "\n"


def _lines(report: LikenessReport, shown: int, verbose: bool) -> Iterator[str]:
    card = report.card
    yield f"Comparing by {card.kind} ({inert(card.name)})..."
    for role, places, failures in (
        ("target", report.targets, report.target_failures),
        ("source", report.sources, report.source_failures),
    ):
        for place in places:
            yield f"[+] Found {place.found} {role} images in {inert_path(place.path)}"
        yield from unread_lines(failures, verbose)
    yield ""
    if shown:
        yield from _most_alike(report, shown)
        yield ""
    yield from _tallies(report)
    if report.labelled is not None:
        yield ""
        yield from _labelled(report.labelled)
    yield ""
    yield from _summary(report)


def _most_alike(report: LikenessReport, shown: int) -> Iterator[str]:
    yield "Most alike"
    yield RULE
    for one in report.most_alike[:shown]:
        yield from _pair(one)
    if len(report.nearest) > shown:
        yield f"and {len(report.nearest) - shown} other targets (--top shows more, JSON has all)"


def _pair(one: Nearest) -> Iterator[str]:
    if one.source is None or one.score is None:
        yield f"{'':18}{inert_path(one.target)} (no source but itself)"
    else:
        yield f"{one.score:6.3f} {CLASSES[one.kind]:10} {inert_path(one.target)}"
        yield f"{'':18}{inert_path(one.source)}"


def _tallies(report: LikenessReport) -> Iterator[str]:
    tallies = report.tallies.values()
    yield _row("Cuts", list(report.tallies))
    yield RULE
    yield _row("Similar from", [f"{tally.cuts.similar:.3f}" for tally in tallies])
    yield _row("Duplicate from", [f"{tally.cuts.duplicate:.3f}" for tally in tallies])
    for what in ("pairs", "targets"):
        for kind, name in enumerate(CLASSES):
            counts = [str(getattr(tally, what)[kind]) for tally in tallies]
            yield _row(f"{name.capitalize()} {what}", counts)


def _labelled(labelled: Labelled) -> Iterator[str]:
    qualities = labelled.qualities.values()
    yield _row(f"{labelled.reported} labelled pairs", list(labelled.qualities))
    yield RULE
    yield _row("Macro F1", [_share(one.macro_f1) for one in qualities])
    for kind, name in enumerate(CLASSES):
        title = name.capitalize()
        yield _row(f"{title}: precision", [_share(one.precision[kind]) for one in qualities])
        yield _row(f"{title}: recall", [_share(one.recall[kind]) for one in qualities])
    if labelled.absolute_error is not None:
        yield f"Mean absolute error of SSIM: {labelled.absolute_error:.3f}"
        yield f"Spearman's correlation with SSIM: {_share(labelled.rank_correlation)}"
    if "fitted" in labelled.qualities:
        yield f"Fitted on {labelled.calibration} other pairs."
    else:
        yield (
            f"Nothing was fitted: the {labelled.calibration} pairs for calibration do not have "
            "all three classes."
        )
    if labelled.missing:
        yield f"Labelled pairs with an image that is not compared here: {labelled.missing}"


def _summary(report: LikenessReport) -> Iterator[str]:
    targets = report.tallies[report.judged_by].targets
    yield "Summary"
    yield RULE
    yield f"Targets: {len(report.nearest)}, sources: {report.compared_sources}"
    for least, what in ((2, "a duplicate"), (1, "a similar source or a duplicate")):
        rate = rates.rate(sum(targets[least:]), len(report.nearest))
        yield (
            f"Targets with {what}: {rate.count} ({rate.share:.1%}, 95% interval {rate.low:.1%} to "
            f"{rate.high:.1%})"
        )
    yield from about_classes(report)
    yield f"Not read: {len(report.target_failures) + len(report.source_failures)}"


def about_classes(report: LikenessReport) -> Iterator[str]:
    """Sentences: which cuts decide the classes, and what a class is worth."""
    cuts = "the fitted cuts" if report.judged_by == "fitted" else "the cuts of the card"
    yield f"Classes are by {cuts}."
    if report.judged_by == "card" and not report.card.is_calibrated:
        yield "They are not calibrated: a class is a reason to look, and no verdict."


def _row(title: str, cells: list[str]) -> str:
    return f"{title:{_NAME}}" + "".join(f"{cell:>{_COLUMN}}" for cell in cells)


def _share(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"
