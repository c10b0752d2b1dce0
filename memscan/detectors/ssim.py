"""The structural similarity of many pairs at once, as DeepSSIM learns it.

The index of Wang, Bovik, Sheikh and Simoncelli (2004) with the defaults of scikit-image's
``structural_similarity``: a uniform window of 7 x 7 pixels, sample covariances, K1 = 0.01 and
K2 = 0.03, and the mean over the windows that lie inside.

DeepSSIM takes it of images with mean 0 and standard deviation 1. There its luminance term, a ratio
of products of local means, jumps from 1 to -1 where a mean crosses 0, and an image and its negative
are alike, since minus times minus is plus. :func:`ssim` brings images to a common mean and contrast
that are positive instead, so that the index means what its authors say.
"""

from __future__ import annotations

import torch

WINDOW = 7
"""The side of a window in pixels: the least that an image may have."""

_K1, _K2 = 0.01, 0.03
_MEAN, _DEVIATION = 0.5, 0.2  # of pixels from 0 to 1, about those of a photograph
_LEAST_DEVIATION = 1e-3  # as in ``inputs``: noise in one colour is not made into a picture


def standardised(x: torch.Tensor) -> torch.Tensor:
    """Each image of shape (n, channels, height, width) with mean 0 and standard deviation 1."""
    axes = (1, 2, 3)
    centred = x - x.mean(axes, keepdim=True)
    deviation = (centred * centred).mean(axes, keepdim=True).sqrt()
    return centred / deviation.clamp(min=_LEAST_DEVIATION)


def ssim(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """The SSIM, from -1 to 1, of n pairs of grey images of shape (n, 1, height, width).

    Each image is brought to the same mean and contrast, and the range of the data is 1. The result
    has shape (n,). Two images of one colour have 1.
    """
    one, other = (_MEAN + _DEVIATION * standardised(x) for x in (one, other))
    return plain_ssim(one, other, torch.ones(len(one), device=one.device))


def published_ssim(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """As :func:`ssim`, of standardised images and the range of the first, as DeepSSIM has it."""
    one, other = standardised(one), standardised(other)
    span = one.amax((1, 2, 3)) - one.amin((1, 2, 3))
    return plain_ssim(one, other, span.clamp(min=_LEAST_DEVIATION))


def plain_ssim(one: torch.Tensor, other: torch.Tensor, span: torch.Tensor) -> torch.Tensor:
    """The SSIM of the pixels as they are, whose range is given for each pair, of shape (n,)."""
    maps = torch.cat([one, other, one * one, other * other, one * other], 1)
    mean_1, mean_2, square_1, square_2, product = _window_means(maps).unbind(1)
    sample = WINDOW**2 / (WINDOW**2 - 1)
    variance_1 = sample * (square_1 - mean_1 * mean_1)
    variance_2 = sample * (square_2 - mean_2 * mean_2)
    covariance = sample * (product - mean_1 * mean_2)
    c1, c2 = ((k * span[:, None, None]) ** 2 for k in (_K1, _K2))
    luminance = (2 * mean_1 * mean_2 + c1) / (mean_1 * mean_1 + mean_2 * mean_2 + c1)
    structure = (2 * covariance + c2) / (variance_1 + variance_2 + c2)
    return (luminance * structure).mean((1, 2))


def _window_means(x: torch.Tensor) -> torch.Tensor:
    """The means over all windows inside, as two matrix products, which any device does fast."""
    down, across = (_band(side).to(x) for side in x.shape[2:])
    return down @ x @ across.T


def _band(side: int) -> torch.Tensor:
    """Rows that give the mean of each run of WINDOW numbers out of ``side``."""
    positions = torch.arange(side)
    starts = torch.arange(side - WINDOW + 1)[:, None]
    return ((positions >= starts) & (positions < starts + WINDOW)).float() / WINDOW
