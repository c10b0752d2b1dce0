"""From images and fingerprints to a report: scores, thresholds, decisions."""

from __future__ import annotations

import collections
import os
from dataclasses import dataclass
from typing import Iterator, Sequence

import numpy as np

from memscan import __version__
from memscan.attribution import reading
from memscan.attribution.fingerprints import Found
from memscan.attribution.reading import Read, Seen, Settings
from memscan.attributions import (
    UNMOVED,
    Attribution,
    AttributionReport,
    Calibrated,
    Generator,
    Weakness,
)
from memscan.errors import InputError
from memscan.fingerprints import scoring, thresholds
from memscan.fingerprints.fingerprint import Fingerprint
from memscan.fingerprints.scoring import Bank, Scores
from memscan.fingerprints.thresholds import Calibration

UNCALIBRATED = (
    "the thresholds are half-way between the class means of the fingerprints' training, and "
    "nothing is known of how many real images they accuse (--calibrate DIR with real images says)"
)
PUBLISHED = (
    "published fingerprints were learned with a denoiser that cannot be had, so that their class "
    "means hold only roughly for the residual that is used here (--calibrate DIR finds thresholds)"
)


WEAK = {
    Weakness.LOSSY: "are compressed with loss (JPEG and the like), which wipes most fingerprints "
    "out: that none is found in them says little",
    Weakness.SIZE: "have a side that is no multiple of 8: if a network made them, they were "
    "cropped or resized since, and a resized image has lost its fingerprint",
    Weakness.SMALL: "are smaller than a fingerprint, of which less can be seen in them",
}
"""What a person is told of targets that bear little evidence."""

LEAST_RATE = 1e-6
"""The least --rate, which needs a million real images."""

MOVED = 3.0
"""How many times a margin as the image lies must be exceeded by one elsewhere for the grid to count
as moved, if both are above: see DESIGN.md for what that costs and brings."""


@dataclass(frozen=True)
class Rule:
    """How scores become decisions.

    With a ``search``, what is calibrated are the scores of all fingerprints as an image lies, and
    then the greatest ones at any phase.
    """

    fingerprints: Sequence[Fingerprint]
    search: bool
    calibration: Calibration | None

    def thresholds(self, moved: bool) -> Scores:
        """The score of each fingerprint above which it is named."""
        if self.calibration is None:
            return scoring.midpoints(self.fingerprints)
        return self._part(self.calibration.thresholds, moved)

    def margins(self, scores: Scores, moved: bool) -> Scores:
        """What scores are compared by across fingerprints."""
        if self.calibration is None:
            gaps = scoring.half_gaps(self.fingerprints)
            return (scores - scoring.midpoints(self.fingerprints)) / gaps
        centres = self._part(self.calibration.centres, moved)
        return (scores - centres) / self._part(self.calibration.deviations, moved)

    @property
    def least(self) -> float:
        """The margin above which a fingerprint is named."""
        return 0.0 if self.calibration is None else self.calibration.margin

    def _part(self, values: Scores, moved: bool) -> Scores:
        count = len(self.fingerprints)
        return values[count:] if moved else values[:count]


def attribute(
    targets: Sequence[str],
    found: Sequence[Found],
    *,
    calibrate: Sequence[str] = (),
    rate: float = 0.05,
    search: bool | None = None,
    settings: Settings,
) -> AttributionReport:
    """Say of each target which generator seems to have made it, or that none of these did.

    Args:
        targets: paths of images, directories, archives.
        found: at least one fingerprint.
        calibrate: paths of real images; without any, nearest mean decides.
        rate: the share of real images that the decision may accuse of having been made by any
            of the generators.
        search: whether images are compared at all 8 x 8 phases of the grid, which needs
            ``calibrate``; None for whether that is given. Another phase decides where no
            fingerprint names an image as it lies, or with MOVED times the margin.
        settings: how images are read.

    Raises InputError for paths without images, and for too few real images.

    """
    search = bool(calibrate) if search is None else search
    if search and not calibrate:
        raise InputError(
            "a search over the phases needs --calibrate with real images that are searched "
            "likewise: the greatest of 64 scores is high for any image"
        )
    check_rate(rate)
    fingerprints = [one.fingerprint for one in found]
    bank = Bank(fingerprints)
    real = reading.read(calibrate, "real image", bank, settings) if calibrate else None
    rule, calibrated = Rule(fingerprints, False, None), None
    if real is not None:
        calibration = _calibration(real, rate, search)
        rule = Rule(fingerprints, search, calibration)
        calibrated = Calibrated(
            paths=tuple(calibrate),
            images=len(real.seen),
            rate=rate,
            needed=thresholds.needed(rate),
            margin=calibration.margin,
            failures=real.failures,
        )
    read = reading.read(targets, "target", bank, settings)
    return AttributionReport(
        version=__version__,
        generators=tuple(_generator(one, rule, place) for place, one in enumerate(found)),
        search=search,
        calibrated=calibrated,
        targets=read.sources,
        attributions=tuple(decided(one, rule) for one in read.seen),
        failures=read.failures,
        warnings=tuple(_warnings(fingerprints, real, read)),
        max_pixels=settings.max_pixels,
        remote_places=read.remote_places,
    )


def check_rate(rate: float) -> None:
    """Raise InputError for what is no rate, or one that no folder of images could vouch for."""
    if not 0 < rate < 1:
        raise InputError("--rate must lie between 0 and 1")
    if rate < LEAST_RATE:
        raise InputError(f"--rate must be at least {LEAST_RATE:g}")


def _calibration(real: Read, rate: float, search: bool) -> Calibration:
    """Raises InputError."""
    count, needed = len(real.seen), thresholds.needed(rate)
    if count < needed:
        other = f", or --rate {_supported(count)}" if count >= thresholds.LEAST_IMAGES else ""
        raise InputError(
            f"a false-positive rate of {rate:g} needs at least {needed} real images, and "
            f"--calibrate has {count}; give more of them{other}"
        )
    surfaces = np.stack([one.surfaces for one in real.seen])
    parts = [scoring.scores(surfaces, moved) for moved in ([False, True] if search else [False])]
    try:
        return thresholds.calibrate(np.concatenate(parts, axis=1), rate)
    except ValueError:
        raise InputError(
            "the real images of --calibrate all have the same score; they must be different "
            "photographs"
        ) from None


def _supported(count: int) -> str:
    """The least rate for so many images."""
    least = thresholds.supported(count)
    rounded = -(-least * 1000 // 1)  # up, so that what is said is enough
    return f"{rounded / 1000:g}"


def _generator(found: Found, rule: Rule, place: int) -> Generator:
    one = found.fingerprint
    moved = float(rule.thresholds(True)[place]) if rule.search else None
    return Generator(
        name=one.name,
        path=found.path,
        side=one.side,
        residual=one.residual,
        made=one.made,
        mean_real=one.mean_real,
        mean_fake=one.mean_fake,
        threshold=float(rule.thresholds(False)[place]),
        moved_threshold=moved,
    )


def decided(seen: Seen, rule: Rule) -> Attribution:
    """What is said of one image."""
    scores = scoring.scores(seen.surfaces, search=False)
    margins = rule.margins(scores, moved=False)
    greatest, phase = float(margins.max()), None
    if rule.search:
        elsewhere = scoring.scores(seen.surfaces, search=True)
        moved = rule.margins(elsewhere, moved=True)
        down, right = scoring.phases(seen.surfaces)[moved.argmax()].tolist()
        is_named = greatest > rule.least
        if moved.max() > (MOVED * greatest if is_named else rule.least) and not (
            is_named and (down, right) == UNMOVED
        ):
            scores, margins, phase = elsewhere, moved, (down, right)
        greatest = max(greatest, float(moved.max()))
    order = np.argsort(-margins, kind="stable")
    p_value = None
    if rule.calibration is not None:
        p_value = float(rule.calibration.p_values(np.array(greatest)))
    return Attribution(
        path=seen.path,
        scores=tuple(scores.tolist()),
        margins=tuple(margins.tolist()),
        named=tuple(rule.fingerprints[one].name for one in order if margins[one] > rule.least),
        p_value=p_value,
        phase=phase,
        format=seen.format,
        size=seen.size,
        weaknesses=tuple(seen.weaknesses(max(one.side for one in rule.fingerprints))),
    )


def _warnings(fingerprints: Sequence[Fingerprint], real: Read | None, read: Read) -> Iterator[str]:
    """What is to be known of the whole result."""
    if real is None:
        published = any(one.made == "published" for one in fingerprints)
        yield PUBLISHED if published else UNCALIBRATED
    else:
        shares = [reading.lossy_share(one.seen) for one in (real, read)]
        if abs(shares[0] - shares[1]) > 0.5:
            yield (
                f"{shares[0]:.0%} of the real images of --calibrate and {shares[1]:.0%} of the "
                "targets are compressed with loss: thresholds from one kind of file may not hold "
                "for another"
            )
        both = [{os.path.realpath(one.path) for one in some.seen} for some in (real, read)]
        common = both[0] & both[1]
        if common:
            yield f"real images of --calibrate that are also targets: {len(common)}"
    side = max(one.side for one in fingerprints)
    weak = collections.Counter(why for one in read.seen for why in one.weaknesses(side))
    for why, sentence in WEAK.items():
        if weak[why]:
            yield f"{weak[why]} of {len(read.seen)} targets {sentence}"
