"""The values that flow through a scan, from the file that was found to the report.

All are immutable. Paths are ``str`` as the user gave them, joined with the rest; names that are
not UTF-8 hold surrogate escapes (PEP 383), and only :mod:`memscan.reports` makes them printable.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Callable

from memscan.errors import DecodeError, HashError, ImageError

Progress = Callable[[str, int, int], None]
"""Called as ``progress(phase, done, total)``, from the thread that called the library."""


class Verdict(enum.Enum):
    """What the closest distance says about a target."""

    IDENTICAL = "Identical"
    NEAR_DUPLICATE = "Near-Duplicate"
    DISTINCT = "Distinct"


class Reason(enum.Enum):
    """What there is to say about a finding besides its distance."""

    BORDERLINE = "borderline"
    LOW_INFORMATION = "low-information"
    GENERIC_HASH = "generic-hash"
    UNVERIFIED = "unverified"
    VERIFIED = "verified"
    UNCALIBRATED = "uncalibrated"

    @property
    def asks_for_review(self) -> bool:
        """Whether a person should look; VERIFIED only says why a verdict is what it is."""
        return self is not Reason.VERIFIED


class Basis(enum.Enum):
    """What the number of matches expected by chance rests on.

    NO_MODEL stands for hashes other than pHash of 64 bits and for learned detectors; CALIBRATED for
    an upper bound by the pairs on which a learned detector was calibrated.
    """

    OBSERVED = "observed"
    EXTRAPOLATED = "extrapolated"
    SOURCE_TOO_SMALL = "source-too-small"
    LOW_INFORMATION = "low-information"
    NO_MODEL = "no-model"
    CALIBRATED = "calibrated"


class Level(enum.Enum):
    """What a release pipeline refuses; each level includes the ones before it."""

    IDENTICAL = "identical"
    NEAR_DUPLICATE = "near-duplicate"
    REVIEW = "review"


class Stage(enum.Enum):
    """Where an image was lost."""

    READ = "read"
    DECODE = "decode"
    HASH = "hash"


@dataclass(frozen=True)
class View:
    """The renderings in which a target and a source met, as :mod:`memscan.views` names them."""

    target: str = "full"
    source: str = "full"

    @property
    def name(self) -> str:
        """Both in a few words; ``full`` if both images met whole and as they are stored."""
        parts = [part for part in (self.target, self.source) if part != "full"]
        return ", ".join(parts) or "full"


@dataclass(frozen=True)
class HashedImage:
    """One image reduced to what a scan keeps of it.

    ``words`` holds the 64-bit words of the hash, the most significant first, and after them those
    of the other views that were asked for, in the order of their names. Bit 0 of the row-major bit
    matrix is the most significant bit, so that for a pHash ``f"{words[0]:016x}"`` is
    ``str(imagehash.phash(image))``. ``size`` is the width and the height of the image in its file.
    ``quality``, from 0 to 100, is what some hashes say about themselves.
    """

    words: tuple[int, ...]
    low_information: bool
    size: tuple[int, int]
    quality: int | None = None

    @property
    def pixels(self) -> int:
        """Width times height."""
        return self.size[0] * self.size[1]


@dataclass(frozen=True)
class Failure:
    """An image that could not be hashed, a directory not listed, or a shard without hashes."""

    path: str
    stage: Stage
    message: str
    is_directory: bool = False
    is_shard: bool = False

    @classmethod
    def of(cls, path: str, error: ImageError) -> Failure:
        """What became of an image that raised an error."""
        if isinstance(error, HashError):
            return cls(path, Stage.HASH, str(error))
        stage = Stage.DECODE if isinstance(error, DecodeError) else Stage.READ
        return cls(path, stage, str(error))


@dataclass(frozen=True)
class Match:
    """One source image, with its distance from the target.

    The distance is a whole number of bits for hashes, and 1 minus the score, to six decimals, for
    learned detectors. ``hash`` is that of the source in the view in which it met the target, for
    learned detectors the pHash of the whole source. ``similarity``, from -1 to 1, says how alike
    the two images are pixel by pixel once they are aligned; None where that was not looked at, or
    one of them could not be read again. ``confirmation`` is the score of a learned detector that
    was asked about the pair, None likewise.
    """

    source: str
    hash: int
    distance: float
    view: View = View()
    similarity: float | None = None
    confirmation: float | None = None

    @property
    def score(self) -> float:
        """1 minus the distance: what a learned detector gave."""
        return round(1 - self.distance, 6)


@dataclass(frozen=True)
class Chance:
    """The number of source images that would come as close to a target if nothing were copied.

    ``expected`` is None where the basis says why there is no number; EXTRAPOLATED says that the
    distance lies below those at which the model was compared with unrelated photographs.
    """

    expected: float | None
    basis: Basis


@dataclass(frozen=True)
class Finding:
    """A target, its closest matches in rising distance, and the judgement on them.

    ``matches`` holds at least one match. With a baseline, ``supporting`` holds the hash and the
    distance of every source that supports the verdict (all within the near threshold for a copy,
    within the distinct one for a review), and ``accepted`` says that the baseline knows them all.
    ``hints`` are matches in views of the target that do not count, but would have made another
    verdict. ``quality``, from 0 to 100, is what some hashes say about themselves.
    """

    target: str
    hash: int
    verdict: Verdict
    reasons: tuple[Reason, ...]
    matches: tuple[Match, ...]
    chance: Chance = Chance(None, Basis.SOURCE_TOO_SMALL)
    supporting: tuple[tuple[int, float], ...] = ()
    accepted: bool = False
    hints: tuple[Match, ...] = ()
    quality: int | None = None

    @property
    def is_copy(self) -> bool:
        """Whether this is evidence of a copy: close, and not just for want of detail."""
        return self.verdict is not Verdict.DISTINCT and Reason.LOW_INFORMATION not in self.reasons

    @property
    def distance(self) -> float:
        """The distance of the closest match."""
        return self.matches[0].distance

    @property
    def review(self) -> bool:
        """Whether a person should look at this finding."""
        return any(reason.asks_for_review for reason in self.reasons)


@dataclass(frozen=True)
class Thresholds:
    """The largest distances, inclusive, of a near-duplicate and of a borderline.

    Whole numbers of bits for hashes; 1 minus the score, from 0 to 2, for learned detectors.
    """

    near: float = 5
    distinct: float = 10


@dataclass(frozen=True)
class Cuts:
    """The least scores of a duplicate and of a similar pair; less is different."""

    duplicate: float
    similar: float


@dataclass(frozen=True)
class Calibration:
    """On which pairs the cuts were fitted, and what they let pass there.

    ``rate`` is the share of unrelated pairs that was asked for, ``observed`` the one that was got;
    ``recall`` is the share of right pairs at the cut of duplicates. ``settings`` is the SHA-256 of
    what was calibrated (:attr:`memscan.detectors.cards.Card.settings`), None where nobody noted it.
    """

    rate: float
    observed: float
    recall: float
    positives: int
    negatives: int
    settings: str | None = None
