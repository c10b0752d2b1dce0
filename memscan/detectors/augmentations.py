"""What training does to images: batches of pixels from 0 to 1, (n, channels, height, width).

Each function takes one number for each image, in an array of shape (n,), and leaves an image as it
is where the number says so; who calls it draws the numbers.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from numpy.polynomial import legendre
from torch.nn import functional

Numbers = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


def wide(numbers: npt.NDArray[np.generic], x: torch.Tensor) -> torch.Tensor:
    """A number of each image, float32 of shape (n, 1, 1, 1), on the device of the batch ``x``."""
    return torch.as_tensor(numbers.astype(np.float32), device=x.device).reshape(-1, 1, 1, 1)


def flipped(x: torch.Tensor, chosen: Flags, axis: int) -> torch.Tensor:
    """Mirrored along ``axis`` (2 upside down, 3 left to right) where ``chosen``."""
    return torch.where(wide(chosen, x) > 0, x.flip(axis), x)


def moved(
    x: torch.Tensor,
    radians: Numbers,
    down: Numbers | None = None,
    right: Numbers | None = None,
    zoom: Numbers | None = None,
    padding: str = "zeros",
) -> torch.Tensor:
    """Turned about the middle, enlarged by ``zoom`` and shifted by pixels, bilinearly.

    ``padding`` is what fills the corners: "zeros", "border", or "minimum" of each image.
    """
    count, _, height, width = x.shape
    nothing = np.zeros(count)
    scale = np.ones(count) if zoom is None else zoom
    sine, cosine = np.sin(radians) / scale, np.cos(radians) / scale
    shift_x = -2 * (nothing if right is None else right) / width
    shift_y = -2 * (nothing if down is None else down) / height
    aspect = height / width
    theta = np.stack(
        [
            np.stack([cosine, sine * aspect, shift_x], 1),
            np.stack([-sine / aspect, cosine, shift_y], 1),
        ],
        1,
    )
    grid = functional.affine_grid(
        torch.as_tensor(theta, dtype=x.dtype, device=x.device), list(x.shape), align_corners=False
    )
    if padding == "minimum":
        least = x.amin(dim=(1, 2, 3), keepdim=True)
        return functional.grid_sample(x - least, grid, align_corners=False) + least
    return functional.grid_sample(x, grid, padding_mode=padding, align_corners=False)


def with_gamma(x: torch.Tensor, exponents: Numbers) -> torch.Tensor:
    """Raised to a power; 1 changes nothing."""
    return x.clamp(0, 1) ** wide(exponents, x)


BIAS_TERMS = 10
"""The products of Legendre polynomials of two axes with a degree of at most 3."""


def with_bias_field(x: torch.Tensor, coefficients: npt.NDArray[np.float64]) -> torch.Tensor:
    """Multiplied by the exponential of a smooth field, and clipped to 0 to 1.

    The field is a sum of products of Legendre polynomials of both axes, from -1 to 1, by
    ``coefficients`` of shape (n, BIAS_TERMS); 0 changes nothing (after MONAI's RandBiasField).
    """
    height, width = x.shape[2:]
    down, across = np.linspace(-1, 1, height), np.linspace(-1, 1, width)
    terms = [
        np.multiply.outer(
            legendre.legval(down, np.eye(4)[i]), legendre.legval(across, np.eye(4)[j])
        )
        for i in range(4)
        for j in range(4 - i)
    ]
    field = np.exp(np.tensordot(coefficients, np.stack(terms), 1)).astype(np.float32)
    return (x * torch.from_numpy(field[:, None]).to(x.device)).clamp(0, 1)


def smoothed(x: torch.Tensor, sigmas: Numbers) -> torch.Tensor:
    """Blurred by a Gaussian of so many pixels; 0 changes nothing."""
    radius = max(1, int(np.ceil(3 * sigmas.max(initial=0))))
    offsets = np.arange(-radius, radius + 1)
    kernels = np.exp(-0.5 * (offsets / np.maximum(sigmas, 1e-3)[:, None]) ** 2)
    kernels /= kernels.sum(axis=1, keepdims=True)
    count, channels, height, width = x.shape
    weights = torch.as_tensor(kernels, dtype=x.dtype, device=x.device)
    weights = weights.repeat_interleave(channels, 0)[:, None]
    flat = x.reshape(1, count * channels, height, width)
    padded = functional.pad(flat, (radius, radius, 0, 0), mode="replicate")
    flat = functional.conv2d(padded, weights[:, :, None, :], groups=count * channels)
    padded = functional.pad(flat, (0, 0, radius, radius), mode="replicate")
    flat = functional.conv2d(padded, weights[:, :, :, None], groups=count * channels)
    return flat.reshape(x.shape)


def noisy(x: torch.Tensor, deviations: Numbers, rng: np.random.Generator) -> torch.Tensor:
    """With Gaussian noise of these standard deviations."""
    noise = torch.as_tensor(rng.standard_normal(x.shape, np.float32), device=x.device)
    return x + noise * wide(deviations, x)


def brightened(x: torch.Tensor, factors: Numbers) -> torch.Tensor:
    """Multiplied, and clipped to 0 to 1."""
    return (x * wide(factors, x)).clamp(0, 1)


def with_contrast(x: torch.Tensor, factors: Numbers) -> torch.Tensor:
    """Farther from the mean of each image by a factor, and clipped to 0 to 1."""
    mean = x.mean(dim=(1, 2, 3), keepdim=True)
    return (mean + (x - mean) * wide(factors, x)).clamp(0, 1)


def chosen(rng: np.random.Generator, count: int, share: float) -> Flags:
    """Each of ``count`` images with this probability."""
    flags: Flags = rng.random(count) < share
    return flags


def drawn(
    rng: np.random.Generator, count: int, low: float, high: float, share: float, otherwise: float
) -> Numbers:
    """A number from ``low`` to ``high`` for a ``share`` of images, and ``otherwise`` for others."""
    return np.where(chosen(rng, count, share), rng.uniform(low, high, count), otherwise)
