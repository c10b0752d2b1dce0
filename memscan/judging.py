"""From two tables of hashes to findings: search, verdict, reasons, chance level."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple, Sequence

import numpy as np
import numpy.typing as npt

from memscan import hamming, matching, search, verdicts, views
from memscan.errors import InputError
from memscan.evidence import chance, rates
from memscan.hamming import Hashes, Positions
from memscan.matching import Matches
from memscan.metric import HAMMING, Metric
from memscan.records import Basis, Chance, Finding, Match, Reason, Thresholds, View
from memscan.report import CurvePoint, Network
from memscan.sources.stores import shown
from memscan.table import HashTable, as_integer, sampled

GENERIC_COUNT, GENERIC_SHARE = 10, 1e-4
"""A target is close to very many sources if more than both within the distinct threshold are no
near-duplicates of its closest match: ten, and 40 times the share of unrelated photographs."""

# Seconds that a source costs when its hash is known, that a target costs, and that a comparison
# does; they decide how many views a plain scan can look at in passing.
_LOADING, _HASHING, _COMPARING, _HINT_SHARE = 5e-6, 2e-3, 1e-9, 0.1


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
    level: str = "plain",
    with_supporting: bool = False,
    with_chance: bool = True,
    jobs: int | None = None,
    metric: Metric = HAMMING,
    network: Network | None = None,
) -> tuple[tuple[Finding, ...], tuple[CurvePoint, ...]]:
    """A finding for each target, in order, and the curve of all distances against chance.

    ``excluded``, of shape (M,), is for each target the position of a source that is not compared
    with it, or -1. ``level`` says which views of the targets count, ``with_supporting`` whether
    ``Finding.supporting`` is wanted, ``with_chance`` whether the hashes are those that the model of
    chance was made for. ``metric`` is the distance, that of ``network`` if a learned detector made
    the hashes. Raises InputError where a target has no source left to be compared with.
    """
    counted = views.counted(level) if targets.view_names else ("full",)
    count, radius = min(top_k, len(sources)), metric.units(thresholds.distinct)
    found = matching.nearest(targets, sources, counted, count, excluded, radius, jobs, metric)
    hints = None if network else _hints(targets, sources, counted, excluded, jobs)
    background = _background(targets, sources, excluded, jobs) if with_chance else None
    findings = []
    for row, path in enumerate(targets.paths):
        matches = _matches(sources, found, row, metric)
        if not matches:
            raise InputError(f"{shown(path)}: the source holds no other image to compare it with")
        distance = matches[0].distance
        tries = len(found.names)
        if network:
            by_chance = _by_calibration(network, distance, tries * sources.size)
        else:
            by_chance = _chance(background, row, int(distance), targets, tries)
        finding = Finding(
            target=path,
            hash=_name(targets.hashes, row, metric),
            verdict=verdicts.judge(distance, thresholds),
            reasons=_reasons(targets, sources, found, row, thresholds, excluded, metric),
            matches=matches,
            chance=by_chance,
            quality=int(targets.qualities[row]) if len(targets.qualities) else None,
        )
        if network and not network.is_calibrated:
            finding = verdicts.under_review(finding, thresholds)
        hint = hints[row] if hints else None
        if hint is not None and _would_change(hint.distance, finding.distance, thresholds):
            finding = dataclasses.replace(finding, hints=(hint,))
        if with_supporting:
            supporting = _supporting(
                targets, sources, counted, row, thresholds, found, excluded, metric
            )
            finding = dataclasses.replace(finding, supporting=supporting)
        findings.append(finding)
    return tuple(findings), background.curve if background else ()


def _matches(sources: HashTable, found: Matches, row: int, metric: Metric) -> tuple[Match, ...]:
    return tuple(
        _match(sources, position, distance, found.names[view], metric)
        for position, distance, view in zip(
            found.positions[row].tolist(),
            found.distances[row].tolist(),
            found.views[row].tolist(),
        )
        if position >= 0
    )


def _match(
    sources: HashTable, position: int, distance: int, view: View, metric: Metric = HAMMING
) -> Match:
    name = view.source
    hashes = sources.hashes if name == "full" else sources.views[:, sources.view_names.index(name)]
    source_hash = _name(hashes, position, metric)
    return Match(sources.paths[position], source_hash, metric.shown(distance), view)


def _name(hashes: Hashes, row: int, metric: Metric) -> int:
    return as_integer(metric.names(hashes[row : row + 1])[0])


def _hints(
    targets: HashTable,
    sources: HashTable,
    counted: Sequence[str],
    excluded: Positions | None,
    jobs: int | None,
) -> list[Match | None]:
    """The closest source of each target in the views of it that do not count.

    Only as many views as a tenth of the time of the scan allows, the likeliest first. Flat images
    on either side give none.
    """
    seconds = _HINT_SHARE * (len(sources) * _LOADING + len(targets) * _HASHING)
    affordable = int(seconds / (len(targets) * len(sources) * _COMPARING or 1))
    others = [name for name in targets.view_names if name not in counted][:affordable]
    if not others or not len(sources) or sources.population is not None:
        return []
    full = HashTable(sources.paths, sources.hashes, sources.low_information)
    found = matching.nearest(targets, full, others, 1, excluded, 0, jobs)
    return [
        None
        if position < 0 or targets.low_information[row] or sources.low_information[position]
        else _match(full, position, int(found.distances[row, 0]), found.names[found.views[row, 0]])
        for row, position in enumerate(found.positions[:, 0].tolist())
    ]


def _would_change(distance: float, counted_distance: float, thresholds: Thresholds) -> bool:
    return distance < counted_distance and verdicts.judge(distance, thresholds) is not (
        verdicts.judge(counted_distance, thresholds)
    )


def _close(
    targets: HashTable,
    sources: HashTable,
    threshold: float,
    row: int,
    excluded: Positions | None,
    metric: Metric,
) -> Positions:
    """The positions of all sources within a threshold of one target."""
    inside = metric.near(sources.hashes, targets.hashes[row], metric.units(threshold)).positions
    return inside if excluded is None else inside[inside != excluded[row]]


def _supporting(
    targets: HashTable,
    sources: HashTable,
    counted: Sequence[str],
    row: int,
    thresholds: Thresholds,
    found: Matches,
    excluded: Positions | None,
    metric: Metric,
) -> tuple[tuple[int, float], ...]:
    """The hash of every source that supports the verdict, and its distance in the best views."""
    distance = metric.shown(int(found.distances[row, 0]))
    limit = thresholds.near if distance <= thresholds.near else thresholds.distinct
    if distance > limit:  # under review all the same: for a flat target the closest stands for all
        closest = _name(sources.hashes, int(found.positions[row, 0]), metric)
        return ((closest, distance),) if targets.low_information[row] else ()
    found_near = [
        metric.near(sources.column(source_view), targets.column(view)[row], metric.units(limit))
        for source_view in ("full", *sources.view_names)
        for view in counted
    ]
    positions, distances = (np.concatenate(part) for part in zip(*found_near))
    order = np.lexsort((distances, positions))
    positions, first = np.unique(positions[order], return_index=True)  # in the best views of each
    distances = distances[order[first]]
    if excluded is not None:
        kept = positions != excluded[row]
        positions, distances = positions[kept], distances[kept]
    names = metric.names(sources.hashes[positions])
    pairs = set(zip(map(as_integer, names), map(metric.shown, distances.tolist())))
    return tuple(sorted(pairs, key=lambda pair: pair[::-1]))


def _reasons(
    targets: HashTable,
    sources: HashTable,
    found: Matches,
    row: int,
    thresholds: Thresholds,
    excluded: Positions | None,
    metric: Metric,
) -> tuple[Reason, ...]:
    """Why a person should look at the finding on a target."""
    distance = metric.shown(int(found.distances[row, 0]))
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
        close = _close(targets, sources, limit, row, excluded, metric)
        if sources.low_information[close].all():
            reasons.append(Reason.LOW_INFORMATION)
    many = max(GENERIC_COUNT, GENERIC_SHARE * sources.size)
    if found.within[row] > many:
        close = _close(targets, sources, thresholds.distinct, row, excluded, metric)
        closest = sources.hashes[found.positions[row, 0]]
        alike = metric.near(sources.hashes[close], closest, metric.units(thresholds.near))
        if len(close) - len(alike.positions) > many:
            reasons.append(Reason.GENERIC_HASH)
    return tuple(reasons)


def _background(
    targets: HashTable, sources: HashTable, excluded: Positions | None, jobs: int | None
) -> Background:
    drawn = sampled(sources.hashes if sources.sample is None else sources.sample, sources.size)
    # Each hash once: copies of one image are no independent evidence of how close others come.
    sample, copies = np.unique(drawn, return_counts=True)
    counts = search.histograms(targets.hashes, sample, jobs)
    if excluded is not None:
        for row in np.flatnonzero(excluded >= 0).tolist():
            own = sources.hashes[excluded[row] : excluded[row] + 1]
            place = int(np.searchsorted(sample, own[0]))
            if place < len(sample) and sample[place] == own[0] and copies[place] == 1:
                counts[row, hamming.distances(own, targets.hashes[row])[0]] -= 1
    expected = chance.expected(counts)
    known = ~np.isnan(expected[:, 0]) & ~targets.low_information
    observed = counts[known].sum(axis=0)
    observed[:64:2] += observed[1::2]
    points = zip(range(0, 65, 2), observed[::2].tolist(), expected[known].sum(axis=0).tolist())
    curve = tuple(CurvePoint(d, seen, float(f"{x:.6g}")) for d, seen, x in points if known.any())
    scale = sources.size / max(1, len(sample))
    within = np.minimum(expected.cumsum(axis=1) * scale, sources.size)
    return Background(within, curve)


def _chance(
    background: Background | None, row: int, distance: int, targets: HashTable, tries: int
) -> Chance:
    """``tries`` are the pairs of views that were compared: each is a chance more."""
    if background is None:
        return Chance(None, Basis.NO_MODEL)
    if targets.low_information[row]:
        return Chance(None, Basis.LOW_INFORMATION)
    expected = tries * float(background.within[row, distance // 2])
    if np.isnan(expected):
        return Chance(None, Basis.SOURCE_TOO_SMALL)
    observed = distance >= chance.OBSERVED
    # Three digits are more than the model is good for, and the same for any order of sums.
    return Chance(float(f"{expected:.3g}"), Basis.OBSERVED if observed else Basis.EXTRAPOLATED)


def _by_calibration(network: Network, distance: float, pairs: int) -> Chance:
    """At most how many of the unrelated pairs a calibrated detector would call duplicates.

    The share of unrelated pairs that passed in calibration has an upper limit with 95 % confidence;
    it holds for source images like those. Above the cut there is no number.
    """
    if network.calibration is None or distance > network.thresholds.near:
        return Chance(None, Basis.NO_MODEL)
    seen = network.calibration
    share = rates.rate(round(seen.observed * seen.negatives), seen.negatives).high
    return Chance(float(f"{min(1.0, share) * pairs:.3g}"), Basis.CALIBRATED)
