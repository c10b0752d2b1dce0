"""The cuts of a learned detector, fitted on images that a user labelled, or edited here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from memscan import decode, engines
from memscan.detectors import calibration
from memscan.detectors.calibration import Fit, Fitted, Labelled
from memscan.detectors.protocol import Detector, Embeddings
from memscan.evaluation import edits as known_edits
from memscan.evaluation import pairs
from memscan.evaluation.edits import Edit
from memscan.evaluation.embedding import Embedded, embed
from memscan.records import Failure, Progress
from memscan.sources.directories import Selection
from memscan.sources.given import (
    AnyPath,
    as_paths,
    as_patterns,
    in_bytewise_order,
    list_images,
    require_files,
    require_readable,
    unlisted,
)

EDITS = (
    *("jpeg-30", "blur-1", "noise-15", "brightness-1.25", "resize-25"),
    *("crop-10", "rotate-5", "redrawn-light"),
)
"""What is done to images unless other edits are named: what a copy detector should see through."""

_BLOCK = 1024  # rows and columns of scores at a time
_PAIRS = 8192  # pairs at a time

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Request:
    """How cuts are to be fitted, whatever the images.

    ``rate`` is the share of unrelated pairs that may pass for duplicates, ``similar_rate`` the
    share that may pass for similar. The rest is as in :class:`memscan.evaluation.benchmark.Request`
    """

    rate: float = 1e-4
    similar_rate: float = 1e-3
    max_pixels: int = decode.MAX_PIXELS
    jobs: int | None = None
    progress: Progress | None = None

    def check(self) -> None:
        """Raise InputError for what cannot be."""
        engines.check(self.jobs)
        calibration.check_rates(self.rate, self.similar_rate)

    def embed(
        self, paths: Sequence[str], detector: Detector, edits: Sequence[Edit] = (), seed: int = 0
    ) -> Embedded:
        """Images and their edited versions in the detector's numbers."""
        return embed(
            paths,
            detector,
            edits,
            seed,
            max_pixels=self.max_pixels,
            jobs=self.jobs,
            progress=self.progress,
        )


@dataclass(frozen=True)
class _Scored:
    """The scores of the pairs that are fitted on, and of those that are kept apart."""

    fitted: Labelled = field(default_factory=Labelled)
    check: Labelled = field(default_factory=Labelled)

    def fit(self, request: Request, images: int, failures: tuple[Failure, ...]) -> Fitted:
        """Both cuts. Raises InputError."""
        duplicate, similar = (self._fit(rate) for rate in (request.rate, request.similar_rate))
        return Fitted(duplicate, similar, images, failures)

    def _fit(self, rate: float) -> Fit:
        cut = self.fitted.fit(rate)
        check = self.check.judge(cut)
        there = check.recall is not None or check.passed is not None
        return Fit(rate, cut, self.fitted.judge(cut), check if there else None)


def fit_pairs(detector: Detector, path: AnyPath, request: Request = Request()) -> Fitted:
    """Fit on labelled pairs (:func:`memscan.evaluation.pairs.read_pairs`).

    With splits, only those for calibration are fitted on, and reported ones are the check. Raises
    InputError for a broken list, and where there are too few pairs of images that can be read.
    """
    request.check()
    (given,) = as_paths(path)
    listed = [pair for pair in pairs.read_pairs(given) if pair.half != "ignored"]
    labels = [pair.right for pair in listed if pair.half != "reported"]
    calibration.require_enough(sum(labels), len(labels) - sum(labels), request.rate)
    names = sorted({name for pair in listed for name in (pair.target, pair.source)})
    embedded = request.embed(names, detector)
    places = {name: place for place, name in enumerate(embedded.paths)}
    kept = [pair for pair in listed if pair.target in places and pair.source in places]
    left = np.array([places[pair.target] for pair in kept], np.int64)
    right = np.array([places[pair.source] for pair in kept], np.int64)
    alike = np.array([pair.right for pair in kept], np.bool_)
    apart = np.array([pair.half == "reported" for pair in kept], np.bool_)
    scored = _Scored()
    for labelled, half in ((scored.fitted, ~apart), (scored.check, apart)):
        for tally, chosen in (
            (labelled.positives, half & alike),
            (labelled.negatives, half & ~alike),
        ):
            wanted = np.flatnonzero(chosen)
            for start in range(0, len(wanted), _PAIRS):
                some = wanted[start : start + _PAIRS]
                tally.add(
                    detector.paired(embedded.rows[left[some], 0], embedded.rows[right[some], 0])
                )
    return scored.fit(request, len(embedded.paths), embedded.failures)


def fit_identities(detector: Detector, path: AnyPath, request: Request = Request()) -> Fitted:
    """Fit on all pairs of images with identities; those of two identities are unrelated.

    Lists are those of :func:`memscan.evaluation.pairs.read_identities`; splits and errors are as in
    :func:`fit_pairs`. No pair lies across splits.
    """
    request.check()
    (given,) = as_paths(path)
    listed = [image for image in pairs.read_identities(given) if image.half != "ignored"]
    fitting = [image.identity for image in listed if image.half != "reported"]
    calibration.require_enough(*_numbers(fitting), request.rate)
    embedded = request.embed([image.path for image in listed], detector)
    by_path = {image.path: image for image in listed}
    kept = [by_path[name] for name in embedded.paths]
    _, labels = np.unique([image.identity for image in kept], return_inverse=True)
    apart = np.array([image.half == "reported" for image in kept], np.bool_)
    scored = _Scored()
    for labelled, half in ((scored.fitted, ~apart), (scored.check, apart)):
        _tally_all(detector, embedded.rows[half, 0], labels[half], labelled)
    return scored.fit(request, len(embedded.paths), embedded.failures)


def fit_edits(
    detector: Detector,
    images: AnyPath | Iterable[AnyPath],
    request: Request = Request(),
    *,
    edits: Sequence[str] = EDITS,
    seed: int = 0,
    recursive: bool = False,
    exclude: str | Iterable[str] = (),
    follow_symlinks: bool = False,
) -> Fitted:
    """Fit on images and their edited versions; every pair of two of the images is unrelated.

    ``edits`` are names of edits and of their groups. The rest says which files are read, as in
    ``detect``. Raises InputError as :func:`fit_pairs` does.
    """
    request.check()
    chosen = known_edits.choose(edits)
    selection = Selection(recursive, as_patterns(exclude), follow_symlinks)
    listings = list_images(as_paths(images), selection, "directory")
    require_files(listings, "calibrate on")
    paths = in_bytewise_order(listings)
    calibration.require_enough(len(paths), len(paths) * (len(paths) - 1) // 2, request.rate)
    embedded = request.embed(paths, detector, chosen, seed)
    if not embedded.paths:
        require_readable(listings, embedded.failures)
    originals = embedded.rows[:, 0]
    scored = _Scored()
    _tally_all(detector, originals, np.arange(len(originals)), scored.fitted)
    for version in range(1, 1 + len(chosen)):
        scored.fitted.positives.add(detector.paired(embedded.rows[:, version], originals))
    failures = unlisted(listings) + embedded.failures
    return scored.fit(request, len(embedded.paths), failures)


def _tally_all(
    detector: Detector, rows: Embeddings, labels: npt.NDArray[np.int64], labelled: Labelled
) -> None:
    """Count each pair of two images once, right where their labels are equal."""
    for top in range(0, len(rows), _BLOCK):
        for left in range(top, len(rows), _BLOCK):
            down, across = slice(top, top + _BLOCK), slice(left, left + _BLOCK)
            scores = detector.scores(rows[down], rows[across])
            alike = labels[down, None] == labels[None, across]
            once: Flags = np.ones(scores.shape, np.bool_)
            if top == left:
                once = np.triu(once, 1)
            labelled.positives.add(scores[once & alike])
            labelled.negatives.add(scores[once & ~alike])


def _numbers(identities: Sequence[str]) -> tuple[int, int]:
    """How many pairs of images have one identity, and how many have two."""
    _, counts = np.unique(list(identities), return_counts=True)
    positives = sum(count * (count - 1) // 2 for count in counts.tolist())
    return positives, len(identities) * (len(identities) - 1) // 2 - positives
