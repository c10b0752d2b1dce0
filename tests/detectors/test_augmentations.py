from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed (the learned extra has it)")

import torch

from memscan.detectors import augmentations
from tests.drawing import picture

ndimage = pytest.importorskip("scipy.ndimage", reason="scipy is not installed")


@pytest.fixture
def batch() -> torch.Tensor:
    """Four pictures, 48 high and 64 wide, in three channels."""
    drawn = [np.asarray(picture(seed, (64, 48)), np.float32) / 255 for seed in range(4)]
    return torch.from_numpy(np.stack(drawn)).permute(0, 3, 1, 2).contiguous()


def inside(x: torch.Tensor, margin: int = 8) -> torch.Tensor:
    return x[..., margin:-margin, margin:-margin]


def test_flips_are_those_of_numpy_where_chosen(batch: torch.Tensor) -> None:
    for axis in (2, 3):
        flipped = augmentations.flipped(batch, np.array([True, False, True, False]), axis)
        assert np.array_equal(flipped[0].numpy(), np.flip(batch[0].numpy(), axis - 1))
        assert torch.equal(flipped[1], batch[1])


def test_nothing_moves_by_nothing(batch: torch.Tensor) -> None:
    for padding in ("zeros", "border", "minimum"):
        moved = augmentations.moved(batch, np.zeros(4), padding=padding)
        assert moved.numpy() == pytest.approx(batch.numpy(), abs=1e-5)


@pytest.mark.parametrize("degrees", [10.0, -35.0, 90.0])
def test_turns_are_those_of_scipy(batch: torch.Tensor, degrees: float) -> None:
    turned = augmentations.moved(batch, np.full(4, np.radians(degrees)))[0, 0].numpy()
    expected = ndimage.rotate(batch[0, 0].numpy(), degrees, reshape=False, order=1)
    opposite = ndimage.rotate(batch[0, 0].numpy(), -degrees, reshape=False, order=1)
    middle = (slice(12, 36), slice(20, 44))
    assert turned[middle] == pytest.approx(expected[middle], abs=2e-2) or turned[
        middle
    ] == pytest.approx(opposite[middle], abs=2e-2)


def test_shifts_are_in_pixels(batch: torch.Tensor) -> None:
    moved = augmentations.moved(batch, np.zeros(4), np.full(4, 3.0), np.full(4, -5.0))
    assert inside(moved).numpy() == pytest.approx(
        inside(torch.roll(batch, (3, -5), (2, 3))).numpy(), abs=1e-4
    )
    assert float(moved[:, :, :3].abs().max()) < 1e-5  # zeros come in from above


def test_each_image_moves_by_itself(batch: torch.Tensor) -> None:
    turns, down = np.array([0.0, 0.2, -0.1, 0.0]), np.array([0.0, 0.0, 2.0, 4.0])
    together = augmentations.moved(batch, turns, down)
    for row in range(4):
        alone = augmentations.moved(batch[row : row + 1], turns[row : row + 1], down[row : row + 1])
        assert torch.allclose(together[row], alone[0], atol=1e-6)


def test_zoom_enlarges_about_the_middle(batch: torch.Tensor) -> None:
    enlarged = augmentations.moved(batch, np.zeros(4), zoom=np.full(4, 2.0))
    expected = ndimage.zoom(
        batch[0, 0, 12:36, 16:48].numpy(), 2, order=1, grid_mode=True, mode="nearest"
    )
    assert inside(enlarged[0, 0]).numpy() == pytest.approx(expected[8:-8, 8:-8], abs=1e-3)


@pytest.mark.parametrize(
    ("padding", "corner"), [("zeros", 0.0), ("minimum", 0.25), ("border", 0.5)]
)
def test_what_fills_the_corners(padding: str, corner: float) -> None:
    x = torch.full((1, 1, 32, 32), 0.5)
    x[0, 0, 16, 16] = 0.25
    turned = augmentations.moved(x, np.full(1, np.radians(45)), padding=padding)
    assert float(turned[0, 0, 0, 0]) == pytest.approx(corner, abs=1e-5)


def test_smoothing_is_that_of_scipy(batch: torch.Tensor) -> None:
    sigmas = np.array([0.0, 0.5, 2.0, 5.0])
    smoothed = augmentations.smoothed(batch, sigmas)
    assert torch.allclose(smoothed[0], batch[0], atol=1e-6)
    for row in (1, 2, 3):
        expected = ndimage.gaussian_filter(
            batch[row].numpy(),
            (0, sigmas[row], sigmas[row]),
            mode="nearest",
            truncate=15 / sigmas[row],
        )
        assert smoothed[row].numpy() == pytest.approx(expected, abs=1e-3)


def test_gamma_brightness_and_contrast(batch: torch.Tensor) -> None:
    numbers = np.array([1.0, 0.5, 1.5, 2.0])
    factors = torch.tensor(numbers, dtype=torch.float32)[:, None, None, None]
    assert torch.allclose(augmentations.with_gamma(batch, numbers), batch**factors)
    assert torch.allclose(augmentations.brightened(batch, numbers), (batch * factors).clamp(0, 1))
    contrasted = augmentations.with_contrast(batch, numbers)
    assert torch.allclose(contrasted[0], batch[0], atol=1e-6)
    assert contrasted[1].std() == pytest.approx(float(batch[1].std()) / 2, rel=1e-3)
    assert float(contrasted.min()) >= 0
    assert float(contrasted.max()) <= 1


def test_noise_has_its_deviation_and_is_repeatable(batch: torch.Tensor) -> None:
    deviations = np.array([0.0, 0.05, 0.1, 0.2])
    noisy = augmentations.noisy(batch, deviations, np.random.default_rng(1))
    assert torch.equal(noisy[0], batch[0])
    measured = (noisy - batch).std((1, 2, 3)).numpy()
    assert measured == pytest.approx(deviations, rel=0.05)
    assert torch.equal(noisy, augmentations.noisy(batch, deviations, np.random.default_rng(1)))


def test_a_bias_field_is_smooth_and_multiplies(batch: torch.Tensor) -> None:
    coefficients = np.zeros((4, augmentations.BIAS_TERMS))
    assert torch.allclose(augmentations.with_bias_field(batch, coefficients), batch)
    coefficients[:, 0] = np.log(0.5)  # the constant polynomial
    assert torch.allclose(augmentations.with_bias_field(batch, coefficients), batch / 2, atol=1e-6)
    from numpy.polynomial import legendre

    coefficients = np.random.default_rng(0).uniform(0, 0.1, (4, augmentations.BIAS_TERMS))
    table = np.zeros((4, 4))
    table[
        [i for i in range(4) for j in range(4 - i)], [j for i in range(4) for j in range(4 - i)]
    ] = coefficients[2]
    field = np.exp(legendre.leggrid2d(np.linspace(-1, 1, 48), np.linspace(-1, 1, 64), table))
    expected = (batch[2].numpy() * field).clip(0, 1)
    assert augmentations.with_bias_field(batch, coefficients)[2].numpy() == pytest.approx(
        expected, abs=1e-5
    )


def test_shares_are_kept() -> None:
    rng = np.random.default_rng(0)
    numbers = augmentations.drawn(rng, 10_000, 2, 3, 0.25, 7.0)
    assert np.mean(numbers != 7) == pytest.approx(0.25, abs=0.02)
    assert numbers[numbers != 7].min() >= 2
    assert numbers[numbers != 7].max() <= 3
    assert not augmentations.chosen(rng, 100, 0.0).any()
    assert augmentations.chosen(rng, 100, 1.0).all()
