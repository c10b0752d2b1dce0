"""The values that a protocol gives: a table of detectors, by parts and columns. All are immutable.

The protocols are those by which LCMem (arXiv 2512.14421) and DeepSSIM (arXiv 2509.16582) were
measured, with what they lack: unrelated pairs, and thresholds from images that are not reported.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Mapping

from memscan.records import Failure
from memscan.report import Source
from memscan.scorecard import Estimate


class ProtocolName(enum.Enum):
    """What is asked of the detectors."""

    REIDENTIFICATION = "reidentification"
    ROBUSTNESS = "robustness"
    CLASSES = "classes"


@dataclass(frozen=True)
class Origin:
    """Where a detector comes from.

    ``training`` says in one line what it was trained on, or that it was not. ``is_model`` tells
    those that were from the plain baselines. ``estimates_ssim`` says that 1 less the distance is
    meant to be the SSIM of the aligned pair, so that the published cuts apply.
    """

    training: str = "not trained"
    is_model: bool = False
    estimates_ssim: bool = False


@dataclass(frozen=True)
class Column:
    """A number that each detector has in each part.

    ``sheet`` names the table that it stands in; ``is_share`` says that it is shown in percent.
    """

    key: str
    title: str
    sheet: str
    meaning: str
    is_share: bool = True


@dataclass(frozen=True)
class Part:
    """Pairs that are reported together, such as those of one edit at one strength.

    ``group`` is empty for a part that stands for all pairs, ``place`` is its place in its group,
    from 0; ``counts`` says how many pairs of each kind it has in the reported half.
    """

    key: str
    group: str
    title: str
    description: str
    counts: Mapping[str, int]
    place: int = 0


@dataclass(frozen=True)
class Entry:
    """What was measured of one detector: its thresholds, and its figures by part and column.

    Thresholds are distances, fitted on the calibration half; None where nothing could be fitted. A
    figure is None where it is not defined.
    """

    name: str
    description: str
    origin: Origin
    thresholds: Mapping[str, float | None]
    figures: Mapping[str, Mapping[str, Estimate | None]]


@dataclass(frozen=True)
class Contest:
    """By how much a trained model is ahead of a plain baseline in one part, in the main column.

    The interval is of the difference on the same bootstrap samples.
    """

    model: str
    baseline: str
    part: str
    difference: Estimate


@dataclass(frozen=True)
class Comparison:
    """The result of a protocol. The same inputs make an equal one, whatever the workers.

    ``images`` describes what was compared. ``main`` is the column by which detectors are ranked.
    ``calibration`` and ``reported`` count the images of each half. ``notes`` are what a reader must
    know, in sentences.
    """

    version: str
    libraries: Mapping[str, str]
    protocol: ProtocolName
    images: str
    seed: int
    resamples: int
    sources: tuple[Source, ...]
    calibration: int
    reported: int
    ignored: int
    main: str
    columns: tuple[Column, ...]
    parts: tuple[Part, ...]
    entries: tuple[Entry, ...]
    contests: tuple[Contest, ...]
    notes: tuple[str, ...]
    failures: tuple[Failure, ...]

    @property
    def found(self) -> int:
        """The number of image files found, readable or not."""
        return sum(source.found for source in self.sources)

    @property
    def main_column(self) -> Column:
        """The one by which detectors are ranked."""
        return next(column for column in self.columns if column.key == self.main)
