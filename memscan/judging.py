"""From two tables of hashes to findings: search, verdict, reasons, chance level."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from memscan import hamming, search, verdicts
from memscan.errors import InputError
from memscan.evidence import chance
from memscan.hamming import Neighbours, Positions
from memscan.records import (
    Basis,
    Chance,
    CurvePoint,
    Finding,
    Match,
    Reason,
    Thresholds,
)
from memscan.table import HashTable

GENERIC_COUNT, GENERIC_SHARE = 10, 1e-4
"""A target is close to very many sources if more than both within the distinct threshold are no
near-duplicates of its closest match: ten, and 40 times the share of unrelated photographs."""

_SAMPLE = 1 << 15
"""Sources that the distances of a target are counted over for its chance level."""


class Background(NamedTuple):
    """What the distances of M targets to a sample of the sources say about chance.

    ``within``, of shape (M, 33), is the expected number of unrelated sources at each even distance
    or closer, NaN in the rows of targets that meet too few sources. ``curve`` compares the pairs.
    """

    within: npt.NDArray[np.float64]
    curve: tuple[CurvePoint, ...]


def judge(
    targets: HashTable,
    sources: HashTable,
    thresholds: Thresholds,
    top_k: int = 1,
    excluded: Positions | None = None,
    with_supporting: bool = False,
    jobs: int | None = None,
) -> tuple[tuple[Finding, ...], tuple[CurvePoint, ...]]:
    """A finding for each target, in order, and the curve of all distances against chance.

    ``excluded``, of shape (M,), is for each target the position of a source that is not compared
    with it, or -1. ``with_supporting`` fills ``Finding.supporting``. Raises InputError where a
    target has no source left to be compared with.
    """
    found = search.nearest(
        targets.hashes,
        sources.hashes,
        min(top_k, len(sources)),
        excluded,
        thresholds.distinct,
        jobs,
    )
    background = _background(targets, sources, excluded, jobs)
    findings = []
    for row, path in enumerate(targets.paths):
        matches = _matches(sources, found, row)
        if not matches:
            raise InputError(f"{path}: the source holds no other image to compare it with")
        finding = Finding(
            target=path,
            hash=int(targets.hashes[row]),
            verdict=verdicts.judge(matches[0].distance, thresholds),
            reasons=_reasons(targets, sources, found, row, thresholds, excluded),
            matches=matches,
            chance=_chance(background, row, matches[0].distance, targets),
        )
        if with_supporting:
            supporting = _supporting(finding, sources, row, thresholds, excluded)
            finding = dataclasses.replace(finding, supporting=supporting)
        findings.append(finding)
    return tuple(findings), background.curve


def _matches(sources: HashTable, found: Neighbours, row: int) -> tuple[Match, ...]:
    return tuple(
        Match(sources.paths[position], int(sources.hashes[position]), distance)
        for position, distance in zip(found.positions[row].tolist(), found.distances[row].tolist())
        if position >= 0
    )


def _close(
    sources: HashTable, hash: int, radius: int, row: int, excluded: Positions | None
) -> Positions:
    """The positions of all sources within ``radius`` bits of one target."""
    inside = hamming.distances(sources.hashes, np.uint64(hash)) <= radius
    if excluded is not None and excluded[row] >= 0:
        inside[excluded[row]] = False
    return np.flatnonzero(inside)


def _supporting(
    finding: Finding,
    sources: HashTable,
    row: int,
    thresholds: Thresholds,
    excluded: Positions | None,
) -> tuple[tuple[int, int], ...]:
    radius = thresholds.near if finding.distance <= thresholds.near else thresholds.distinct
    if finding.distance > radius:
        return ()
    hashes = np.unique(sources.hashes[_close(sources, finding.hash, radius, row, excluded)])
    found = hamming.distances(hashes, np.uint64(finding.hash))
    return tuple(sorted(zip(hashes.tolist(), found.tolist()), key=lambda pair: pair[::-1]))


def _reasons(
    targets: HashTable,
    sources: HashTable,
    found: Neighbours,
    row: int,
    thresholds: Thresholds,
    excluded: Positions | None,
) -> tuple[Reason, ...]:
    """Why a person should look at the finding on a target."""
    hash, distance = int(targets.hashes[row]), int(found.distances[row, 0])
    if distance > thresholds.distinct:
        return (Reason.LOW_INFORMATION,) if targets.low_information[row] else ()
    reasons = []
    if verdicts.is_borderline(distance, thresholds):
        reasons.append(Reason.BORDERLINE)
    if targets.low_information[row]:
        reasons.append(Reason.LOW_INFORMATION)
    elif sources.low_information[found.positions[row, 0]]:
        # The faint copy of an image in the source must not hide that the image itself is there.
        limit = thresholds.near if distance <= thresholds.near else thresholds.distinct
        if sources.low_information[_close(sources, hash, limit, row, excluded)].all():
            reasons.append(Reason.LOW_INFORMATION)
    many = max(GENERIC_COUNT, GENERIC_SHARE * len(sources))
    if found.within[row] > many:
        close = sources.hashes[_close(sources, hash, thresholds.distinct, row, excluded)]
        apart = hamming.distances(close, sources.hashes[found.positions[row, 0]])
        if np.count_nonzero(apart > thresholds.near) > many:
            reasons.append(Reason.GENERIC_HASH)
    return tuple(reasons)


def _background(
    targets: HashTable, sources: HashTable, excluded: Positions | None, jobs: int | None
) -> Background:
    stride = -(-len(sources) // _SAMPLE)
    sample = sources.hashes[::stride]
    counts = search.histograms(targets.hashes, np.ascontiguousarray(sample), jobs)
    if excluded is not None:
        for row in np.flatnonzero((excluded >= 0) & (excluded % stride == 0)).tolist():
            own = sources.hashes[excluded[row] : excluded[row] + 1]
            counts[row, hamming.distances(own, targets.hashes[row])[0]] -= 1
    expected = chance.expected(counts)
    known = ~np.isnan(expected[:, 0]) & ~targets.low_information
    observed = counts[known].sum(axis=0)
    observed[:64:2] += observed[1::2]
    points = zip(range(0, 65, 2), observed[::2].tolist(), expected[known].sum(axis=0).tolist())
    curve = tuple(CurvePoint(*point) for point in points) if known.any() else ()
    scale = len(sources) / max(1, len(sample))
    return Background(expected.cumsum(axis=1) * scale, curve)


def _chance(background: Background, row: int, distance: int, targets: HashTable) -> Chance:
    if targets.low_information[row]:
        return Chance(None, Basis.LOW_INFORMATION)
    expected = float(background.within[row, distance // 2])
    if np.isnan(expected):
        return Chance(None, Basis.SOURCE_TOO_SMALL)
    observed = distance >= chance.OBSERVED
    # Three digits are more than the model is good for, and the same for any order of sums.
    return Chance(float(f"{expected:.3g}"), Basis.OBSERVED if observed else Basis.EXTRAPOLATED)
