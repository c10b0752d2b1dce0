"""The values that an evaluation gives: how well detectors find edited images. All are immutable."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from memscan.records import Failure
from memscan.report import Source


class Basis(enum.Enum):
    """Where the pairs that were judged come from."""

    EDITS = "edits"
    PAIRS = "pairs"
    IDENTITIES = "identities"


@dataclass(frozen=True)
class Estimate:
    """A share from 0 to 1, with its 95 % bootstrap interval (None of a single image)."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class FalsePositiveFit:
    """The threshold at which a share of unrelated pairs would count as found.

    ``threshold`` is the largest distance of the calibration half at which no more than ``level`` of
    its unrelated pairs lie; None if even its smallest distance lets more pass. ``calibrated`` is
    their share at that distance, which is below the level where distances are coarse, and
    ``observed`` that of the reported half. ``resolution`` is one pair: a level below it means none.
    """

    level: float
    threshold: float | None
    calibrated: float
    observed: float
    resolution: float


@dataclass(frozen=True)
class PrecisionFit:
    """The largest threshold with at least ``level`` of right pairs, in the calibration half.

    ``calibrated`` is the precision there and ``observed`` that of the reported half; None where
    no pair lies within the threshold, or no threshold reaches the level.
    """

    level: float
    threshold: float | None
    calibrated: float | None
    observed: float | None


@dataclass(frozen=True)
class Scores:
    """What was measured on the reported half.

    ``found`` of ``wanted`` targets had a verdict other than Distinct with a right source strictly
    first (for labelled pairs: lie within the default threshold). ``true_positives`` are the shares
    of right pairs within each FalsePositiveFit, ``at_precision`` within the PrecisionFit. Values
    are None where they are not defined: ``first`` of labelled pairs, whatever is fitted if there is
    nothing to fit on.
    """

    found: int
    wanted: int
    recall: Estimate | None
    first: Estimate | None
    true_positives: tuple[Estimate | None, ...]
    average_precision: Estimate | None
    at_precision: Estimate | None
    auc: Estimate | None


@dataclass(frozen=True)
class EditScores:
    """The scores on targets made by one edit."""

    name: str
    group: str
    description: str
    scores: Scores


@dataclass(frozen=True)
class CurvePoint:
    """What a threshold would let pass in the reported half.

    ``recall`` is the share of right pairs at this distance or closer, ``pairs`` that of unrelated
    pairs, and ``targets`` the share of targets with an unrelated source as close.
    """

    distance: float
    recall: float
    pairs: float
    targets: float


@dataclass(frozen=True)
class Miss:
    """A target that was not found, one for each edit: that of median distance.

    ``other`` is the closest unrelated source, which is as close or closer where ``outranked``.
    """

    path: str
    edit: str
    distance: float
    other: str
    other_distance: float

    @property
    def outranked(self) -> bool:
        """Whether a wrong source came first, or as close."""
        return self.other_distance <= self.distance


@dataclass(frozen=True)
class DetectorScores:
    """All that was measured of one detector."""

    name: str
    description: str
    default_threshold: float
    bytes_per_source: int
    false_positive_fits: tuple[FalsePositiveFit, ...]
    precision_fit: PrecisionFit
    overall: Scores
    edits: tuple[EditScores, ...]
    curve: tuple[CurvePoint, ...]
    misses: tuple[Miss, ...]


@dataclass(frozen=True)
class Times:
    """What a detector costs on this machine, in seconds of one core.

    ``source`` and ``target`` are for describing one decoded image, ``pair`` for one distance.
    """

    source: float
    target: float
    pair: float


@dataclass(frozen=True)
class Scorecard:
    """The result of an evaluation. The same inputs make an equal one, whatever the workers.

    ``calibration`` and ``reported`` count the readable images of each half, ``ignored`` those that
    a list puts in neither. ``times``, by detector, are no part of the comparison.
    """

    version: str
    libraries: dict[str, str]
    basis: Basis
    seed: int
    resamples: int
    sources: tuple[Source, ...]
    calibration: int
    reported: int
    ignored: int
    unrelated_pairs: int
    detectors: tuple[DetectorScores, ...]
    failures: tuple[Failure, ...]
    times: dict[str, Times] = field(compare=False, default_factory=dict)

    @property
    def found(self) -> int:
        """The number of image files found, readable or not."""
        return sum(source.found for source in self.sources)
