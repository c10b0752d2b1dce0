"""What a comparison of all targets with all sources by a learned detector found. All immutable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping

from memscan.detectors.cards import Card, Cuts
from memscan.detectors.classes import Quality
from memscan.records import Failure
from memscan.report import Source


@dataclass(frozen=True)
class Nearest:
    """A target and the source that is most like it, with their score and class.

    ``kind`` is a place in :data:`memscan.detectors.classes.CLASSES`. ``source`` and ``score`` are
    None for a target that is itself the only source, and is not to be compared with itself.
    """

    target: str
    source: str | None
    score: float | None
    kind: int


@dataclass(frozen=True)
class Tally:
    """How many pairs, and how many targets by their most alike source, are in each class."""

    cuts: Cuts
    pairs: tuple[int, ...]
    targets: tuple[int, ...]


@dataclass(frozen=True)
class Labelled:
    """How well classes and scores match the labels of some pairs.

    The ``calibration`` pairs gave the fitted cuts; all else is about the ``reported`` ones, which
    share no image with them. ``missing`` pairs have an image that was not compared.
    ``qualities`` go by the name of the cuts; there are none by fitted ones where the calibration
    pairs do not have all three classes. The last two are about SSIM, where that is known.
    """

    path: str
    calibration: int
    reported: int
    missing: int
    qualities: Mapping[str, Quality]
    absolute_error: float | None
    rank_correlation: float | None


@dataclass(frozen=True)
class LikenessReport:
    """All targets with all sources. The same inputs make an equal report.

    ``nearest`` has each target that was read, in bytewise order; ``tallies`` go by the name of the
    cuts, of which those called ``judged_by`` made the classes of ``nearest``.
    """

    version: str
    card: Card
    fingerprint: str
    targets: tuple[Source, ...]
    sources: tuple[Source, ...]
    compared_sources: int
    nearest: tuple[Nearest, ...]
    judged_by: str
    tallies: Mapping[str, Tally]
    labelled: Labelled | None
    target_failures: tuple[Failure, ...]
    source_failures: tuple[Failure, ...]
    targets_in_source: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def most_alike(self) -> list[Nearest]:
        """``nearest`` with the highest score first, those of one score as they stood."""
        return sorted(self.nearest, key=lambda one: 2 if one.score is None else -one.score)
