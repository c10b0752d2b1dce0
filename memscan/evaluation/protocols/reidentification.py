"""Other images of one identity among images of other identities, after LCMem.

Each image makes a right pair with the next one of its identity and an unrelated pair with a random
image of a random other identity of its half. Two images alone make one right pair: in the published
protocol they make the same one twice, and unrelated pairs are always with an identity's first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from memscan.errors import InputError
from memscan.evaluation.describing import Described
from memscan.evaluation.detectors import Detector
from memscan.evaluation.edits import AS_IS, Edit
from memscan.evaluation.protocols import columns, statistics, tables
from memscan.evaluation.protocols.images import Images, Integers
from memscan.evaluation.protocols.statistics import Pairs
from memscan.evaluation.protocols.tables import Layout, Measured
from memscan.evaluation.request import DEFAULT, Request
from memscan.protocols import Column, Comparison, Part, ProtocolName

ALL = "all"
RECALL = 0.99

WINDOW = 0.7
"""Of width and of height: the part of a photograph that stands for a photograph of its own."""

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


_CUT = "overlapping parts of photographs, each photograph an identity"
_CUT_NOTE = (
    f"No identity has two photographs here: each photograph is cut into {len(WINDOWS)} overlapping "
    f"parts of {WINDOW:.0%} of its width and height, which stand for photographs of one identity. "
    "Real ones differ more."
)


@dataclass(frozen=True)
class _Items:
    """The images that pairs are made of: row and form of each, and its identity; (n,) each."""

    rows: Integers
    forms: Integers
    identities: Integers

    @classmethod
    def of(cls, identities: Integers, forms: int) -> _Items:
        """Each image in all its forms."""
        count = len(identities)
        return cls(
            np.repeat(np.arange(count), forms),
            np.tile(np.arange(forms), count),
            np.repeat(identities, forms),
        )


@dataclass(frozen=True)
class _Drawn:
    """Pairs of items, and whether they are of one identity; (P,) each."""

    targets: Integers
    sources: Integers
    right: npt.NDArray[np.bool_]


def evaluate_reidentification(images: Images, request: Request = DEFAULT) -> Comparison:
    """Tell images of one identity from those of others.

    Where no identity has two images, overlapping parts stand for them. Raises InputError unless
    each half has two identities, and one of them has two images that can be read.
    """
    detectors = request.chosen()
    forms = (AS_IS,) if images.are_several else WINDOWS
    gathered = images.gather(request, detectors, forms, forms)
    items = _Items.of(gathered.identities, len(forms))
    drawn = []
    for half, (name, rows) in enumerate(zip(("calibration", "reported"), gathered.halves)):
        chosen = np.flatnonzero(np.isin(items.rows, rows))
        pairs = _draw(chosen, items.identities[chosen], [request.seed, 0x2E1D, half])
        if not len(pairs.right):
            raise InputError(f"the {name} half needs an identity with two images that can be read")
        drawn.append(pairs)
    fitting, reporting = drawn
    _, groups = np.unique(items.identities[reporting.sources], return_inverse=True)
    weights = tables.samples(groups, request.seed)
    described = gathered.described
    measured = []
    for number, detector in enumerate(detectors):
        fitted_on, reported = (
            Pairs(_distances(detector, described, number, items, pairs), pairs.right, own)
            for pairs, own in ((fitting, np.zeros_like(fitting.sources)), (reporting, groups))
        )
        best = statistics.fit_best_f1(fitted_on)
        recalled = statistics.fit_recall(fitted_on, RECALL)
        at_recall = statistics.rates(reported, recalled, weights)
        figures = columns.at_best_f1(reported, best, weights)
        figures["fpr_99"], figures["recall_99"] = at_recall.false_positives, at_recall.recall
        measured.append(Measured({"best F1": best, f"recall {RECALL:g}": recalled}, {ALL: figures}))
    right = int(reporting.right.sum())
    counts = {"right": right, "unrelated": len(reporting.right) - right}
    layout = Layout(
        ProtocolName.REIDENTIFICATION,
        "images with the identities of a list" if images.are_several else _CUT,
        columns.AUC.key,
        _COLUMNS,
        (Part(ALL, "", "all pairs", "pairs within an identity, and of two", counts),),
        (
            *(() if images.are_several else (_CUT_NOTE,)),
            "Each image makes a right pair with the next one of its identity, and an unrelated "
            "pair with an image of another identity of its half, drawn by the seed.",
            tables.NOT_PUBLISHED,
        ),
    )
    return tables.compare(request, layout, detectors, measured, gathered)


def _distances(
    detector: Detector, described: Described, number: int, items: _Items, pairs: _Drawn
) -> npt.NDArray[np.float32]:
    """How far apart the items of pairs are, by the detector of this number."""
    return detector.paired(
        described.targets[number][items.rows[pairs.targets], items.forms[pairs.targets]],
        described.sources[number][items.rows[pairs.sources], items.forms[pairs.sources]],
    )


def _draw(items: Integers, identities: Integers, seed: Sequence[int]) -> _Drawn:
    """The pairs among some images: the next image of each one's identity, and a stranger."""
    random = np.random.default_rng(list(seed))
    order = np.argsort(identities, kind="stable")
    ends = np.flatnonzero(np.diff(identities[order])) + 1
    members = np.split(items[order], ends)
    targets, sources = [], []
    for number, own in enumerate(members):
        if len(own) < 2:
            continue
        for place in range(len(own) if len(own) > 2 else 1):
            step = int(random.integers(1, len(members)))
            stranger = members[(number + step) % len(members)]
            targets += [own[(place + 1) % len(own)], random.choice(stranger)]
            sources += [own[place], own[place]]
    right = np.arange(len(targets)) % 2 == 0
    return _Drawn(np.array(targets, np.int64), np.array(sources, np.int64), right)
