from __future__ import annotations

import dataclasses

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed (extra diffusion)")

import torch

from memscan.detectors.diffusion import ddim, iip, prompts
from memscan.errors import InputError
from memscan.probes import MOST_PICTURE, ProbeOptions
from tests.detectors.diffusion import toys

OPTIONS = ProbeOptions(prompts=3)


@pytest.mark.parametrize("depth", [10, 20])
@pytest.mark.parametrize("optimise", [True, False])
def test_what_is_remembered_comes_apart_and_is_loud(depth: int, optimise: bool) -> None:
    model = toys.mixture(6)
    latents = torch.cat([toys.remembered(model, 6), toys.unknown(model, 24)])
    options = dataclasses.replace(OPTIONS, depth=depth, optimise=optimise)
    found = iip.measure(model, latents, options, batch=128)
    for values in (found.distances, found.magnitudes):
        assert values.dtype == np.float64
        assert np.median(values[:6]) > values[6:].max()


def test_a_model_without_memories_makes_no_difference() -> None:
    """The same images, and a model that does not remember the first six: must not stand out."""
    remembering, other = toys.mixture(6), toys.mixture(0)
    latents = torch.cat([toys.remembered(remembering, 6), toys.unknown(remembering, 24)])
    found = iip.measure(other, latents, OPTIONS, batch=128)
    for values in (found.distances, found.magnitudes):
        assert np.median(values[:6]) < values[6:].max()


def test_values_are_means_over_prompts_of_slow_loops() -> None:
    model = toys.mixture(3)
    latents = torch.cat([toys.remembered(model, 1), toys.unknown(model, 1)])
    options = dataclasses.replace(OPTIONS, steps=10, depth=4, optimise=False)
    found = iip.measure(model, latents, options)
    grid = ddim.grid(model.alphas_bar, 10)
    for row, latent in enumerate(latents):
        inverted = ddim.invert(model, latent[None], grid, 4)
        distances, magnitudes = [], []
        for prompt in prompts.perturbations(3, options.seed):
            done = ddim.denoise(model, inverted, grid, 4, model.embed([prompt]), 7.5)
            distances.append(np.sqrt(np.mean((done.latents - latent).numpy() ** 2)))
            magnitudes.append(float(done.magnitudes.mean()))
        np.testing.assert_allclose(found.distances[row], np.mean(distances), rtol=1e-3)
        np.testing.assert_allclose(found.magnitudes[row], np.mean(magnitudes), rtol=1e-3)


def test_neither_batches_nor_neighbours_nor_order_change_values() -> None:
    """Only the last bits may differ, since products of other shapes add in other orders."""
    model = toys.mixture(2)
    latents = torch.cat([toys.remembered(model, 2), toys.unknown(model, 3)])
    whole = iip.measure(model, latents, OPTIONS, batch=64)
    for batch in (1, 4):
        parts = iip.measure(model, latents, OPTIONS, batch)
        np.testing.assert_allclose(parts.distances, whole.distances, rtol=1e-4)
        np.testing.assert_allclose(parts.magnitudes, whole.magnitudes, rtol=1e-4)
    turned = iip.measure(model, latents.flip(0), OPTIONS, batch=4)
    np.testing.assert_allclose(turned.distances[::-1], whole.distances, rtol=1e-4)
    alone = iip.measure(model, latents[3:4], OPTIONS)
    np.testing.assert_allclose(alone.magnitudes, whole.magnitudes[3:4], rtol=1e-4)


def test_equal_arguments_give_equal_bytes_and_another_seed_other_prompts() -> None:
    model = toys.mixture(2)
    latents = toys.remembered(model, 2)
    first, second = (iip.measure(model, latents, OPTIONS) for _ in range(2))
    assert first.distances.tobytes() == second.distances.tobytes()
    other = iip.measure(model, latents, dataclasses.replace(OPTIONS, seed=7))
    assert not np.allclose(other.distances, first.distances)


def test_optimisation_quietens_every_row_and_leaves_the_start_token() -> None:
    model = toys.mixture(4)
    grid = ddim.grid(model.alphas_bar, 50)
    latents = torch.cat([toys.remembered(model, 4), toys.unknown(model, 4)])
    inverted = ddim.invert(model, latents, grid, 10)
    given = model.embed(["bamu", "an image", "dulo kire", "a view fami"] * 2)

    def loudness(embeddings: torch.Tensor) -> torch.Tensor:
        null = model.predict(inverted, grid.steps[10], ddim.null(model, 8))
        return ddim.magnitudes(model.predict(inverted, grid.steps[10], embeddings) - null)

    before = loudness(given)
    few, more = (
        loudness(iip.quieten(model, inverted, grid.steps[10], given, iterations))
        for iterations in (3, 10)
    )
    found = iip.quieten(model, inverted, grid.steps[10], given)
    assert (few <= before).all()
    assert (more <= few).all()
    assert float((before - more)[:4].min()) > 0  # there was something to be quietened
    assert torch.equal(found[:, 0], given[:, 0])
    assert not torch.equal(found[:, 1], given[:, 1])
    assert not found.requires_grad


def test_optimisation_is_that_of_each_row_by_itself() -> None:
    model = toys.mixture(2)
    latents = ddim.invert(model, toys.remembered(model, 2), ddim.grid(model.alphas_bar, 50), 10)
    given = model.embed(["bamu", "dulo kire"])
    together = iip.quieten(model, latents, 199, given, 5)
    for row in range(2):
        learned = given[row : row + 1].clone().requires_grad_()
        optimiser = torch.optim.AdamW([learned], lr=0.05)
        seen = []
        for _ in range(6):
            null = model.predict(latents[row : row + 1], 199, model.embed([""]))
            text = model.predict(latents[row : row + 1], 199, learned)
            loss = (text - null).square().sum().sqrt()
            seen.append((float(loss.detach()), learned.detach().clone()))
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            assert learned.grad is not None
            learned.grad[:, 0] = 0
            optimiser.step()
            learned.data[:, 0] = given[row, 0]
        best = min(seen, key=lambda one: one[0])[1]
        torch.testing.assert_close(together[row : row + 1], best, rtol=0, atol=5e-3)


def test_an_embedding_equal_to_the_empty_one_is_left_alone() -> None:
    model = toys.mixture(1)
    found = iip.quieten(model, toys.remembered(model, 1), 199, model.embed([""]))
    assert torch.equal(found, model.embed([""]))


def test_the_ablation_asks_for_no_gradient() -> None:
    model = toys.mixture(2)
    calls = []
    for optimise in (True, False):
        before = model.calls
        options = dataclasses.replace(OPTIONS, optimise=optimise)
        iip.measure(model, toys.remembered(model, 2), options, batch=64)
        calls.append(model.calls - before)
    assert calls == [20 + 1 + 11 + 20, 20 + 20]


def test_a_prompt_that_the_model_does_not_hear_is_refused() -> None:
    model = toys.mixture(1)
    options = dataclasses.replace(OPTIONS, own_prompts=("bamu", "\t"))
    with pytest.raises(InputError, match=r"the prompt '\\t' is nothing to this model"):
        iip.measure(model, toys.remembered(model, 1), options)


def test_pictures_show_the_image_its_inversion_and_what_the_perturbation_makes_of_it() -> None:
    model = toys.mixture(4)
    images = [toys.image_of(toys.remembered(model, 1)[0]), toys.image_of(toys.unknown(model, 1)[0])]
    images[1] = images[1].resize((400, 600))
    found = iip.pictures(model, images, OPTIONS)
    remembered, new = ([one.original, one.inverted, one.perturbed] for one in found)
    for pictures in (remembered, new):
        for picture in pictures:
            assert picture.dtype == np.uint8
            assert picture.ndim == 3
            assert picture.shape[2] == 3
            assert max(picture.shape) <= min(toys.SIDE, MOST_PICTURE)
    original, inverted, perturbed = (picture.astype(float) for picture in remembered)
    assert np.abs(inverted - original).mean() < 3
    assert np.abs(perturbed - original).mean() > 20
    (alone,) = iip.pictures(model, images[:1], OPTIONS)
    assert np.abs(alone.perturbed.astype(int) - remembered[2]).max() <= 1
