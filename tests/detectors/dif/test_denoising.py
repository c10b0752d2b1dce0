from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from memscan.detectors.dif import denoising
from memscan.detectors.dif.recipe import Denoising, Recipe
from memscan.detectors.training import Checkpoints, Run
from memscan.fingerprints import denoiser
from tests.detectors.dif.generators import Sample

TINY = Denoising(3, 8, noise=0.2, window=24, batch=8, steps=30, epochs=3, learning_rate=1e-2)
RECIPE = Recipe(crop=64, depth=3, denoising=TINY)


class StoppedError(Exception):
    pass


def test_it_sees_noise_that_was_added(real: Sample) -> None:
    weights = denoising.train(real.train[:60], real.train[60:70], RECIPE, device="cpu")
    denoiser.check(weights)
    noise = np.random.default_rng(0).normal(0, 0.1, (10, 64, 64, 3)).astype(np.float32)
    pixels = real.test[:10].astype(np.float32) / 255
    seen = np.stack([denoiser.noise(one, weights) for one in pixels + noise])
    assert np.mean((seen - noise) ** 2) < 0.5 * np.mean(noise**2)


def test_numpy_applies_what_torch_trained() -> None:
    torch.manual_seed(0)
    network = denoising.build(TINY)
    pixels = np.random.default_rng(0).random((12, 10, 3), np.float32)
    with torch.no_grad():
        wanted = network(torch.from_numpy(pixels.transpose(2, 0, 1))[None])[0]
    found = denoiser.noise(pixels, denoising.weights_of(network))
    assert np.allclose(found, wanted.numpy().transpose(1, 2, 0), atol=1e-6)


def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(real: Sample, tmp_path: Path) -> None:
    state = Checkpoints(str(tmp_path / "x.checkpoint"), "this one")
    recipe = Recipe(crop=64, depth=3, denoising=Denoising(2, 4, 0.03, 16, 4, 3, 3))
    crops = real.train[:20], real.train[20:24]

    def stop(run: Run) -> None:
        if len(run.epochs) == 2:
            raise StoppedError

    whole = denoising.train(*crops, recipe, device="cpu")
    with pytest.raises(StoppedError):
        denoising.train(*crops, recipe, device="cpu", checkpoints=state, on_epoch=stop)
    resumed = denoising.train(*crops, recipe, device="cpu", checkpoints=state)
    assert {name: one.tobytes() for name, one in resumed.items()} == {
        name: one.tobytes() for name, one in whole.items()
    }
