"""Copies under six edits at four strengths, after LCMem, with unrelated pairs beside them.

A right pair is an image x and its edited version T(x), an unrelated one x and T(y) of another
image. The published protocol of copies has no unrelated pairs, so its accuracy is a recall.
"""

from __future__ import annotations

from typing import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from memscan.evaluation.describing import Described
from memscan.evaluation.detectors import Detector
from memscan.evaluation.protocols import columns, statistics, tables
from memscan.evaluation.protocols.images import Images, Integers
from memscan.evaluation.protocols.statistics import Pairs
from memscan.evaluation.protocols.tables import Layout, Measured
from memscan.evaluation.request import DEFAULT, Request
from memscan.evaluation.robustness import GRID
from memscan.protocols import Comparison, Part, ProtocolName

POOLED = "pooled"


def evaluate_robustness(images: Images, request: Request = DEFAULT) -> Comparison:
    """Compare each image with its versions under the grid, and with those of another image.

    Raises InputError unless each half has two images of two identities that can be read.
    """
    detectors = request.chosen()
    gathered = images.gather(request, detectors, GRID)
    halves = gathered.halves
    others = [
        _others(gathered.identities[rows], [request.seed, 0x0714, half])
        for half, rows in enumerate(halves)
    ]
    groups = [gathered.groups(rows) for rows in halves]
    weights = tables.samples(groups[1], request.seed)
    measured = []
    for number, detector in enumerate(detectors):
        fitted_on, reported = (
            Pairs(
                _distances(detector, gathered.described, number, rows, strangers),
                np.tile(np.repeat([True, False], len(rows)), len(GRID)),
                np.tile(own, 2 * len(GRID)),
            )
            for rows, strangers, own in zip(halves, others, groups)
        )
        threshold = statistics.fit_best_f1(fitted_on)
        cells = {POOLED: reported, **dict(_cells(reported))}
        figures = {
            key: columns.at_best_f1(pairs, threshold, weights) for key, pairs in cells.items()
        }
        measured.append(Measured({"best F1": threshold}, figures))
    layout = Layout(
        ProtocolName.ROBUSTNESS,
        "images under six edits at four strengths",
        columns.AUC.key,
        (columns.AUC, *columns.AT_BEST_F1),
        tuple(_parts(len(halves.reported))),
        (
            "A right pair is an image and its edited version, an unrelated pair the image and the "
            "same edit of another one: as many of either. The published protocol of copies has no "
            "unrelated pairs.",
            "One threshold for all edits, fitted on the calibration half.",
            tables.NOT_PUBLISHED,
        ),
    )
    return tables.compare(request, layout, detectors, measured, gathered)


def _others(identities: Integers, seed: Sequence[int]) -> Integers:
    """For each image of a half and each edit, the place of an image of another identity (n, E)."""
    random = np.random.default_rng(list(seed))
    every = np.arange(len(identities))
    drawn = [random.choice(every[identities != own], len(GRID)) for own in identities]
    return np.array(drawn, np.int64)


def _distances(
    detector: Detector, described: Described, number: int, rows: Integers, others: Integers
) -> npt.NDArray[np.float32]:
    """For each edit those of all right pairs, then those of all unrelated ones."""
    sources, targets = described.sources[number][rows, 0], described.targets[number]
    return np.concatenate(
        [
            detector.paired(targets[edited, place], sources)
            for place in range(len(GRID))
            for edited in (rows, rows[others[:, place]])
        ]
    )


def _cells(pairs: Pairs) -> Iterator[tuple[str, Pairs]]:
    """The pairs of each edit."""
    size = len(pairs.right) // len(GRID)
    of_edit = np.arange(len(pairs.right)) // size
    for place, edit in enumerate(GRID):
        yield edit.name, pairs.of(of_edit == place)


def _parts(count: int) -> Iterator[Part]:
    whole = len(GRID) * count
    yield Part(POOLED, "", "all edits", "all edits", {"right": whole, "unrelated": whole})
    places: dict[str, int] = {}
    for edit in GRID:
        group = edit.group.split("-", 1)[1]
        place = places[group] = places.get(group, -1) + 1
        title = edit.name.split("-", 1)[1].replace("-", " ")
        counts = {"right": count, "unrelated": count}
        yield Part(edit.name, group, title, edit.description, counts, place)
