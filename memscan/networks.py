"""The learned detectors that a scan was asked to work with, opened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Sequence

from memscan.errors import InputError
from memscan.records import Thresholds

if TYPE_CHECKING:
    from memscan.detectors.protocol import Detector
    from memscan.learned import LearnedEncoder
    from memscan.report import Network

ENCODERS = ("deepssim", "encoder")
"""The kinds that images can be searched by: their scores are cosines of embeddings."""

VERIFIERS = ("lcmem",)
"""The kinds that can be asked about candidates, a pair at a time."""


@dataclass(frozen=True)
class Networks:
    """What compares images in the place of a hash, and what is asked about candidates.

    ``weights`` are the files as given; ``trusted`` says whether such as contain code were run;
    ``warnings`` are sentences on calibrations that do not count.
    """

    encoder: LearnedEncoder | None = None
    verifier: Detector | None = None
    weights: tuple[str, ...] = ()
    trusted: bool = False
    warnings: tuple[str, ...] = ()

    @property
    def comparing(self) -> Network | None:
        """What a report says of the network that compares the images."""
        return self.encoder.network if self.encoder else None

    @property
    def confirming(self) -> Network | None:
        """What a report says of the network that is asked about candidates."""
        if self.verifier is None:
            return None
        from memscan.learned import network_of  # what a scan by a hash need not load

        return network_of(self.verifier)

    def check(self, hash: str, thresholds: Thresholds, hash_column: str | None) -> None:
        """Raise InputError for what a scan by a learned detector does not have."""
        if hash != "phash":
            raise InputError("images are compared by a hash or by a learned detector, not by both")
        if self.encoder is not None and thresholds != self.encoder.thresholds:
            raise InputError(
                "thresholds in bits are for hashes; a learned detector has cuts on its card"
            )
        if hash_column is not None:
            raise InputError("a column of hashes is compared by a hash, not by a learned detector")


def open_networks(
    detector: str | None = None,
    verify: str | None = None,
    weights: Sequence[str] = (),
    *,
    trust: bool = False,
    device: str = "auto",
) -> Networks:
    """The networks of these kinds, from weights whose cards say of which kind they are.

    ``detector`` is one of :data:`ENCODERS`, ``verify`` one of :data:`VERIFIERS`. Raises InputError
    for weights that are missing, or that nothing asks for, and as
    :func:`memscan.detectors.opening.open_detector` does.
    """
    for name, known in ((detector, ENCODERS), (verify, VERIFIERS)):
        if name is not None and name not in known:
            raise InputError(f"{name}: no such kind of detector here; there are {', '.join(known)}")
    by_kind = _sorted(detector, verify, weights)
    encoder = verifier = None
    warnings: tuple[str, ...] = ()
    if detector is not None:
        from memscan.learned import LearnedEncoder

        encoder = LearnedEncoder(_open(by_kind, "--detector", detector, trust, device))
        warnings += lapses(encoder.detector, [by_kind[detector]])
    if verify is not None:
        verifier = _open(by_kind, "--verify", verify, trust, device)
        warnings += lapses(verifier, [by_kind[verify]])
    return Networks(encoder, verifier, tuple(weights), trust, warnings)


def lapses(detector: Detector, weights: Sequence[str]) -> tuple[str, ...]:
    """What to know about the calibration of a network that was opened from these weights."""
    from memscan.detectors import cards

    return tuple(filter(None, (cards.lapse(path, detector.card) for path in weights)))


def file_of(detector: str, weights: Sequence[str]) -> str:
    """The file of weights of a kind, for what opens it later. Raises InputError as above."""
    return _file(_sorted(detector, None, weights), "--detector", detector)


def open_one(
    kind: str, weights: Sequence[str], *, trust: bool = False, device: str = "auto"
) -> Detector:
    """The network of a kind, whatever its scores are. Raises InputError as above."""
    return _open(_sorted(kind, None, weights), "--detector", kind, trust, device)


def require_none(weights: Sequence[str]) -> None:
    """Raise InputError for weights where no network was asked for."""
    _sorted(None, None, weights)


def _sorted(detector: str | None, verify: str | None, weights: Sequence[str]) -> dict[str, str]:
    """The file of weights of each kind."""
    if not weights:
        return {}
    from memscan.detectors import cards

    by_kind: dict[str, str] = {}
    for path in weights:
        kind = cards.read(path).kind
        if kind not in (detector, verify):
            raise InputError(
                f"{path}: weights of the kind {kind}, not asked for by --detector or --verify"
            )
        if kind in by_kind:
            raise InputError(f"{path}: of the kind {kind} as {by_kind[kind]} is, where one is used")
        by_kind[kind] = path
    return by_kind


def _open(by_kind: dict[str, str], option: str, kind: str, trust: bool, device: str) -> Detector:
    from memscan.detectors import opening

    return opening.open_detector(_file(by_kind, option, kind), device=device, trust=trust)


def _file(by_kind: dict[str, str], option: str, kind: str) -> str:
    if kind not in by_kind:
        raise InputError(f"{option} {kind} needs --weights FILE whose card says that it is {kind}")
    return by_kind[kind]
