"""From what was measured of each detector to one table, in which models meet plain baselines."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, Iterator, Mapping, Sequence

from memscan import __version__, hashing
from memscan.evaluation import metrics
from memscan.evaluation.detectors import Detector
from memscan.evaluation.protocols.images import Gathered, Integers
from memscan.evaluation.protocols.statistics import Floats
from memscan.evaluation.request import Request
from memscan.protocols import Column, Comparison, Contest, Entry, Part, ProtocolName

Figures = Dict[str, Dict[str, Floats]]
"""By part and column: the number itself, and then its bootstrap samples, of shape (B,)."""

NOT_PUBLISHED = (
    "No published number is reproduced: neither the weights nor the data of the papers can be had. "
    "These numbers hold for these images, and say nothing about the published networks."
)

SEEN_IN_TRAINING = (
    "Whether a model has seen these images in training is not known here: images that it was "
    "trained on belong in the split train of a list, which is left out."
)


@dataclass(frozen=True)
class Measured:
    """What was measured of one detector."""

    thresholds: dict[str, float | None] = field(default_factory=dict)
    figures: Figures = field(default_factory=dict)


@dataclass(frozen=True)
class Layout:
    """What a protocol measures, whatever the detectors."""

    protocol: ProtocolName
    images: str
    main: str
    columns: tuple[Column, ...]
    parts: tuple[Part, ...]
    notes: tuple[str, ...]


def compare(
    request: Request,
    layout: Layout,
    detectors: Sequence[Detector],
    measured: Sequence[Measured],
    gathered: Gathered,
) -> Comparison:
    """The table of all detectors."""
    entries = [
        Entry(
            name=detector.name,
            description=detector.description,
            origin=detector.origin,
            thresholds=one.thresholds,
            figures={
                part: {key: metrics.estimate(values) for key, values in columns.items()}
                for part, columns in one.figures.items()
            },
        )
        for detector, one in zip(detectors, measured)
    ]
    return Comparison(
        version=__version__,
        libraries=hashing.library_versions(),
        protocol=layout.protocol,
        images=layout.images,
        seed=request.seed,
        resamples=metrics.RESAMPLES,
        sources=gathered.sources,
        calibration=len(gathered.halves.calibration),
        reported=len(gathered.halves.reported),
        ignored=gathered.ignored,
        main=layout.main,
        columns=layout.columns,
        parts=layout.parts,
        entries=tuple(entries),
        contests=tuple(_contests(layout, detectors, measured)),
        notes=layout.notes + (SEEN_IN_TRAINING,) * any(d.origin.is_model for d in detectors),
        failures=gathered.failures,
    )


def samples(groups: Integers, seed: int) -> Floats:
    """How often each of the groups (numbered from 0) counts: once, then in bootstrap samples."""
    return metrics.weights(int(groups.max()) + 1, seed)


def _contests(
    layout: Layout, detectors: Sequence[Detector], measured: Sequence[Measured]
) -> Iterator[Contest]:
    """Each model against each plain baseline in each part."""
    both: Mapping[bool, list[tuple[str, Figures]]] = {True: [], False: []}
    for detector, one in zip(detectors, measured):
        both[detector.origin.is_model].append((detector.name, one.figures))
    for model, own in both[True]:
        for part in layout.parts:
            for baseline, others in both[False]:
                difference = metrics.estimate(
                    own[part.key][layout.main] - others[part.key][layout.main]
                )
                if difference is not None:
                    yield Contest(model, baseline, part.key, difference)
