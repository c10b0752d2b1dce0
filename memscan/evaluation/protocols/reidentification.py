"""Other images of one identity among images of other identities, after LCMem.

Each image makes a right pair with the next one of its identity and an unrelated pair with a random
image of a random other identity of its half. Two images alone make one right pair: in the published
protocol they make the same one twice, and unrelated pairs are always with an identity's first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable, Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from memscan.errors import InputError
from memscan.evaluation import pairs as lists
from memscan.evaluation.describing import Described
from memscan.evaluation.detectors import Detector
from memscan.evaluation.edits import AS_IS, Edit
from memscan.evaluation.protocols import columns, statistics, tables
from memscan.evaluation.protocols.statistics import Pairs
from memscan.evaluation.protocols.tables import Halves, Layout, Measured
from memscan.evaluation.request import DEFAULT, DIRECTLY, Request, list_some
from memscan.protocols import Column, Comparison, Part, ProtocolName
from memscan.records import Failure
from memscan.report import Source
from memscan.sources.directories import Selection
from memscan.sources.given import AnyPath, as_paths

ALL = "all"
RECALL = 0.99

WINDOW = 0.7
"""Of width and of height: the part of a photograph that stands for a photograph of its own."""

Integers = npt.NDArray[np.int64]

_COLUMNS = (
    columns.AUC,
    *columns.AT_BEST_F1,
    Column(
        "fpr_99",
        "FPR at R99",
        columns.SHEET,
        f"The share of unrelated pairs within the least distance at which {100 * RECALL:g} % of "
        "the right pairs of the calibration half are found.",
    ),
    Column(
        "recall_99",
        "recall at R99",
        columns.SHEET,
        "The share of right pairs within that distance.",
    ),
)


def _window(name: str, x: float, y: float) -> Edit:
    def cut(image: Image.Image, _: np.random.Generator) -> Image.Image:
        width, height = (max(1, round(WINDOW * side)) for side in image.size)
        left, top = round((image.width - width) * x), round((image.height - height) * y)
        return image.crop((left, top, left + width, top + height))

    return Edit(f"window-{name}", "window", f"the {name} {WINDOW:.0%} of either side", cut)


WINDOWS = (
    _window("upper-left", 0, 0),
    _window("upper-right", 1, 0),
    _window("lower-right", 1, 1),
    _window("lower-left", 0, 1),
)
"""Overlapping parts of a photograph, each beside the next, where no identities are known."""


@dataclass(frozen=True)
class _Items:
    """The images that pairs are made of: row and form of each, and its identity; (n,) each."""

    rows: Integers
    forms: Integers
    identities: Integers


def evaluate_listed(path: AnyPath, request: Request = DEFAULT) -> Comparison:
    """Re-identification by a list of images with identities, as evaluate_identities reads it."""
    detectors, (given,) = request.chosen(), as_paths(path)
    listed = lists.read_identities(given)
    used = [image for image in listed if image.half != "ignored"]
    described = request.describe([image.path for image in used], detectors, (AS_IS,))
    by_path = {image.path: image for image in used}
    kept = [by_path[name] for name in described.paths]
    if not kept:
        raise InputError(f"{given}: none of its images can be read")
    _, identities = np.unique([image.identity for image in kept], return_inverse=True)
    if any(image.half is None for image in kept):
        halves = Halves.drawn(identities, request.seed)
    else:
        halves = Halves.split(np.array([image.half == "calibration" for image in kept], np.bool_))
        shared = np.intersect1d(identities[halves.calibration], identities[halves.reported])
        if len(shared):
            name = next(i.identity for i, own in zip(kept, identities) if own == shared[0])
            raise InputError(f"{given}: the identity {name} is in both halves")
    rows = np.arange(len(kept))
    return _comparison(
        request,
        detectors,
        described,
        _Items(rows, np.zeros_like(rows), identities),
        halves,
        "images with the identities of a list",
        (),
        sources=(Source(given, len(listed)),),
        ignored=len(listed) - len(used),
        failures=described.failures,
    )


def evaluate_windows(
    images: AnyPath | Iterable[AnyPath],
    request: Request = DEFAULT,
    *,
    selection: Selection = DIRECTLY,
    limit: int | None = None,
) -> Comparison:
    """Re-identification where no identities are known: overlapping parts of one photograph."""
    detectors = request.chosen()
    listed = list_some(images, selection, limit, request.seed)
    described = request.describe(listed.paths, detectors, WINDOWS, WINDOWS)
    listed.require_four(described)
    count = len(described.paths)
    rows = np.repeat(np.arange(count), len(WINDOWS))
    return _comparison(
        request,
        detectors,
        described,
        _Items(rows, np.tile(np.arange(len(WINDOWS)), count), rows),
        Halves.drawn(np.arange(count), request.seed),
        "overlapping parts of photographs, each photograph an identity",
        (
            f"There are no photographs of one thing here: each photograph is cut into "
            f"{len(WINDOWS)} overlapping parts of {WINDOW:.0%} of its width and height, which "
            "stand for photographs of one identity. Real ones differ more.",
        ),
        sources=listed.sources,
        ignored=listed.left_out,
        failures=listed.unlisted + described.failures,
    )


def _comparison(
    request: Request,
    detectors: Sequence[Detector],
    described: Described,
    items: _Items,
    halves: Halves,
    images: str,
    notes: tuple[str, ...],
    *,
    sources: tuple[Source, ...],
    ignored: int,
    failures: tuple[Failure, ...],
) -> Comparison:
    drawn = []
    for half, rows in enumerate((halves.calibration, halves.reported)):
        chosen = np.flatnonzero(np.isin(items.rows, rows))
        drawn.append(_draw(chosen, items.identities[chosen], [request.seed, 0x2E1D, half]))
    (fit_left, fit_right, fit_labels), (left, right, labels) = drawn
    for name, own in (("calibration", fit_labels), ("reported", labels)):
        if not own.any() or own.all():
            raise InputError(
                f"the {name} half needs two identities, and one with two images that can be read"
            )
    _, groups = np.unique(items.identities[right], return_inverse=True)
    weights = tables.samples(int(groups.max()) + 1, request.seed)
    measured = []
    for number, detector in enumerate(detectors):

        def distances(
            ones: Integers, others: Integers, number: int = number, detector: Detector = detector
        ) -> npt.NDArray[np.float32]:
            return detector.paired(
                described.targets[number][items.rows[ones], items.forms[ones]],
                described.sources[number][items.rows[others], items.forms[others]],
            )

        fitted_on = Pairs(
            distances(fit_left, fit_right), fit_labels, np.zeros(len(fit_labels), np.int64)
        )
        reported = Pairs(distances(left, right), labels, groups)
        best = statistics.fit_best_f1(fitted_on)
        recalled = statistics.fit_recall(fitted_on, RECALL)
        at_recall = statistics.rates(reported, recalled, weights)
        figures = columns.at_best_f1(reported, best, weights)
        figures["fpr_99"], figures["recall_99"] = at_recall.false_positives, at_recall.recall
        measured.append(Measured({"best F1": best, f"recall {RECALL:g}": recalled}, {ALL: figures}))
    counts = {"right": int(labels.sum()), "unrelated": int((~labels).sum())}
    layout = Layout(
        ProtocolName.REIDENTIFICATION,
        images,
        columns.AUC.key,
        _COLUMNS,
        (Part(ALL, "", "all pairs", "pairs within an identity, and of two", counts),),
        (
            *notes,
            "Each image makes a right pair with the next one of its identity, and an unrelated "
            "pair with an image of another identity of its half, drawn by the seed.",
            tables.NOT_PUBLISHED,
        ),
    )
    return tables.compare(
        request,
        layout,
        detectors,
        measured,
        halves,
        sources=sources,
        ignored=ignored,
        failures=failures,
    )


def _draw(
    items: Integers, identities: Integers, seed: Sequence[int]
) -> tuple[Integers, Integers, npt.NDArray[np.bool_]]:
    """The pairs among some images: left and right ones, and whether they are of one identity.

    The left one is the next image of the right one's identity, or a stranger.
    """
    random = np.random.default_rng(list(seed))
    order = np.argsort(identities, kind="stable")
    ends = np.flatnonzero(np.diff(identities[order])) + 1
    members = np.split(items[order], ends)
    left, right, labels = [], [], []
    for number, own in enumerate(members):
        if len(own) < 2 or len(members) < 2:
            continue
        for place in range(len(own) if len(own) > 2 else 1):
            step = int(random.integers(1, len(members)))
            stranger = members[(number + step) % len(members)]
            left += [own[(place + 1) % len(own)], random.choice(stranger)]
            right += [own[place], own[place]]
            labels += [True, False]
    return np.array(left, np.int64), np.array(right, np.int64), np.array(labels, np.bool_)
