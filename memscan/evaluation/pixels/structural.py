"""SSIM: how alike the structure of two grey images is, as DeepSSIM defines it.

Wang, Bovik, Sheikh and Simoncelli, Image Quality Assessment: From Error Visibility to Structural
Similarity, IEEE Transactions on Image Processing 13(4), 2004. The window is a box of 7 x 7 pixels
with sample covariances, as by default in scikit-image; each image is brought to mean 0 and standard
deviation 1 before, and the range of the data is that of the first image, as in the code of DeepSSIM
(arXiv 2509.16582), which so is not quite symmetric.
"""

from __future__ import annotations

import numpy as np

from memscan.evaluation.pixels.measures import LEVELS, Features, Images

WINDOW = 7
"""Pixels of a side of the window; images must be at least as large."""

_K1, _K2 = 0.01, 0.03
_SAMPLE = WINDOW**2 / (WINDOW**2 - 1)  # from the variance of a window to that of a sample
_LEAST = 1e-3  # deviation, and range: of an image of one colour


class StructuralSimilarity:
    """The mean SSIM over all windows that lie within the images."""

    def features(self, images: Images) -> Features:
        """The standardised images, mean and variance of each window, and their range."""
        centred = images - images.mean(axis=(1, 2), keepdims=True)
        deviations = centred.std(axis=(1, 2), keepdims=True)
        images = centred / np.maximum(deviations, _LEAST * LEVELS)
        spans = np.ptp(images, axis=(1, 2), keepdims=True)
        means = windows(images)
        variances = _SAMPLE * (windows(images**2) - means**2)
        return images, means, variances, np.maximum(spans, _LEAST)

    def similarities(self, one: Features, other: Features) -> Images:
        """From -1 to 1."""
        (x, mean_x, variance_x, span), (y, mean_y, variance_y, _) = one, other
        products = mean_x * mean_y
        covariance = _SAMPLE * (windows(x * y) - products)
        c1, c2 = (_K1 * span) ** 2, (_K2 * span) ** 2
        over = (2 * products + c1) * (2 * covariance + c2)
        under = (mean_x**2 + mean_y**2 + c1) * (variance_x + variance_y + c2)
        mean: Images = (over / under).mean(axis=(1, 2))
        return mean


def windows(images: Images) -> Images:
    """The mean of each window, of shape (n, height - 6, width - 6)."""
    sums = images
    for axis in (1, 2):
        rising = np.cumsum(sums, axis=axis)
        rising = np.concatenate([np.zeros_like(rising.take([0], axis=axis)), rising], axis=axis)
        count = rising.shape[axis] - WINDOW
        ends = rising.take(range(WINDOW, WINDOW + count), axis=axis)
        sums = ends - rising.take(range(count), axis=axis)
    means: Images = sums / WINDOW**2
    return means
