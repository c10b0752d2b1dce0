from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from scipy import ndimage, signal

from memscan.fingerprints import denoiser, residuals
from memscan.fingerprints.residuals import CLIP, NOISE, RESIDUALS, WINDOW
from tests.fingerprints.making import fingerprint, weights

Values = npt.NDArray[np.float32]


def noise(height: int, width: int, seed: int = 0) -> Values:
    """Noise of 8 bits upon a slope, so that local variances lie on both sides of the noise's."""
    rng = np.random.default_rng(seed)
    slope = np.linspace(0, 200, width)[None, :, None] + rng.normal(0, 8, (height, width, 3))
    slope[: height // 2] = slope[: height // 2].mean()
    return (np.clip(slope, 0, 255).round() / 255).astype(np.float32)


def test_the_laplacian_is_the_kernel_at_each_place() -> None:
    pixels = noise(11, 17)
    padded = np.pad(pixels.astype(np.float64), ((1, 1), (1, 1), (0, 0)), mode="symmetric")
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]]) / 4
    wanted = np.empty(pixels.shape)
    for row in range(11):
        for column in range(17):
            for channel in range(3):
                window = padded[row : row + 3, column : column + 3, channel]
                wanted[row, column, channel] = (window * kernel).sum()
    found = residuals.laplacian(pixels)
    assert np.allclose(found, np.clip(wanted, -CLIP, CLIP), atol=1e-7)
    assert found.dtype == np.float32
    assert (np.abs(wanted) > CLIP).any()
    assert (np.abs(wanted) < CLIP).any()


def test_the_wiener_residual_is_what_the_filter_of_scipy_takes_away() -> None:
    """Far from the border, where scipy sees zeros."""
    pixels = noise(40, 40)
    found = residuals.wiener(pixels)
    inner = slice(WINDOW // 2, -(WINDOW // 2))
    for channel in range(3):
        plane = pixels[..., channel].astype(np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):  # it divides by a variance of 0
            wanted = plane - signal.wiener(plane, WINDOW, NOISE**2)
        assert np.allclose(found[inner, inner, channel], wanted[inner, inner], atol=2e-5)
    variances = ndimage.generic_filter(pixels[..., 0], np.var, WINDOW)
    assert variances.min() < NOISE**2 < variances.max()


@pytest.mark.parametrize("name", RESIDUALS)
def test_a_plain_image_leaves_nothing(name: str) -> None:
    found = RESIDUALS[name](np.full((16, 24, 3), 0.3, np.float32))
    assert found.shape == (16, 24, 3)
    assert np.abs(found).max() < 1e-6


def test_the_denoiser_is_convolutions_with_relu_between_them() -> None:
    pixels, given = noise(7, 9), weights((4, 5, 3))
    found = pixels.astype(np.float64).transpose(2, 0, 1)
    for layer in range(3):
        kernel, bias = given[f"{layer}.weight"], given[f"{layer}.bias"]
        planes = [
            bias[out] + sum(
                signal.correlate2d(plane, kernel[out, number], mode="same")
                for number, plane in enumerate(found)
            )
            for out in range(len(kernel))
        ]  # fmt: skip
        found = np.stack(planes)
        if layer < 2:
            found = np.maximum(found, 0)
    got = denoiser.noise(pixels, given)
    assert got.dtype == np.float32
    assert np.allclose(got, found.transpose(1, 2, 0), atol=1e-5)


def test_the_residual_of_a_fingerprint_is_the_one_it_was_learned_from() -> None:
    pixels = noise(16, 16)
    for name, expected in RESIDUALS.items():
        found = residuals.residual_of(fingerprint(residual=name))
        assert np.array_equal(found(pixels), expected(pixels))
    given = weights()
    found = residuals.residual_of(fingerprint(residual="denoiser", weights=given))
    assert np.array_equal(found(pixels), denoiser.noise(pixels, given))


def test_weights_of_a_denoiser_fit_each_other() -> None:
    denoiser.check(weights((1, 3)))
    denoiser.check(weights((7, 8, 9, 3)))
    good = weights((4, 3))
    rejected = [
        {},
        weights((3,)),
        weights((4, 4)),
        weights((257, 3)),
        weights((1,) * 32 + (3,)),
        {**good, "2.bias": good["0.bias"]},
        {name: value for name, value in good.items() if name != "0.bias"},
        {**good, "0.weight": good["0.weight"].astype(np.float64)},
        {**good, "0.weight": good["0.weight"] * np.float32(np.inf)},
        {**good, "0.weight": good["0.weight"][..., :2]},
        {**good, "0.bias": np.float32(1)},
        {**good, "1.bias": good["1.bias"][:2]},
    ]
    for one in rejected:
        with pytest.raises(ValueError, match="denoiser"):
            denoiser.check(one)  # type: ignore[arg-type]
