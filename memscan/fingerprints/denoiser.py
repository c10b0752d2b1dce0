"""A small DnCNN applied with numpy: the noise that it sees in an image is the residual.

Convolutions of 3 x 3 with ReLU between them and zeros at the border (Zhang et al., 2017, without
batch normalisation). Its weights travel with the fingerprint that was learned from its residuals;
it is trained in :mod:`memscan.detectors.dif.denoising`.
"""

from __future__ import annotations

from typing import Any, Mapping

import numpy as np
import numpy.typing as npt

Arrays = npt.NDArray[np.float32]
Weights = Mapping[str, Arrays]
"""``N.weight`` of shape (out, in, 3, 3) and ``N.bias`` of shape (out,), for N from 0."""

MOST_LAYERS, MOST_WIDTH = 32, 256


def noise(pixels: Arrays, weights: Weights) -> Arrays:
    """The noise in pixels from 0 to 1, both float32 of shape (height, width, 3)."""
    found = pixels
    layers = len(weights) // 2
    for layer in range(layers):
        found = _convolved(found, weights[f"{layer}.weight"]) + weights[f"{layer}.bias"]
        if layer < layers - 1:
            np.maximum(found, 0, out=found)
    return found


def check(weights: Mapping[str, npt.NDArray[Any]]) -> None:
    """Raise ValueError for what are no weights of such a network."""
    layers = len(weights) // 2
    if not 2 <= layers <= MOST_LAYERS or len(weights) % 2:
        raise ValueError(f"its denoiser has not 2 to {MOST_LAYERS} layers")
    before = 3
    for layer in range(layers):
        weight, bias = weights.get(f"{layer}.weight"), weights.get(f"{layer}.bias")
        if weight is None or bias is None:
            raise ValueError(f"layer {layer} of its denoiser is missing")
        width = 3 if layer == layers - 1 else len(bias) if bias.ndim else 0
        if not 1 <= width <= MOST_WIDTH or bias.shape != (width,):
            raise ValueError(f"layer {layer} of its denoiser has another width")
        if weight.shape != (width, before, 3, 3):
            raise ValueError(f"layer {layer} of its denoiser has another shape")
        for values in (weight, bias):
            if values.dtype != np.float32 or not np.isfinite(values).all():
                raise ValueError(f"layer {layer} of its denoiser holds no finite float32 numbers")
        before = width


def _convolved(values: Arrays, kernel: Arrays) -> Arrays:
    """The cross-correlation with a kernel (out, in, 3, 3), as large as ``values``."""
    height, width, channels = values.shape
    padded = np.pad(values, ((1, 1), (1, 1), (0, 0)))
    total = np.zeros((height * width, len(kernel)), np.float32)
    for row in range(3):
        for column in range(3):
            moved = padded[row : row + height, column : column + width].reshape(-1, channels)
            total += moved @ kernel[:, :, row, column].T
    return total.reshape(height, width, -1)
