"""Learned detectors in words and in fields, for every format."""

from __future__ import annotations

from typing import Any, Iterator

from memscan.records import Calibration, Match
from memscan.report import Network, Report
from memscan.reports.names import inert


def distance(value: float) -> str:
    """Whole bits as they are, 1 minus a score to four decimals: more is rounding."""
    return str(value) if isinstance(value, int) else f"{value:.4f}"


def title(network: Network) -> str:
    """Which detector it is: its kind, name, and the first digits of its weights' sha256."""
    return f"{network.kind} {inert(network.name)} (weights sha256 {network.sha256[:12]})"


def cuts(network: Network) -> str:
    """From which scores on a pair is what."""
    found = network.cuts
    return f"duplicate from {found.duplicate:g}, similar from {found.similar:g}"


def calibration(network: Network) -> str:
    """What the cuts are worth."""
    seen = network.calibration
    if seen is None:
        return "not calibrated, so what it finds is worth a review and no more"
    return (
        f"calibrated: at the cut of duplicates {seen.observed:.3g} of {seen.negatives:,} unrelated "
        f"pairs passed ({seen.rate:.3g} was asked for) and {seen.recall:.3g} of {seen.positives:,} "
        "right ones"
    )


def worth(network: Network) -> str:
    """Whether it is calibrated, in a few words."""
    return "calibrated" if network.is_calibrated else "not calibrated, for a review and no more"


def details(network: Network) -> str:
    """Its cuts and what they are worth."""
    return f"{cuts(network)}; {calibration(network)}"


def networks(report: Report) -> Iterator[tuple[str, Network]]:
    """The detectors that took part, as pairs of a role and a detector."""
    for role, network in (("compared by", report.detector), ("verified by", report.verifier)):
        if network is not None:
            yield role, network


def fields(network: Network | None) -> dict[str, Any] | None:
    """A detector as JSON holds it."""
    if network is None:
        return None
    return {
        "kind": network.kind,
        "name": inert(network.name),
        "sha256": network.sha256,
        "cuts": {"duplicate": network.cuts.duplicate, "similar": network.cuts.similar},
        "calibration": _calibration_fields(network.calibration),
    }


def document_fields(report: Report) -> dict[str, Any]:
    """The detectors that took part; nothing where none did."""
    if report.detector is None and report.verifier is None:
        return {}
    return {"detector": fields(report.detector), "verifier": fields(report.verifier)}


def match_fields(match: Match) -> dict[str, Any]:
    """What detectors say of a pair; nothing where none was asked."""
    found: dict[str, Any] = {}
    if not isinstance(match.distance, int):
        found["score"] = match.score
    if match.confirmation is not None:
        found["confirmation"] = match.confirmation
    return found


def _calibration_fields(seen: Calibration | None) -> dict[str, Any] | None:
    if seen is None:
        return None
    return {
        "rate": seen.rate,
        "observed": seen.observed,
        "recall": seen.recall,
        "positives": seen.positives,
        "negatives": seen.negatives,
    }
