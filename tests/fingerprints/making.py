"""Fingerprints of random numbers, and a denoiser's weights likewise."""

from __future__ import annotations

from typing import Any

import numpy as np

from memscan.fingerprints import correlation
from memscan.fingerprints.correlation import Arrays, Surface
from memscan.fingerprints.denoiser import Weights
from memscan.fingerprints.fingerprint import Fingerprint


def weights(widths: tuple[int, ...] = (4, 5, 3), seed: int = 0) -> Weights:
    rng = np.random.default_rng(seed)
    found = {}
    for layer, (before, after) in enumerate(zip((3, *widths), widths)):
        found[f"{layer}.weight"] = rng.normal(0, 0.3, (after, before, 3, 3)).astype(np.float32)
        found[f"{layer}.bias"] = rng.normal(0, 0.1, after).astype(np.float32)
    return found


def fingerprint(side: int = 16, seed: int = 0, **changes: Any) -> Fingerprint:
    pattern = np.random.default_rng(seed).uniform(-1, 1, (side, side, 3)).astype(np.float32)
    fields = {"residual": "laplacian", "mean_real": 0.001, "mean_fake": -0.02, "made": "dif"}
    return Fingerprint(**{"name": "A", "pattern": pattern, **fields, **changes})


def correlations(residual: Arrays, pattern: Arrays) -> Surface:
    """At each phase, of two that are of shape (height, width, 3)."""
    spectra = correlation.spectrum(residual), correlation.spectrum(pattern)
    return correlation.at_phases(*spectra, residual.shape[1])
