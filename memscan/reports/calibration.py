"""Cuts that were fitted, as a person and as a program reads them."""

from __future__ import annotations

import json
from typing import Any, Iterator

from memscan import __version__
from memscan.detectors.calibration import Fit, Fitted, Judged
from memscan.detectors.cards import Card
from memscan.evidence.rates import Rate
from memscan.reports.json_document import SCHEMA_VERSION, failure
from memscan.reports.names import inert, path_fields
from memscan.reports.unread import unread_lines

FORMATS = ("text", "json")

_ROW = "{:<10} {:>9}  {:>8}  {:<40}  {}"


def render(fitted: Fitted, card: Card, weights: str, format: str, verbose: bool = False) -> str:
    """One of :data:`FORMATS`; ``card`` is the one with the new cuts, ``weights`` its file."""
    if format == "json":
        return json.dumps(_document(fitted, card, weights), indent=2) + "\n"
    return "\n".join(_lines(fitted, card, verbose)) + "\n"


def _lines(fitted: Fitted, card: Card, verbose: bool) -> Iterator[str]:
    yield f"Calibrating {inert(card.name)} ({card.kind})..."
    yield f"[+] Read {fitted.images} images"
    yield from unread_lines(fitted.failures, verbose)
    yield _ROW.format("", "cut", "asked", "unrelated pairs that pass", "recall [95 %]")
    for name, fit in (("duplicate", fitted.duplicate), ("similar", fitted.similar)):
        cut, asked = f"{fit.cut:.6f}", f"{fit.rate:g}"
        yield _ROW.format(name, cut, asked, _passed(fit.fitted.passed), _recall(fit.fitted.recall))
        if fit.check is not None:
            check = fit.check
            yield _ROW.format("  check", "", "", _passed(check.passed), _recall(check.recall))
    yield (
        "The cuts hold for images like these; they are too good if the detector was trained on "
        "any of them."
    )


def _passed(rate: Rate | None) -> str:
    if rate is None:
        return "none to check on"
    return f"{rate.count:,} of {rate.total:,} ({rate.share:.2g}, at most {rate.high:.2g})"


def _recall(rate: Rate | None) -> str:
    if rate is None:
        return "none to check on"
    interval = f"[{100 * rate.low:.1f}, {100 * rate.high:.1f}]"
    return f"{100 * rate.share:.1f} % {interval} of {rate.total:,}"


def _document(fitted: Fitted, card: Card, weights: str) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "tool": {"name": "memscan", "version": __version__},
        "weights": {**path_fields("path", weights), "sha256": card.sha256},
        "detector": {"kind": card.kind, "name": card.name},
        "images": {"read": fitted.images, "failed": len(fitted.failures)},
        "cuts": {
            "duplicate": _fit(fitted.duplicate),
            "similar": _fit(fitted.similar),
        },
        "failures": [failure(item) for item in fitted.failures],
    }


def _fit(fit: Fit) -> dict[str, Any]:
    return {
        "cut": fit.cut,
        "rate": fit.rate,
        "fitted": _judged(fit.fitted),
        "check": None if fit.check is None else _judged(fit.check),
    }


def _judged(judged: Judged) -> dict[str, Any]:
    return {"recall": _rate(judged.recall), "passed": _rate(judged.passed)}


def _rate(rate: Rate | None) -> dict[str, Any] | None:
    if rate is None:
        return None
    return {
        "count": rate.count,
        "total": rate.total,
        "share": rate.share,
        "low": rate.low,
        "high": rate.high,
    }
