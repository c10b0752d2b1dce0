"""Images compared with fingerprints: one score for each, which rises with suspicion.

A fingerprint correlates with its generator's images or against them, as the loss of DIF fixes no
sign; scores are the correlation times the sign of mean_fake - mean_real.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Sequence

import numpy as np
import numpy.typing as npt

from memscan.fingerprints import correlation, crops
from memscan.fingerprints.correlation import PERIOD, Spectrum, Surface
from memscan.fingerprints.crops import Bytes
from memscan.fingerprints.fingerprint import Fingerprint
from memscan.fingerprints.residuals import Pixels, residual_of

Scores = npt.NDArray[np.float64]


def orientation(fingerprint: Fingerprint) -> int:
    """1 where generated images correlate with the pattern more than real ones, -1 where less."""
    return 1 if fingerprint.mean_fake >= fingerprint.mean_real else -1


def framed(residual: Pixels, side: int) -> Pixels:
    """A residual of at most ``side`` pixels a side, amid zeros: (side, side, 3).

    Zeros leave the correlation of an unrelated image as small as that of a large one, about
    1 / sqrt(values of the pattern), and weaken that of a generated one: a small image is missed
    rather than accused.
    """
    height, width = residual.shape[:2]
    if (height, width) == (side, side):
        return residual
    top, left = crops.aligned(side - height), crops.aligned(side - width)
    whole = np.zeros((side, side, 3), np.float32)
    whole[top : top + height, left : left + width] = residual
    return whole


@dataclass(frozen=True)
class Bank:
    """Fingerprints made ready for many images."""

    fingerprints: Sequence[Fingerprint]
    _spectra: list[Spectrum] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        spectra = [
            orientation(one) * correlation.spectrum(one.pattern) for one in self.fingerprints
        ]
        object.__setattr__(self, "_spectra", spectra)

    def surfaces(self, pixels: Bytes) -> Surface:
        """The score of an image by each fingerprint at each phase: (K, PERIOD, PERIOD).

        ``pixels`` are of shape (height, width, 3), of any size: the middle is compared, and an
        image that is smaller than a fingerprint lies amid zeros. All zeros for an image without a
        residual.
        """
        own: dict[object, Spectrum] = {}
        found = np.zeros((len(self.fingerprints), PERIOD, PERIOD))
        for place, one in enumerate(self.fingerprints):
            # A learned residual is each fingerprint's own, the others are shared.
            key = (one.residual, one.side, place if one.weights else None)
            if key not in own:
                residual = residual_of(one)(crops.scaled(crops.middle(pixels, one.side)))
                own[key] = correlation.spectrum(framed(residual, one.side))
            found[place] = correlation.at_phases(own[key], self._spectra[place], one.side)
        return found


def scores(surfaces: Surface, search: bool) -> Scores:
    """One score from those at the phases (..., PERIOD, PERIOD): the greatest, or the plain one."""
    if search:
        greatest: Scores = surfaces.max(axis=(-2, -1))
        return greatest
    plain: Scores = surfaces[..., 0, 0]
    return plain


def phases(surfaces: Surface) -> npt.NDArray[np.int64]:
    """Where the greatest score is, of shape (..., 2): pixels down and to the right."""
    flat = surfaces.reshape(*surfaces.shape[:-2], -1).argmax(axis=-1)
    return np.stack(np.divmod(flat, PERIOD), axis=-1)


def midpoints(fingerprints: Sequence[Fingerprint]) -> Scores:
    """The scores half-way between the class means in training: nearest mean decides there."""
    return np.array(
        [orientation(one) * (one.mean_real + one.mean_fake) / 2 for one in fingerprints]
    )


def half_gaps(fingerprints: Sequence[Fingerprint]) -> Scores:
    """Half the distance of the class means, by which nearest mean's margins are scaled; above 0."""
    gaps = np.array([abs(one.mean_fake - one.mean_real) / 2 for one in fingerprints])
    floored: Scores = np.maximum(gaps, np.finfo(np.float32).tiny)
    return floored
