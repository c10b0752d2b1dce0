from __future__ import annotations

import dataclasses

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed (extra diffusion)")

import torch

from memscan.detectors.diffusion import ddim, prompts, tcnp
from memscan.errors import InputError
from memscan.probes import ProbeOptions
from tests.detectors.diffusion import toys

OPTIONS = ProbeOptions(steps=20, depth=8, prompts=2, generations=3)


def _noises(model: toys.Mixture, seed: int) -> torch.Tensor:
    lots = torch.Generator().manual_seed(seed)
    return torch.randn((OPTIONS.generations, *model.latent_shape), generator=lots)


def test_prompts_of_what_is_remembered_are_louder_than_others() -> None:
    model = toys.mixture(6)
    triggers = tcnp.of_prompts(model, [f"memory{n}" for n in range(6)], OPTIONS)
    others = tcnp.of_prompts(model, ["kind0", "kind1", "kind2", "kind3", "bamu", "dulo"], OPTIONS)
    assert triggers.min() > others.max()


def test_a_prompt_is_measured_as_in_a_slow_loop() -> None:
    model = toys.mixture(3)
    found = tcnp.of_prompts(model, ["memory1", "bamu"], OPTIONS, batch=4)
    grid = ddim.grid(model.alphas_bar, OPTIONS.steps)
    for prompt, value in zip(["memory1", "bamu"], found):
        means = []
        for noise in _noises(model, OPTIONS.seed):
            done = ddim.denoise(model, noise[None], grid, 20, model.embed([prompt]), 7.5)
            means.append(float(done.magnitudes.mean()))
        np.testing.assert_allclose(value, np.mean(means), rtol=1e-4)


def test_a_prompt_gives_the_same_whatever_is_asked_beside_it() -> None:
    model = toys.mixture(3)
    several = tcnp.of_prompts(model, ["memory1", "bamu", "memory1"], OPTIONS, batch=2)
    alone = tcnp.of_prompts(model, ["memory1"], OPTIONS)
    np.testing.assert_allclose(several[[0, 2]], alone[0], rtol=1e-4)


def test_without_prompts_images_are_told_apart_by_their_own_noise() -> None:
    model = toys.mixture(6)
    latents = torch.cat([toys.remembered(model, 6), toys.unknown(model, 12)])
    found = tcnp.of_latents(model, latents, OPTIONS, batch=8)
    assert np.median(found[:6]) > np.quantile(found[6:], 0.9)
    grid = ddim.grid(model.alphas_bar, OPTIONS.steps)
    for row in (0, 7):
        start = ddim.invert(model, latents[row : row + 1], grid, 20)
        means = [
            float(ddim.denoise(model, start, grid, 20, model.embed([prompt])).magnitudes.mean())
            for prompt in prompts.chosen(OPTIONS)
        ]
        np.testing.assert_allclose(found[row], np.mean(means), rtol=1e-3)


def test_a_prompt_without_effect_is_refused_where_it_would_be_the_only_one() -> None:
    model = toys.mixture(1)
    options = dataclasses.replace(OPTIONS, own_prompts=("\t",))
    with pytest.raises(InputError, match="is nothing to this model"):
        tcnp.of_latents(model, toys.remembered(model, 1), options)


def test_the_word_that_calls_a_memory_weighs_most() -> None:
    model = toys.mixture(4)
    found = tcnp.significance(model, "bamu memory2 dulo", OPTIONS)
    assert [text for text, _ in found] == ["bamu", "memory2", "dulo"]
    weights = [weight for _, weight in found]
    assert min(weights) >= 0
    assert weights[1] == max(weights)


def test_significance_is_the_same_with_few_latents_at_a_time() -> None:
    model = toys.mixture(4)
    whole = dict(tcnp.significance(model, "bamu memory2 dulo", OPTIONS))
    few = dict(tcnp.significance(model, "bamu memory2 dulo", OPTIONS, batch=3))
    assert few == pytest.approx(whole, rel=1e-3)


def test_significance_is_the_gradient_of_the_mean_magnitude() -> None:
    """Against differences of the magnitude, at the one step of a grid of one."""
    model = toys.mixture(3)
    options = dataclasses.replace(OPTIONS, steps=1, depth=1)
    found = tcnp.significance(model, "kind1 memory0", options)
    embedding = model.embed(["kind1 memory0"]).double()
    starts = _noises(model, options.seed)

    def loudness(one: torch.Tensor) -> float:
        several = one.float().expand(len(starts), -1, -1)
        difference = model.predict(starts, 999, several) - model.predict(
            starts, 999, ddim.null(model, len(starts))
        )
        return float(ddim.magnitudes(difference).double().mean())

    for token, (_, weight) in enumerate(found, 1):
        slopes = []
        for channel in range(toys.WIDTH):
            step = torch.zeros_like(embedding)
            step[0, token, channel] = 0.02
            slopes.append((loudness(embedding + step) - loudness(embedding - step)) / 0.04)
        np.testing.assert_allclose(weight, np.linalg.norm(slopes), rtol=0.05, atol=1e-5)
