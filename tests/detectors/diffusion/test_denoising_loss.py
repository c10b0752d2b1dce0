from __future__ import annotations

import dataclasses

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed (extra diffusion)")

import torch

from memscan.detectors.diffusion import ddim, denoising_loss
from memscan.probes import ProbeOptions
from tests.detectors.diffusion import toys

OPTIONS = ProbeOptions(noises=3)


def test_what_is_remembered_is_denoised_better() -> None:
    model = toys.mixture(6)
    latents = torch.cat([toys.remembered(model, 6), toys.unknown(model, 20)])
    found = denoising_loss.measure(model, latents, OPTIONS)
    assert (found < 0).all()
    assert found[:6].min() > found[6:].max()


def test_a_model_without_these_memories_denoises_them_like_others() -> None:
    remembering, other = toys.mixture(6), toys.mixture(0)
    latents = torch.cat([toys.remembered(remembering, 6), toys.unknown(remembering, 20)])
    found = denoising_loss.measure(other, latents, OPTIONS)
    assert np.median(found[:6]) < found[6:].max()


def test_the_loss_is_that_of_training_at_some_levels() -> None:
    model = toys.mixture(2)
    latents = torch.cat([toys.remembered(model, 1), toys.unknown(model, 1)])
    found = denoising_loss.measure(model, latents, OPTIONS, batch=4)
    lots = torch.Generator().manual_seed(OPTIONS.seed)
    noises = torch.randn((3, *model.latent_shape), generator=lots)
    grid = ddim.grid(model.alphas_bar, 50)
    for latent, value in zip(latents, found):
        losses = []
        for level in (2, 5, 10):
            for noise in noises:
                signal = grid.signal[level]
                noisy = signal**0.5 * latent + (1 - signal) ** 0.5 * noise
                predicted = model.predict(noisy[None], grid.steps[level], model.embed([""]))[0]
                losses.append(float(((predicted - noise) ** 2).mean()))
        np.testing.assert_allclose(value, -np.mean(losses), rtol=1e-4)


def test_an_image_gives_the_same_whatever_is_beside_it() -> None:
    model = toys.mixture(2)
    latents = toys.unknown(model, 5)
    whole = denoising_loss.measure(model, latents, OPTIONS, batch=64)
    np.testing.assert_allclose(
        denoising_loss.measure(model, latents.flip(0), OPTIONS, batch=2)[::-1], whole, rtol=1e-4
    )
    short = dataclasses.replace(OPTIONS, steps=4, depth=1)
    np.testing.assert_array_equal(denoising_loss.measure(model, latents, short, batch=64), whole)
    other = dataclasses.replace(OPTIONS, seed=3)
    assert not np.allclose(denoising_loss.measure(model, latents, other), whole)
