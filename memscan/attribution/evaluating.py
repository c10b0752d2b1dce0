"""How well fingerprints do on folders of real and generated images."""

from __future__ import annotations

import collections
import contextlib
import os
from dataclasses import dataclass
from typing import Iterator, Mapping, Sequence, Tuple

import numpy as np
import numpy.typing as npt

from memscan import __version__
from memscan.attribution import measures, reading
from memscan.attribution.alterations import ALTERATIONS, NONE
from memscan.attribution.attributing import check_rate
from memscan.attribution.fingerprints import Found
from memscan.attribution.reading import Read, Seen, Settings
from memscan.attributions import (
    RATE,
    Calibrated,
    Performance,
    PerformanceReport,
    Survival,
)
from memscan.errors import InputError
from memscan.fingerprints import scoring, thresholds
from memscan.fingerprints.scoring import Bank, Scores

REAL, FAKE = "0_real", "1_fake"
"""The names of the two folders, as the authors of DIF have them."""


Both = Tuple[Read, Read]
"""Real images, and generated ones."""


@dataclass(frozen=True)
class Set:
    """Real and generated images of one folder, by alteration.

    ``name`` is that of the only generator whose fingerprint judges them, or None.
    """

    path: str
    name: str | None
    altered: Mapping[str, Both]

    @property
    def unaltered(self) -> Both:
        """The images as they are."""
        return self.altered[NONE]


@dataclass(frozen=True)
class Pool:
    """The real images that thresholds at a rate come from."""

    seen: Sequence[Seen]
    calibrated: Calibrated | None

    def places(self, some: Sequence[Seen]) -> npt.NDArray[np.int64]:
        """Where some images are in the pool by whatever path, -1 for nowhere."""
        places = {os.path.realpath(one.path): place for place, one in enumerate(self.seen)}
        return np.array([places.get(os.path.realpath(one.path), -1) for one in some], np.int64)


def evaluate(
    path: str,
    found: Sequence[Found],
    *,
    calibrate: Sequence[str] = (),
    rate: float = 0.05,
    robustness: bool = True,
    settings: Settings,
) -> PerformanceReport:
    """Measure fingerprints on the folders 0_real and 1_fake at a path.

    A path may also hold folders that are called as generators, each with these two; the images of
    one are then judged by the fingerprint of its name alone. Thresholds at a ``rate`` come from the
    real images of ``calibrate`` or, without any, from all other real images at the path. Raises
    InputError for a path without these folders, or without a fingerprint for any.
    """
    check_rate(rate)
    bank = Bank([one.fingerprint for one in found])
    folders, unknown = _folders(path, [one.fingerprint.name for one in found])
    names = ALTERATIONS if robustness else [NONE]
    sets = [
        Set(folder, name, {each: _both(folder, bank, settings, each) for each in names})
        for folder, name in folders.items()
    ]
    pool = _pool(sets, calibrate, rate, bank, settings)
    performances = [
        _performance(one, bank, place, search, pool, rate)
        for one in sets
        for place, fingerprint in enumerate(bank.fingerprints)
        if one.name in (None, fingerprint.name)
        for search in (False, True)
    ]
    parts = [part for one in sets for part in one.unaltered]
    failures = [failure for part in parts for failure in part.failures]
    return PerformanceReport(
        version=__version__,
        rate=rate,
        performances=tuple(performances),
        calibrated=pool.calibrated,
        failures=tuple(failures),
        warnings=tuple(_warnings(sets, performances, pool, rate, unknown)),
    )


def _folders(path: str, names: Sequence[str]) -> tuple[dict[str, str | None], list[str]]:
    """The folders to measure on, with the generator of each, and those without a fingerprint.

    Raises InputError.
    """
    if _has_both(path):
        return {path: None}, []
    own = [name for name in _inside(path) if _has_both(os.path.join(path, name))]
    if not own:
        raise InputError(
            f"{path}: must hold the folders {REAL} and {FAKE}, or folders called as generators, "
            "each with these two"
        )
    known = {os.path.join(path, name): name for name in own if name in names}
    if not known:
        raise InputError(
            f"{path}: no fingerprint is called as one of its folders ({', '.join(own)}); there "
            f"are {', '.join(names)}"
        )
    return {**known}, [name for name in own if name not in names]


def _inside(path: str) -> list[str]:
    """The names in a directory, none in what is no directory. Raises InputError."""
    try:
        return sorted(os.listdir(path), key=os.fsencode) if os.path.isdir(path) else []
    except OSError as error:
        raise InputError(f"{path}: cannot be listed: {error.strerror}") from error


def _has_both(path: str) -> bool:
    return all(os.path.isdir(os.path.join(path, name)) for name in (REAL, FAKE))


def _both(folder: str, bank: Bank, settings: Settings, alteration: str) -> Both:
    """Raises InputError."""
    alter = ALTERATIONS[alteration]
    real, fake = (
        reading.read([os.path.join(folder, name)], "image", bank, settings, alter)
        for name in (REAL, FAKE)
    )
    return real, fake


def _pool(
    sets: Sequence[Set], calibrate: Sequence[str], rate: float, bank: Bank, settings: Settings
) -> Pool:
    if not calibrate:
        return Pool([seen for one in sets for seen in one.unaltered[0].seen], None)
    real = reading.read(calibrate, "real image", bank, settings)
    count, needed = len(real.seen), thresholds.needed(rate)
    return Pool(real.seen, Calibrated(tuple(calibrate), count, rate, needed, None, real.failures))


def _performance(
    one: Set, bank: Bank, place: int, search: bool, pool: Pool, rate: float
) -> Performance:
    fingerprint = bank.fingerprints[place]

    def scores(some: Sequence[Seen]) -> Scores:
        return scoring.scores(np.stack([seen.surfaces[place] for seen in some]), search)

    real, fake = (scores(part.seen) for part in one.unaltered)
    judged = [measures.nearest_mean(real, fake)]
    if not search:  # the class means in training are those of unshifted images
        midpoint = float(scoring.midpoints([fingerprint])[0])
        judged.insert(0, measures.shipped(real, fake, midpoint))
    with contextlib.suppress(ValueError):  # too few, or too few different, as a warning says
        places = pool.places(one.unaltered[0].seen)
        judged.append(measures.at_rate(real, fake, scores(pool.seen), places, rate))
    survivals = []
    for name, both in one.altered.items():
        kept = [_in_both(before, after) for before, after in zip(one.unaltered, both)]
        before = [scores([pair[0] for pair in pairs]) for pairs in kept]
        after = [scores([pair[1] for pair in pairs]) for pairs in kept]
        right = measures.crossed(before[0], before[1], after[0], after[1])
        area = measures.auc(after[0], after[1])
        survivals.append(Survival(name, area, measures.mean_share(*right)))
    return Performance(
        images=one.path,
        generator=fingerprint.name,
        residual=fingerprint.residual,
        search=search,
        real=len(real),
        fake=len(fake),
        auc=measures.auc(real, fake),
        judged=tuple(judged),
        survivals=tuple(survivals) if len(survivals) > 1 else (),
    )


def _in_both(before: Read, after: Read) -> list[tuple[Seen, Seen]]:
    """The images that could be altered, unaltered and altered."""
    altered = {seen.path: seen for seen in after.seen}
    return [(seen, altered[seen.path]) for seen in before.seen if seen.path in altered]


def _warnings(
    sets: Sequence[Set],
    performances: Sequence[Performance],
    pool: Pool,
    rate: float,
    unknown: Sequence[str],
) -> Iterator[str]:
    for one in sets:
        formats = [collections.Counter(seen.format for seen in part.seen) for part in one.unaltered]
        most = [format.most_common(1)[0][0] for format in formats]
        if most[0] != most[1]:
            said = [_said(format) for format in formats]
            yield (
                f"{one.path}: real images are {said[0]} and generated ones {said[1]}: what tells "
                "the formats apart could pass for a fingerprint"
            )
    if unknown:
        yield f"no fingerprint is called as the folders {', '.join(unknown)}, which are left out"
    count, needed = len(pool.seen), thresholds.needed(rate)
    spare = 0 if pool.calibrated else 1  # each real image is judged by the others
    if count < needed + spare:
        yield (
            f"a false-positive rate of {rate:g} needs {needed + spare} real images, and there are "
            f"{count}: no threshold is at it (--calibrate DIR gives more)"
        )
    elif any(judged.rule != RATE for one in performances for judged in one.judged[-1:]):
        yield "half of the real images or more have the same score: no threshold is at the rate"


def _said(formats: collections.Counter[str]) -> str:
    """As many of each format: 8 JPEG, 2 PNG."""
    return ", ".join(f"{count} {name or 'unknown'}" for name, count in formats.most_common())
