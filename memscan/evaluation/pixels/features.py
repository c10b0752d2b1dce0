"""FSIM: how alike the low-level features of two grey images are.

Zhang, Zhang, Mou and Zhang, FSIM: A Feature Similarity Index for Image Quality Assessment, IEEE
Transactions on Image Processing 20(8), 2011. Images of less than 384 pixels are not reduced there,
and larger ones do not come here.
"""

from __future__ import annotations

import numpy as np

from memscan.evaluation.pixels.measures import Features, Images
from memscan.evaluation.pixels.phase import congruency

T1, T2 = 0.85, 160.0
"""What keeps the similarities of phase congruencies and of gradients stable."""


class FeatureSimilarity:
    """Similarity of phase congruency and gradient, weighted by the greater phase congruency."""

    def features(self, images: Images) -> Features:
        """Phase congruency and gradient magnitude."""
        return congruency(images), gradient(images)

    def similarities(self, one: Features, other: Features) -> Images:
        """From 0 to 1; by gradients alone where neither image has a feature."""
        (phase_x, gradient_x), (phase_y, gradient_y) = one, other
        alike = _alike(phase_x, phase_y, T1) * _alike(gradient_x, gradient_y, T2)
        weights = np.maximum(phase_x, phase_y)
        weights = np.where(weights.sum(axis=(1, 2), keepdims=True) > 0, weights, 1)
        weighed: Images = (alike * weights).sum(axis=(1, 2)) / weights.sum(axis=(1, 2))
        return weighed


def gradient(images: Images) -> Images:
    """The magnitude of Scharr's gradient; beyond the edges lies black, as published."""
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1)))
    along_rows = padded[:, :, 2:] - padded[:, :, :-2]
    along_columns = padded[:, 2:] - padded[:, :-2]
    across = (3 * along_rows[:, :-2] + 10 * along_rows[:, 1:-1] + 3 * along_rows[:, 2:]) / 16
    down = (
        3 * along_columns[:, :, :-2] + 10 * along_columns[:, :, 1:-1] + 3 * along_columns[:, :, 2:]
    ) / 16
    magnitude: Images = np.hypot(across, down)
    return magnitude


def _alike(one: Images, other: Images, constant: float) -> Images:
    alike: Images = (2 * one * other + constant) / (one**2 + other**2 + constant)
    return alike
