"""The report as a person reads it in a terminal."""

from __future__ import annotations

import collections
import os
from typing import Iterator, Sequence

from memscan import views
from memscan.records import Basis, Chance, Finding, Match, Reason, Verdict, View
from memscan.report import Report
from memscan.reports import Style, learned, summary
from memscan.reports.names import inert, inert_path
from memscan.reports.unread import failure_line, unread_lines
from memscan.sources.stores import shown

RULE = "-" * 40

_SENTENCES = {
    Verdict.IDENTICAL: "Identical (Statistically Identical Images)",
    Verdict.NEAR_DUPLICATE: "Near-Duplicate (High Probability of Memorization)",
    Verdict.DISTINCT: "Distinct (No Evidence of Memorization)",
}
_INCONCLUSIVE = "Distinct (Inconclusive: Review Recommended)"


def render(report: Report, style: Style) -> str:
    """The whole report; ``style.verbose`` adds chance levels and failures of the source."""
    return "\n".join(_lines(report, style.verbose)) + "\n"


def verdict_lines(
    verdict: Verdict, reasons: Sequence[Reason], confirmation: float | None = None
) -> Iterator[str]:
    """The verdict in words and, where there is one, the reason for a review that it leaves out.

    ``confirmation`` is what a learned detector said of the pair.
    """
    open_question = Reason.BORDERLINE in reasons or Reason.UNCALIBRATED in reasons
    inconclusive = open_question and verdict is Verdict.DISTINCT
    yield "Verdict: " + (_INCONCLUSIVE if inconclusive else _SENTENCES[verdict])
    others = [reason for reason in reasons if reason is not Reason.BORDERLINE]
    asked = [reason.value for reason in others if reason.asks_for_review]
    if asked:
        yield "Review: " + ", ".join(asked)
    if Reason.VERIFIED in reasons and confirmation is None:
        yield "Verified: the pixels of both images agree once they are aligned"
    elif Reason.VERIFIED in reasons:
        yield "Verified: by a second look at both images"


def finding_lines(finding: Finding, verbose: bool) -> Iterator[str]:
    """One finding; ``verbose`` adds its chance level."""
    closest = finding.matches[0]
    yield "Closest Match Found:"
    yield f"File: {inert_path(closest.source)}"
    yield f"Distance: {learned.distance(closest.distance)}"
    if not isinstance(closest.distance, int):
        yield f"Score: {closest.score:.4f}"
    if closest.confirmation is not None:
        yield f"Confirmation: {closest.confirmation:.4f}"
    if closest.view != View():
        yield f"View: {closest.view.name}"
    for rank, match in enumerate(finding.matches[1:], start=2):
        distance = learned.distance(match.distance)
        yield f"{rank}. File: {inert_path(match.source)} Distance: {distance}{_seen(match)}"
    yield from verdict_lines(finding.verdict, finding.reasons, closest.confirmation)
    if finding.accepted:
        yield "Accepted: by the baseline"
    for hint in finding.hints:
        yield (
            f"Note: {hint.view.name}, the target matches {inert_path(hint.source)} at distance "
            f"{hint.distance} (--views {views.level_of(hint.view.target)} counts this)"
        )
    if verbose:
        if closest.similarity is not None:
            yield f"Similarity of the pixels: {closest.similarity:.2f}"
        if finding.quality is not None:
            yield f"Quality of the target's hash: {finding.quality} of 100"
        yield f"Expected by chance: {_chance(finding.chance)}"


def _lines(report: Report, verbose: bool) -> Iterator[str]:
    yield "Scanning source directory..."
    for source in report.sources:
        yield f"[+] Found {source.found} images in {inert_path(source.path)}"
    for role, network in learned.networks(report):
        how = learned.details(network) if verbose else learned.worth(network)
        yield f"[+] {role.capitalize()} {learned.title(network)}: {how}"
    yield from _volume_lines(report, verbose)
    yield from unread_lines(report.source_failures, verbose)
    if report.holdout is not None:
        for source in report.holdout.sources:
            yield f"[+] Found {source.found} images held out in {inert_path(source.path)}"
        yield from unread_lines(report.holdout.failures, verbose)
    for finding in report.findings:
        name = finding.target
        yield ""
        yield f"Analyzing target: {_title(name, report.single_file is not None)}"
        yield RULE
        yield from finding_lines(finding, verbose)
    if report.target_failures:
        yield ""
        yield f"[!] Could not read {len(report.target_failures)} targets:"
        for failure in report.target_failures:
            yield f"    {failure_line(failure)}"
    if report.findings and not report.single_file:
        yield ""
        yield from summary.lines(report)


def _title(path: str, is_only: bool) -> str:
    return inert(os.path.basename(shown(path))) if is_only else inert_path(path)


def _volume_lines(report: Report, verbose: bool) -> Iterator[str]:
    """How values of medical volumes became grey levels: each in its own line, or by frequency."""
    if verbose:
        for volume in report.volumes:
            yield f"[+] Grey levels of {inert_path(volume.path)}: {inert(volume.mapping)}"
    elif report.volumes:
        counts = collections.Counter(volume.mapping for volume in report.volumes)
        ways = ", ".join(f"{inert(way)} ({count})" for way, count in counts.most_common(3))
        others = f" and {len(counts) - 3} other ways" if len(counts) > 3 else ""
        yield f"[+] Grey levels of {len(report.volumes)} volumes: {ways}{others}"


def _seen(match: Match) -> str:
    return "" if match.view == View() else f" View: {match.view.name}"


def _chance(chance: Chance) -> str:
    if chance.expected is None:
        return f"unknown ({chance.basis.value})"
    bound = "at most " if chance.basis is Basis.CALIBRATED else ""
    return f"{bound}{chance.expected:.3g} source images as close ({chance.basis.value})"
