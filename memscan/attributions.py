"""The values that an attribution gives: which generator seems to have made an image.

A score rises with suspicion. It says who made an image and never that it is a copy: no training
image is looked at. All immutable.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from memscan.records import Failure
from memscan.report import Source
from memscan.scorecard import Estimate

SHIPPED, NEAREST, RATE = "shipped", "nearest mean", "rate"
RULES = {
    SHIPPED: "half-way between the class means of its training",
    NEAREST: "half-way between the class means of the other images (leave-one-out)",
    RATE: "at the stated false-positive rate, by other real images",
}
"""The ways to set a threshold."""


CLOSE = 0.5
"""A second generator whose margin is less than this part of the first one's is no rival: patterns
of one grid resemble each other a little at some phase."""


UNMOVED = (0, 0)
"""The phase at which the grid lies as in training."""


class Weakness(enum.Enum):
    """Why an image bears less evidence than its score seems to say."""

    LOSSY = "lossy"
    SIZE = "size"
    SMALL = "small"
    BLANK = "blank"


@dataclass(frozen=True)
class Generator:
    """A fingerprint that images were compared with.

    ``threshold`` is the score above which an image counts as this generator's,
    ``moved_threshold`` that of the greatest score at any phase; None where none was searched.
    """

    name: str
    path: str
    side: int
    residual: str
    made: str
    mean_real: float
    mean_fake: float
    threshold: float
    moved_threshold: float | None = None


@dataclass(frozen=True)
class Calibrated:
    """The real images that thresholds come from, and the rate at which these accuse any.

    ``margin`` is the one above which an image is accused, None where each fingerprint has its own.
    """

    paths: tuple[str, ...]
    images: int
    rate: float
    needed: int
    margin: float | None = None
    failures: tuple[Failure, ...] = ()


@dataclass(frozen=True)
class Attribution:
    """One target.

    ``scores`` and ``margins`` are in the order of the report's generators. A margin is the score
    above the median of real images, in their deviations; where thresholds were not calibrated, that
    above the threshold, in halves of the gap between the class means. ``named`` are the generators
    whose thresholds the scores exceed, the greatest margin first. ``p_value`` is the share
    (k + 1) / (n + 1) of the n real images, k of which have as great a margin by any generator.

    ``phase`` is None where the image was judged as it lies. Where that names no generator, or
    another phase does by far more clearly, it is how many pixels down and to the right the grid was
    found, and scores, margins and names are those of the greatest scores at any phase. These may
    name a generator at :data:`UNMOVED`, too: among 64 phases a score can be more remarkable than it
    is by itself.
    """

    path: str
    scores: tuple[float, ...]
    margins: tuple[float, ...]
    named: tuple[str, ...]
    p_value: float | None
    phase: tuple[int, int] | None
    format: str
    size: tuple[int, int]
    weaknesses: tuple[Weakness, ...]

    @property
    def generator(self) -> str | None:
        """The one that the image is attributed to; None for none of these, or for some generator.

        Where the grid was found at another phase, some generator made the image, and which one of
        those with such a grid cannot be told well.
        """
        return self.named[0] if self.named and not self.is_moved else None

    @property
    def is_moved(self) -> bool:
        """Whether the grid of a generator was found, but not where it lies in training."""
        return self.phase not in (None, UNMOVED)

    @property
    def is_ambiguous(self) -> bool:
        """Whether a generator is named and another one's margin is at least CLOSE of its own."""
        first, *others = sorted(self.margins, reverse=True)
        return len(self.named) > 1 and others[0] >= CLOSE * first and not self.is_moved


@dataclass(frozen=True)
class AttributionReport:
    """Some images and the generators that may have made them. The same inputs make an equal one.

    ``attributions`` has each target that was read, in bytewise order; ``remote_places`` are the
    URLs on stores that may be asked for them again. ``calibrated`` is None where
    nearest mean decided, by the class means in training.
    """

    version: str
    generators: tuple[Generator, ...]
    search: bool
    calibrated: Calibrated | None
    targets: tuple[Source, ...]
    attributions: tuple[Attribution, ...]
    failures: tuple[Failure, ...] = ()
    warnings: tuple[str, ...] = ()
    max_pixels: int | None = None
    remote_places: frozenset[str] = frozenset()

    @property
    def most_suspect(self) -> list[Attribution]:
        """``attributions``, those attributed first, of them those whose grid was not moved.

        Among their like, the greatest margin comes first.
        """
        return sorted(
            self.attributions,
            key=lambda one: (not one.named, one.is_moved, -max(one.margins), one.path),
        )

    @property
    def lost(self) -> tuple[Failure, ...]:
        """What could not be read, of targets and of real images."""
        return self.failures + (() if self.calibrated is None else self.calibrated.failures)

    @property
    def moved(self) -> int:
        """How many targets have a generator's grid, but moved."""
        return sum(one.is_moved for one in self.attributions)

    def count(self, name: str) -> int:
        """How many targets are attributed to a generator."""
        return sum(one.generator == name for one in self.attributions)

    @property
    def unnamed(self) -> int:
        """How many targets have the grid of none of these generators."""
        return sum(not one.named for one in self.attributions)


@dataclass(frozen=True)
class Judged:
    """How often one way to set a threshold is right, as shares of the real and the generated.

    ``mean`` is that of both. ``rule`` is a key of :data:`RULES`. Each has its 95 % interval.
    """

    rule: str
    threshold: float
    real: Estimate
    fake: Estimate
    mean: Estimate


@dataclass(frozen=True)
class Survival:
    """What is left of a fingerprint after an alteration of all images.

    ``mean`` is the mean accuracy of the nearest mean fitted on unaltered images, each image left
    out of its own.
    """

    alteration: str
    auc: Estimate
    mean: Estimate


@dataclass(frozen=True)
class Performance:
    """One fingerprint on real and generated images, with or without the search over phases."""

    images: str
    generator: str
    residual: str
    search: bool
    real: int
    fake: int
    auc: Estimate
    judged: tuple[Judged, ...]
    survivals: tuple[Survival, ...]


@dataclass(frozen=True)
class PerformanceReport:
    """How well fingerprints tell generated images from real ones. Equal for equal inputs."""

    version: str
    rate: float
    performances: tuple[Performance, ...]
    calibrated: Calibrated | None
    failures: tuple[Failure, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def lost(self) -> tuple[Failure, ...]:
        """What could not be read, of the measured images and of those of ``calibrated``."""
        return self.failures + (() if self.calibrated is None else self.calibrated.failures)
