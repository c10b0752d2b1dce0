from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="torch is not installed (extra diffusion)")

import torch

from memscan.detectors.diffusion import ddim
from memscan.detectors.diffusion.ddim import Grid
from memscan.errors import InputError
from tests.detectors.diffusion import toys
from tests.detectors.diffusion.toys import BROAD, Mixture


def _apart(first: torch.Tensor, second: torch.Tensor) -> float:
    """The RMSE of the worst of two batches."""
    return float((first - second).flatten(1).square().mean(1).sqrt().max())


def test_the_grid_ends_at_the_last_training_step_and_begins_without_noise() -> None:
    signal = torch.linspace(0.999, 0.01, 1000, dtype=torch.float64)
    grid = ddim.grid(signal, 50)
    assert grid.steps[:3] == (0, 19, 39)
    assert grid.steps[20] == 399
    assert grid.steps[-1] == 999
    assert grid.last == 50
    assert grid.signal[0] == 1.0
    assert grid.signal[20] == signal[399]
    assert ddim.grid(signal[:7], 7).steps == (0, 0, 1, 2, 3, 4, 5, 6)


@pytest.mark.parametrize("count", [0, 11])
def test_a_grid_of_more_steps_than_were_trained_is_refused(count: int) -> None:
    with pytest.raises(InputError, match="trained with 10 steps"):
        ddim.grid(torch.linspace(0.9, 0.1, 10), count)


def test_batches_hold_every_row_once() -> None:
    found = [rows.tolist() for rows in ddim.batches(7, 3)]
    assert found == [[0, 1, 2], [3, 4, 5], [6]]


def _denoised_slowly(
    model: Mixture, latent: torch.Tensor, grid: Grid, level: int, prompt: str, guidance: float
) -> tuple[torch.Tensor, list[float]]:
    """One latent, step by step, as the papers write it."""
    z, found = latent[None], []
    for k in range(level, 0, -1):
        now, then = grid.signal[k], grid.signal[k - 1]
        null = model.predict(z, grid.steps[k], model.embed([""]))
        text = model.predict(z, grid.steps[k], model.embed([prompt]))
        found.append(float(((text - null) ** 2).sum() ** 0.5))
        noise = (1 - guidance) * null + guidance * text
        clean = (z - (1 - now) ** 0.5 * noise) / now**0.5
        z = then**0.5 * clean + (1 - then) ** 0.5 * noise
    return z[0], found


@pytest.mark.parametrize("guidance", [0.0, 1.0, 7.5])
def test_denoising_is_ddim_with_guidance(guidance: float) -> None:
    model = toys.mixture(2)
    grid = ddim.grid(model.alphas_bar, 20)
    latents = torch.randn((3, *model.latent_shape), generator=torch.Generator().manual_seed(0))
    words = ["memory1", "kind2 dulo", "bamu"]
    done = ddim.denoise(model, latents, grid, 20, model.embed(words), guidance)
    assert done.magnitudes.shape == (3, 20)
    for row, word in enumerate(words):
        latent, found = _denoised_slowly(model, latents[row], grid, 20, word, guidance)
        torch.testing.assert_close(done.latents[row], latent, rtol=1e-3, atol=1e-3)
        torch.testing.assert_close(done.magnitudes[row], torch.tensor(found), rtol=1e-3, atol=1e-3)


def test_without_text_there_are_no_magnitudes_and_half_the_work() -> None:
    model = toys.mixture(2)
    grid = ddim.grid(model.alphas_bar, 10)
    latents = toys.unknown(model, 4)
    without = ddim.denoise(model, latents, grid, 10)
    rows = model.rows
    ignored = ddim.denoise(model, latents, grid, 10, model.embed(["bamu"] * 4), guidance=0.0)
    assert without.magnitudes.shape == (4, 0)
    torch.testing.assert_close(without.latents, ignored.latents)
    assert model.rows == 3 * rows


def test_what_was_inverted_is_denoised_to_itself() -> None:
    model = toys.mixture(4)
    latents = torch.cat([toys.remembered(model, 4), toys.unknown(model, 8)])
    errors = {}
    for steps in (50, 200):
        grid = ddim.grid(model.alphas_bar, steps)
        for share in (0.2, 0.4, 1.0):
            level = int(share * steps)
            inverted = ddim.invert(model, latents, grid, level, batch=5)
            assert _apart(inverted, latents) > 0.2
            errors[steps, share] = _apart(
                ddim.denoise(model, inverted, grid, level).latents, latents
            )
    assert max(errors[50, share] for share in (0.2, 0.4, 1.0)) < 0.08
    for share in (0.2, 0.4, 1.0):
        assert errors[200, share] < 0.5 * errors[50, share]


def test_inversion_of_one_gaussian_is_what_its_equation_says() -> None:
    """Of N(mean, s^2) the flow of probability has a closed form."""
    kind = toys.mixture(0)._means[-1:].reshape(1, toys.SIDE, toys.SIDE)
    model = Mixture(torch.zeros(0, toys.SIDE, toys.SIDE), kind)
    latents = toys.unknown(toys.mixture(0), 6)
    errors = []
    for steps in (50, 1000):
        grid = ddim.grid(model.alphas_bar, steps)
        level = 2 * steps // 5
        signal = grid.signal[level]
        spread = (signal * BROAD**2 + 1 - signal) ** 0.5 / BROAD
        exact = signal**0.5 * kind + spread * (latents - kind)
        errors.append(_apart(ddim.invert(model, latents, grid, level), exact))
    assert errors[0] < 0.1
    assert errors[1] < 0.1 * errors[0]


def test_inversion_does_not_depend_on_batches() -> None:
    model = toys.mixture(2)
    grid = ddim.grid(model.alphas_bar, 50)
    latents = toys.unknown(model, 7)
    whole = ddim.invert(model, latents, grid, 20, batch=16)
    torch.testing.assert_close(ddim.invert(model, latents, grid, 20, batch=2), whole)
