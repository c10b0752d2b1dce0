"""The grid in a pattern: how far its frequencies rise above those around them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from memscan.fingerprints.residuals import Pixels

PERIODS = (2, 4, 8, 16)
"""Pixels after which grids of networks repeat that double the resolution once to four times."""

_REACH = 3  # frequencies on each side that a peak is compared with
_FAINTEST = 1e-6  # of the strongest magnitude; below it there is nothing but rounding


class Peak(NamedTuple):
    """How strong the frequencies of a grid are beside those around them; about 1 is no grid.

    It is the mean over the frequencies of this period and of no shorter one; white noise has
    0.9 to 1.1, with a deviation of 0.2 at two pixels and less at longer periods. What is around
    them counts as at least a millionth of the strongest frequency, so that a grid with nothing
    around it has a ratio of up to a million, and a pattern without any frequency one of 0.
    """

    period: int
    ratio: float


def magnitudes(pattern: Pixels) -> npt.NDArray[np.float64]:
    """The mean magnitude of the three channels at each frequency, (height, width), no constant.

    ``pattern`` is of shape (height, width, 3).
    """
    planes = pattern.astype(np.float64)
    spectrum = np.fft.fft2(planes - planes.mean(axis=(0, 1)), axes=(0, 1))
    found: npt.NDArray[np.float64] = np.abs(spectrum).mean(axis=2)
    return found


def peaks(pattern: Pixels) -> list[Peak]:
    """The grids of a square pattern, of those periods that divide its side."""
    found = magnitudes(pattern)
    side = len(found)
    return [
        Peak(period, float(np.mean([_rise(found, place) for place in _frequencies(side, period)])))
        for period in PERIODS
        if side % period == 0
    ]


def _frequencies(side: int, period: int) -> list[tuple[int, int]]:
    """Where a grid of this period has its frequencies, without those of half the period."""
    step = side // period
    return [
        (down * step, across * step)
        for down in range(period)
        for across in range(period)
        if down % 2 or across % 2
    ]


def _rise(found: npt.NDArray[np.float64], place: tuple[int, int]) -> float:
    """The magnitude at a frequency over the median of its surroundings."""
    around = [np.arange(start - _REACH, start + _REACH + 1) % len(found) for start in place]
    middle = float(np.median(found[np.ix_(*around)]))
    floor = max(_FAINTEST * float(found.max()), float(np.finfo(np.float64).tiny))
    return float(found[place]) / max(middle, floor)
