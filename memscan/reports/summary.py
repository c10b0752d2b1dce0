"""What a scan of many targets says as a whole, in a few lines of text."""

from __future__ import annotations

from typing import Iterator

from memscan.records import Reason, Verdict
from memscan.report import CopiedSource, Holdout, Report
from memscan.reports import wording
from memscan.reports.names import inert_path

RULE = "-" * 40
LISTED = 10
"""Copied training images that are named; the other formats name all."""


def lines(report: Report) -> Iterator[str]:
    """Counts, the memorisation rate with its interval, the most copied images, what was lost.

    The report holds at least one finding.
    """
    total = len(report.findings)
    yield "Summary"
    yield RULE
    counts = ", ".join(f"{report.count(verdict):,} {verdict.value}" for verdict in Verdict)
    yield f"Targets: {total:,} ({counts})"
    if report.options.baseline is not None:
        accepted = sum(finding.accepted for finding in report.findings)
        yield f"Accepted by the baseline: {accepted:,}"
    yield from _reviews(report)
    yield f"Memorisation rate: {wording.memorised(report)}"
    if report.holdout is not None and report.has_rate:
        yield from _holdout(report.holdout, total)
    if report.copied:
        yield "Most copied training images:"
        yield from map(_copied, report.copied[:LISTED])
        if len(report.copied) > LISTED:
            yield f"    and {len(report.copied) - LISTED:,} more"
    if report.failures:
        lost = [
            _number(len(report.target_failures), "target"),
            _number(len(report.source_failures), "source image"),
        ]
        if report.holdout is not None:
            lost.append(_number(len(report.holdout.failures), "held-out image"))
        yield f"Not read: {', '.join(lost)}"


def _reviews(report: Report) -> Iterator[str]:
    reviews = [finding for finding in report.findings if finding.review]
    if reviews:
        counts = {
            reason.value: sum(reason in finding.reasons for finding in reviews) for reason in Reason
        }
        named = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
        yield f"To review: {len(reviews):,} ({named})"


def _holdout(holdout: Holdout, total: int) -> Iterator[str]:
    yield f"Rate against the holdout: {wording.share(holdout.copies, total)}"
    yield (
        f"Difference: {holdout.only_source:,} of the targets copy the source alone, "
        f"{holdout.only_holdout:,} the holdout alone "
        f"(exact McNemar test, p = {holdout.p_value:.2g})"
    )


def _copied(item: CopiedSource) -> str:
    often = f" (its hash stands {item.same_hash:,} times in the source)"
    targets = _number(len(item.targets), "target")
    return f"    {targets}: {inert_path(item.source)}{often if item.same_hash > 1 else ''}"


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
