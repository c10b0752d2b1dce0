"""What a learned detector says of candidates that a search found: a score for each pair.

Each image is opened again and drawn in the view in which it met the other, so a network sees what
the search compared. Only pairs within the distinct threshold are scored.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Callable, Collection, Sequence

import numpy as np
from PIL import Image

from memscan import decode, hashing, opening, verdicts, views
from memscan.detectors.protocol import Detector, Pixels
from memscan.errors import ImageError, InputError
from memscan.records import Finding, Progress, Reason, Thresholds
from memscan.sources.stores import shown

_PAIRS = 16  # of one target that are embedded at a time

_Open = Callable[[str], decode.Decoded]


def confirm(
    findings: Sequence[Finding],
    thresholds: Thresholds,
    detector: Detector,
    max_pixels: int = decode.MAX_PIXELS,
    remote_places: Collection[str] = (),
    progress: Progress | None = None,
) -> tuple[Finding, ...]:
    """The findings with the scores of their matches within the distinct threshold.

    The score of the closest match also decides, if the detector is calibrated:

    - a candidate between the thresholds that it takes for a duplicate is a near-duplicate,
      ``VERIFIED``, unless an uncalibrated detector found it;
    - a candidate that it takes for different is under review, ``UNVERIFIED``, with its verdict.

    Where an uncalibrated detector would have decided so, the finding is under review,
    ``UNCALIBRATED``, with its verdict. Low-information findings stay as they are. Of stores, only
    the URLs ``remote_places`` are asked; images that cannot be read again get no score.
    """
    candidates = [
        row
        for row, finding in enumerate(findings)
        if finding.distance <= thresholds.distinct and Reason.LOW_INFORMATION not in finding.reasons
    ]
    open_again = functools.partial(
        opening.open_any, max_pixels=max_pixels, remote_places=remote_places
    )
    confirmed = list(findings)
    with decode.pixel_limit(max_pixels):
        for done, row in enumerate(candidates, start=1):
            scored = _scored(findings[row], thresholds, detector, open_again)
            confirmed[row] = _judged(scored, thresholds, detector)
            if progress is not None:
                progress("candidate pairs", done, len(candidates))
    return tuple(confirmed)


def score(detector: Detector, one: str, other: str, max_pixels: int = decode.MAX_PIXELS) -> float:
    """The score of two images by their paths. Raises InputError."""
    with decode.pixel_limit(max_pixels):
        pixels = []
        for path in (one, other):
            open_again = functools.partial(
                opening.open_any, max_pixels=max_pixels, remote_places=[path]
            )
            try:
                pixels.append(detector.prepare(open_again(path).image))
            except ImageError as error:
                raise InputError(f"{shown(path)}: {error}") from error
    return _scores(detector, pixels[0], [pixels[1]])[0]


def _scored(
    finding: Finding, thresholds: Thresholds, detector: Detector, open_again: _Open
) -> Finding:
    matches = list(finding.matches)
    target = _read(finding.target, open_again)
    due = [row for row, match in enumerate(matches) if match.distance <= thresholds.distinct]
    for view in dict.fromkeys(matches[row].view.target for row in due):
        rows = [row for row in due if matches[row].view.target == view]
        ours = _prepared(detector, target, view)
        theirs = [
            _prepared(detector, _read(matches[row].source, open_again), matches[row].view.source)
            for row in rows
        ]
        readable = [(row, pixels) for row, pixels in zip(rows, theirs) if pixels is not None]
        if ours is None or not readable:
            continue
        scores = _scores(detector, ours, [pixels for _, pixels in readable])
        for (row, _), value in zip(readable, scores):
            matches[row] = dataclasses.replace(matches[row], confirmation=value)
    return dataclasses.replace(finding, matches=tuple(matches))


def _read(path: str, open_again: _Open) -> Image.Image | None:
    try:
        return open_again(path).image
    except (ImageError, MemoryError):  # it was hashed before, so it changed or is gone
        return None


def _prepared(detector: Detector, image: Image.Image | None, view: str) -> Pixels | None:
    if image is None:
        return None
    try:
        with hashing.resizable(image):
            return detector.prepare(views.draw(image, view))
    except ImageError:
        return None


def _scores(detector: Detector, target: Pixels, sources: Sequence[Pixels]) -> list[float]:
    """The scores of one target with some sources, to six decimals. Raises InputError."""
    scores: list[float] = []
    for start in range(0, len(sources), _PAIRS):
        embeddings = detector.embed(np.stack([target, *sources[start : start + _PAIRS]]))
        others = embeddings[1:]
        found = detector.paired(np.repeat(embeddings[:1], len(others), axis=0), others)
        if not np.isfinite(found).all():
            raise InputError(f"{detector.card.name}: the network gives scores that are not finite")
        scores += [round(value, 6) for value in found.tolist()]
    return scores


def _judged(finding: Finding, thresholds: Thresholds, detector: Detector) -> Finding:
    value = finding.matches[0].confirmation
    if value is None:
        return finding
    cuts = detector.card.cuts
    borderline = Reason.BORDERLINE in finding.reasons
    is_duplicate, is_different = borderline and value >= cuts.duplicate, value < cuts.similar
    if not is_duplicate and not is_different:
        return finding
    if not detector.card.is_calibrated:
        return _with_reason(finding, Reason.UNCALIBRATED)
    return _with_reason(finding, Reason.UNVERIFIED) if is_different else verdicts.confirmed(finding)


def _with_reason(finding: Finding, reason: Reason) -> Finding:
    if reason in finding.reasons:
        return finding
    return dataclasses.replace(finding, reasons=(*finding.reasons, reason))
