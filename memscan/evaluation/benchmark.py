"""Evaluations: of edited images, of labelled pairs, of images with identities."""

from __future__ import annotations

from typing import Callable, Iterable, List, Sequence, Tuple

import numpy as np
import numpy.typing as npt

from memscan import __version__, hashing
from memscan.errors import InputError
from memscan.evaluation import edits as known_edits
from memscan.evaluation import metrics, pairs, scoring
from memscan.evaluation.describing import Described
from memscan.evaluation.detectors import Detector, Rows
from memscan.evaluation.edits import AS_IS, Edit
from memscan.evaluation.metrics import Trials
from memscan.evaluation.pairs import Pair
from memscan.evaluation.request import DEFAULT, Request, list_some
from memscan.evaluation.trials import Clock, misses, squares
from memscan.records import Failure
from memscan.report import Source
from memscan.scorecard import Basis, DetectorScores, Scorecard, Times
from memscan.sources.directories import Selection
from memscan.sources.given import AnyPath, as_paths, as_patterns

Halves = Tuple[List[Trials], List[Trials]]
"""The trials of the calibration half and of the reported one, an item for each edit."""

Compare = Callable[[Rows, Rows], npt.NDArray[np.float32]]


def evaluate_edits(
    images: AnyPath | Iterable[AnyPath],
    request: Request = DEFAULT,
    *,
    edits: Sequence[str] = (),
    limit: int | None = None,
    recursive: bool = False,
    exclude: str | Iterable[str] = (),
    follow_symlinks: bool = False,
) -> Scorecard:
    """Edit each image in every way, and see which detectors find it among the unedited ones.

    ``edits`` are names of edits and of their groups (all by default); ``limit`` evaluates so many
    of the images, drawn by the seed. The rest says which files are read, as in ``detect``. Raises
    InputError for unknown names, and unless four images can be read.
    """
    detectors, chosen = request.chosen(), known_edits.choose(edits)
    selection = Selection(recursive, as_patterns(exclude), follow_symlinks)
    listed = list_some(images, selection, limit, request.seed)
    described = request.describe(listed.paths, detectors, chosen)
    listed.require_four(described)
    count = len(described.paths)
    calibrating = pairs.halve(np.arange(count), request.seed)
    halves = np.flatnonzero(calibrating), np.flatnonzero(~calibrating)

    def compare(number: int, distances: Compare) -> Halves:
        sources, targets = described.sources[number][:, 0], described.targets[number]
        fitted_on, reported = (
            squares(
                (distances(targets[rows, place], sources[rows]) for place in range(len(chosen))),
                np.arange(len(rows)),
                with_itself=True,
            )
            for rows in halves
        )
        return fitted_on, reported

    paths_reported = [described.paths[row] for row in halves[1].tolist()]
    return _scorecard(
        request,
        Basis.EDITS,
        detectors,
        chosen,
        described,
        compare,
        sources=listed.sources,
        sizes=(len(halves[0]), len(halves[1]), listed.left_out),
        unlisted=listed.unlisted,
        missed_in=paths_reported,
    )


def evaluate_identities(path: AnyPath, request: Request = DEFAULT) -> Scorecard:
    """See whether images of one identity are closer than those of others.

    ``path`` is a CSV file of images (:func:`memscan.evaluation.pairs.read_identities`). All pairs
    of one half are compared; without splits, the seed draws half of the identities.
    """
    detectors, (given,) = request.chosen(), as_paths(path)
    listed = pairs.read_identities(given)
    used = [image for image in listed if image.half != "ignored"]
    described = request.describe([image.path for image in used], detectors, (AS_IS,))
    by_path = {image.path: image for image in used}
    kept = [by_path[name] for name in described.paths]
    _, labels = np.unique([image.identity for image in kept], return_inverse=True)
    calibrating = pairs.calibrating([image.half for image in kept], labels, request.seed)
    halves = np.flatnonzero(calibrating), np.flatnonzero(~calibrating)
    _require_pairs(given, len(halves[1]) > 1)

    def compare(number: int, distances: Compare) -> Halves:
        sources, targets = described.sources[number][:, 0], described.targets[number][:, 0]
        fitted_on, reported = (
            squares([distances(targets[rows], sources[rows])], labels[rows], with_itself=False)
            if len(rows) > 1
            else []
            for rows in halves
        )
        return fitted_on, reported

    return _scorecard(
        request,
        Basis.IDENTITIES,
        detectors,
        (AS_IS,),
        described,
        compare,
        sources=(Source(given, len(listed)),),
        sizes=(len(halves[0]), len(halves[1]), len(listed) - len(used)),
    )


def evaluate_pairs(path: AnyPath, request: Request = DEFAULT) -> Scorecard:
    """See whether right pairs are closer than others.

    ``path`` is a CSV file of pairs (:func:`memscan.evaluation.pairs.read_pairs`). Without splits
    the halves share no image; pairs that all hang together are all reported, and nothing is fitted.
    """
    detectors, (given,) = request.chosen(), as_paths(path)
    listed = pairs.read_pairs(given)
    used = [pair for pair in listed if pair.half != "ignored"]
    described = request.describe(_images(used), detectors, (AS_IS,))
    rows = {name: row for row, name in enumerate(described.paths)}
    kept = [pair for pair in used if pair.target in rows and pair.source in rows]
    _require_pairs(given, bool(kept))
    left = np.array([rows[pair.target] for pair in kept])
    right = np.array([rows[pair.source] for pair in kept])
    labels = np.array([pair.right for pair in kept], np.bool_)
    groups = pairs.connected(left.tolist(), right.tolist())
    calibrating = pairs.calibrating([pair.half for pair in kept], groups, request.seed)
    _require_pairs(given, not calibrating.all())

    def compare(number: int, distances: Compare) -> Halves:
        sources, targets = described.sources[number][:, 0], described.targets[number][:, 0]

        def part(chosen: npt.NDArray[np.bool_]) -> list[Trials]:
            places = np.flatnonzero(chosen)
            places = places[np.argsort(left[places], kind="stable")]
            rising, starts = np.unique(left[places], return_index=True)
            found = [
                distances(targets[row : row + 1], sources[right[own]])[0]
                for row, own in zip(rising.tolist(), np.split(places, starts[1:]))
            ]
            of_target = np.searchsorted(rising, left[places])
            return [Trials(np.concatenate(found), labels[places], of_target)] if found else []

        return part(calibrating), part(~calibrating)

    sizes = [len(np.unique([left[half], right[half]])) for half in (calibrating, ~calibrating)]
    images = len(_images(listed))
    compared = len(np.unique([left, right])) + len(described.failures)
    return _scorecard(
        request,
        Basis.PAIRS,
        detectors,
        (AS_IS,),
        described,
        compare,
        sources=(Source(given, images),),
        sizes=(sizes[0], sizes[1], images - compared),
    )


def _images(listed: Sequence[Pair]) -> list[str]:
    return sorted({name for pair in listed for name in (pair.target, pair.source)})


def _scorecard(
    request: Request,
    basis: Basis,
    detectors: Sequence[Detector],
    edits: Sequence[Edit],
    described: Described,
    compare: Callable[[int, Compare], Halves],
    *,
    sources: tuple[Source, ...],
    sizes: tuple[int, int, int],
    unlisted: tuple[Failure, ...] = (),
    missed_in: Sequence[str] = (),
) -> Scorecard:
    """Compare and judge with each detector in turn."""
    results, times, unrelated = [], {}, 0
    for number, detector in enumerate(detectors):
        clock = Clock(detector)
        fitted_on, reported = compare(number, clock.distances)
        unrelated = sum(int((~trials.right).sum()) for trials in reported)
        retrieval = basis is not Basis.PAIRS
        threshold = detector.default_threshold
        outcome = scoring.score(fitted_on, reported, edits, threshold, request.seed, retrieval)
        results.append(
            DetectorScores(
                name=detector.name,
                description=detector.description,
                default_threshold=threshold,
                bytes_per_source=detector.bytes_per_source(),
                false_positive_fits=outcome.false_positive_fits,
                precision_fit=outcome.precision_fit,
                overall=outcome.overall,
                edits=outcome.edits if basis is Basis.EDITS else (),
                curve=outcome.curve,
                misses=misses(reported, edits, threshold, missed_in) if missed_in else (),
            )
        )
        source, target = described.seconds[number] / len(described.paths)
        times[detector.name] = Times(
            float(source), float(target) / len(edits), clock.seconds / max(1, clock.pairs)
        )
    return Scorecard(
        version=__version__,
        libraries=hashing.library_versions(),
        basis=basis,
        seed=request.seed,
        resamples=metrics.RESAMPLES,
        sources=sources,
        calibration=sizes[0],
        reported=sizes[1],
        ignored=sizes[2],
        unrelated_pairs=unrelated,
        detectors=tuple(results),
        failures=unlisted + described.failures,
        times=times,
    )


def _require_pairs(path: str, there: bool) -> None:
    if not there:
        raise InputError(f"{path}: no pair is left to report, of images that can be read")
