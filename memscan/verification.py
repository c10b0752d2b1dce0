"""The pixels behind a match: both images are read again, drawn as they met, and compared."""

from __future__ import annotations

import dataclasses
import functools
from typing import Callable, Collection, Iterable, Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from memscan import decode, engines, hashing, opening, registration, verdicts, views
from memscan.errors import ImageError
from memscan.records import Finding, Match, Reason, Thresholds, Verdict, View

CONFIRMED = 0.8
"""The least similarity that makes a candidate a near-duplicate (see DESIGN.md)."""

CONTRADICTED = 0.45
"""A candidate with less is called in question."""

_Open = Callable[[str], decode.Decoded]


def verify(
    findings: Sequence[Finding],
    thresholds: Thresholds,
    level: str,
    max_pixels: int = decode.MAX_PIXELS,
    jobs: int | None = None,
    remote_places: Collection[str] = (),
    contradicts: bool = True,
) -> tuple[Finding, ...]:
    """The findings with the similarity of their matches within the distinct threshold.

    At a level of views other than plain, the similarity of the closest match also decides:

    - a candidate between the thresholds that it confirms is a near-duplicate, ``VERIFIED``;
    - a candidate that it contradicts is under review, ``UNVERIFIED``, and no copy unless both
      images met whole, as they are stored: the many views of one pair bring chance hits.

    The second is left out unless it ``contradicts``: a learned detector finds copies whose pixels
    do not agree. What an uncalibrated detector found is not confirmed. Low-information findings
    stay as they are: there is nothing to align. Of stores, only the URLs ``remote_places`` are
    asked.
    """
    open_again = functools.partial(
        opening.open_any, max_pixels=max_pixels, fast=True, remote_places=remote_places
    )

    def look(some: Iterable[Finding]) -> list[Finding]:
        return [_seen(finding, thresholds, open_again) for finding in some]

    with decode.pixel_limit(max_pixels):
        seen = tuple(engines.map_chunks(look, findings, jobs))
    if level == "plain":
        return seen
    return tuple(_judged(finding, thresholds, contradicts) for finding in seen)


def _seen(finding: Finding, thresholds: Thresholds, open_again: _Open) -> Finding:
    if finding.distance > thresholds.distinct or Reason.LOW_INFORMATION in finding.reasons:
        return finding
    target = _read(finding.target, open_again)
    matches = tuple(
        dataclasses.replace(match, similarity=_similarity(target, match, open_again))
        if match.distance <= thresholds.distinct
        else match
        for match in finding.matches
    )
    return dataclasses.replace(finding, matches=matches)


def _similarity(target: Image.Image | None, match: Match, open_again: _Open) -> float | None:
    source = _read(match.source, open_again)
    if target is None or source is None:
        return None
    try:
        one, other = _thumbnail(target, match.view.target), _thumbnail(source, match.view.source)
    except (ImageError, MemoryError):
        return None
    return round(registration.similarity(one, other), 3)


def _read(path: str, open_again: _Open) -> Image.Image | None:
    try:
        return open_again(path).image
    except (ImageError, MemoryError):  # it was hashed before, so it changed or is gone
        return None


def _thumbnail(image: Image.Image, view: str) -> npt.NDArray[np.float64]:
    grey = hashing.luminance(views.draw(image, view))
    side = registration.SIDE
    return np.asarray(grey.resize((side, side), Image.Resampling.BOX), np.float64)


def _judged(finding: Finding, thresholds: Thresholds, contradicts: bool) -> Finding:
    closest = finding.matches[0]
    similarity = closest.similarity
    if similarity is None:
        return finding
    if similarity >= CONFIRMED and verdicts.is_borderline(closest.distance, thresholds):
        return verdicts.confirmed(finding)
    if similarity < CONTRADICTED and contradicts:
        verdict = finding.verdict if closest.view == View() else Verdict.DISTINCT
        return dataclasses.replace(
            finding, verdict=verdict, reasons=(*finding.reasons, Reason.UNVERIFIED)
        )
    return finding
