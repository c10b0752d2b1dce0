"""Images compared with fingerprints: all phases at once against the pattern rolled for each."""

from __future__ import annotations

import itertools

import numpy as np

from memscan.fingerprints import correlation, residuals
from memscan.fingerprints.correlation import PERIOD
from tests.benchmarks.conftest import Race

SIDE, IMAGES, FINGERPRINTS = 256, 8, 5
PLACES = list(itertools.product(range(PERIOD), repeat=2))


def test_all_phases_against_rolling(race: Race) -> None:
    lots = np.random.default_rng(0)
    patterns = lots.normal(size=(FINGERPRINTS, SIDE, SIDE, 3)).astype(np.float32)
    images = lots.normal(size=(IMAGES, SIDE, SIDE, 3)).astype(np.float32)
    wanted = correlation.standardised(patterns)
    spectra = [correlation.spectrum(pattern) for pattern in patterns]

    def rolled() -> None:
        for image in images:
            own = correlation.standardised(image)
            for pattern, place in itertools.product(wanted, PLACES):
                np.vdot(own, np.roll(pattern, place, axis=(0, 1)))

    def at_once() -> None:
        for image in images:
            own = correlation.spectrum(image)
            for spectrum in spectra:
                correlation.at_phases(own, spectrum, SIDE)

    name = f"{len(PLACES)} phases of {FINGERPRINTS} fingerprints, against rolling the patterns"
    race.ratio(name, rolled, at_once)


def test_wiener_against_laplacian(race: Race) -> None:
    images = np.random.default_rng(0).random((IMAGES, SIDE, SIDE, 3), dtype=np.float32)
    race.ratio(
        f"the residual laplacian, {SIDE} px, against wiener",
        lambda: [residuals.wiener(image) for image in images],
        lambda: [residuals.laplacian(image) for image in images],
    )
