"""What a scan found out, as one value."""

from __future__ import annotations

from dataclasses import dataclass

from memscan.records import Calibration, Cuts, Failure, Finding, Thresholds, Verdict


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
class Network:
    """A learned detector that took part in a scan: what its card says, and its weights' sha256."""

    kind: str
    name: str
    sha256: str
    cuts: Cuts
    calibration: Calibration | None = None

    @property
    def is_calibrated(self) -> bool:
        """Whether its scores are worth more than a review."""
        return self.calibration is not None

    @property
    def thresholds(self) -> Thresholds:
        """The cuts as distances, which are 1 minus the score."""
        return Thresholds(round(1 - self.cuts.duplicate, 6), round(1 - self.cuts.similar, 6))


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
    detector: str | None = None
    verify: str | None = None
    weights: tuple[str, ...] = ()
    trust_weights: bool = False


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
    ``warnings`` are sentences about sources that are hashes and not images, and about calibrations
    that do not count; ``remote_places`` the URLs on stores that were read, so that a report may ask
    them for pictures.
    ``hash_bits`` is the number of bits of every hash, and the largest distance, unless a learned
    ``detector`` compared the images; ``verifier`` is one that was asked about candidates.
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
    detector: Network | None = None
    verifier: Network | None = None

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
    def has_rate(self) -> bool:
        """Whether the share of copies means anything: an uncalibrated detector finds none."""
        return self.detector is None or self.detector.is_calibrated

    @property
    def copies(self) -> int:
        """The number of targets with evidence of a copy, accepted ones included."""
        return sum(finding.is_copy for finding in self.findings)

    def count(self, verdict: Verdict) -> int:
        """The number of targets with this verdict."""
        return sum(finding.verdict is verdict for finding in self.findings)
