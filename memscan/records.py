"""The values that flow through a scan, from the file that was found to the report.

All are immutable. Paths are ``str`` as the user gave them, joined with the rest; names that are
not UTF-8 hold surrogate escapes (PEP 383), and only :mod:`memscan.reports` makes them printable.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Callable

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

    @property
    def asks_for_review(self) -> bool:
        """Whether a person should look; VERIFIED only says why a verdict is what it is."""
        return self is not Reason.VERIFIED


class Basis(enum.Enum):
    """What the number of matches expected by chance rests on.

    NO_MODEL stands for hashes other than pHash of 64 bits.
    """

    OBSERVED = "observed"
    EXTRAPOLATED = "extrapolated"
    SOURCE_TOO_SMALL = "source-too-small"
    LOW_INFORMATION = "low-information"
    NO_MODEL = "no-model"


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


@dataclass(frozen=True)
class Match:
    """One source image, with its distance in bits from the target.

    ``hash`` is that of the source in the view in which it met the target. ``similarity``, from -1
    to 1, says how alike the two images are pixel by pixel once they are aligned; None where that
    was not looked at, or one of them could not be read again.
    """

    source: str
    hash: int
    distance: int
    view: View = View()
    similarity: float | None = None


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
    supporting: tuple[tuple[int, int], ...] = ()
    accepted: bool = False
    hints: tuple[Match, ...] = ()
    quality: int | None = None

    @property
    def is_copy(self) -> bool:
        """Whether this is evidence of a copy: close, and not just for want of detail."""
        return self.verdict is not Verdict.DISTINCT and Reason.LOW_INFORMATION not in self.reasons

    @property
    def distance(self) -> int:
        """The distance in bits of the closest match."""
        return self.matches[0].distance

    @property
    def review(self) -> bool:
        """Whether a person should look at this finding."""
        return any(reason.asks_for_review for reason in self.reasons)


@dataclass(frozen=True)
class Thresholds:
    """The largest distances, inclusive and in bits, of a near-duplicate and of a borderline."""

    near: int = 5
    distinct: int = 10


@dataclass(frozen=True)
class Source:
    """One path given as a source, and the image files it added to the scan."""

    path: str
    found: int


@dataclass(frozen=True)
class Volume:
    """A medical volume, and how its values became grey levels: a window, or a range."""

    path: str
    mapping: str


@dataclass(frozen=True)
class Options:
    """How a scan was asked to be made, besides its thresholds: what it takes to repeat it."""

    recursive: bool = False
    exclude: tuple[str, ...] = ()
    exclude_self: bool = False
    follow_symlinks: bool = False
    top_k: int = 1
    max_pixels: int | None = None
    fast: bool = False
    baseline: str | None = None
    views: str = "plain"
    hash: str = "phash"
    files_from: tuple[str, ...] = ()
    nul: bool = False
    hash_column: str | None = None


@dataclass(frozen=True)
class CopiedSource:
    """A source image that targets copy, and how many source images have its very hash."""

    source: str
    hash: int
    same_hash: int
    targets: tuple[str, ...]


@dataclass(frozen=True)
class CurvePoint:
    """At an even distance in bits: the pairs that were seen, and those expected by chance.

    Pairs of targets and of source hashes, each once, drawn evenly, at most 32,768 of them.
    """

    distance: int
    observed: int
    expected: float


@dataclass(frozen=True)
class Holdout:
    """The same targets against images that the model never saw.

    ``copies`` counts the targets that copy one of them, ``only_source`` and ``only_holdout`` those
    that copy an image on one side alone, ``p_value`` is that of the exact McNemar test.
    """

    sources: tuple[Source, ...]
    hashed: int
    copies: int
    only_source: int
    only_holdout: int
    p_value: float
    failures: tuple[Failure, ...] = ()


@dataclass(frozen=True)
class Report:
    """All that a scan found out. The same inputs make an equal report.

    ``targets`` are the paths as given, ``findings`` the judged images in the order of the
    targets. Every image that was found is in ``findings``, in ``hashed``, or a failure. ``copied``
    ranks the source images by the number of targets that copy them.
    ``warnings`` are sentences about sources that are hashes and not images; ``remote_places`` the
    URLs on stores that were read, so that a report may ask them for pictures.
    ``hash_bits`` is the number of bits of every hash, and the largest distance.
    ``named_failures`` are those of ``target_failures`` that were given as files by name.
    """

    version: str
    encoder: str
    libraries: dict[str, str]
    thresholds: Thresholds
    targets: tuple[str, ...]
    sources: tuple[Source, ...]
    hashed: int
    findings: tuple[Finding, ...]
    target_failures: tuple[Failure, ...]
    source_failures: tuple[Failure, ...]
    named_failures: tuple[Failure, ...] = ()
    targets_in_source: tuple[str, ...] = ()
    options: Options = Options()
    copied: tuple[CopiedSource, ...] = ()
    curve: tuple[CurvePoint, ...] = ()
    holdout: Holdout | None = None
    hash_bits: int = 64
    volumes: tuple[Volume, ...] = ()
    warnings: tuple[str, ...] = ()
    remote_places: frozenset[str] = frozenset()

    @property
    def failures(self) -> tuple[Failure, ...]:
        """Whatever could not be read, once: among the targets, in the source, in the holdout."""
        held_out = self.holdout.failures if self.holdout else ()
        return tuple(dict.fromkeys(self.target_failures + self.source_failures + held_out))

    @property
    def found(self) -> int:
        """The number of image files found in all sources, readable or not."""
        return sum(source.found for source in self.sources)

    @property
    def single_file(self) -> str | None:
        """The target, if the scan was for one image file and not for a directory."""
        if len(self.targets) == 1 and [f.target for f in self.findings] == list(self.targets):
            return self.targets[0]
        return None

    @property
    def copies(self) -> int:
        """The number of targets with evidence of a copy, accepted ones included."""
        return sum(finding.is_copy for finding in self.findings)

    def count(self, verdict: Verdict) -> int:
        """The number of targets with this verdict."""
        return sum(finding.verdict is verdict for finding in self.findings)
