from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from memscan.detectors.dif import training
from memscan.detectors.dif.examples import Residuals
from memscan.detectors.dif.measuring import measure
from memscan.detectors.dif.recipe import Recipe
from memscan.detectors.dif.training import Learned, Learner
from memscan.detectors.training import Checkpoints, Run
from memscan.errors import InputError
from memscan.fingerprints.correlation import standardised

TINY = Recipe(crop=16, depth=2, base=8, channels=4, batch=16, epochs=3, tail=3, learning_rate=2e-3)


class StoppedError(Exception):
    pass


def rows(count: int, strength: float, seed: int) -> npt.NDArray[np.float32]:
    """Noise with some of a checkerboard in it, as transposed convolutions leave."""
    board = (np.indices((16, 16)).sum(0) % 2 * 2.0 - 1)[..., None] * [1, 0.5, -1]
    noise = np.random.default_rng(seed).standard_normal((count, 16, 16, 3))
    return standardised((noise + strength * board).astype(np.float32)).reshape(count, -1)


def examples(fake: int = 32) -> tuple[Residuals, Residuals]:
    return (
        Residuals(rows(32, 0, 1), rows(fake, 0.3, 2)),
        Residuals(rows(21, 0, 3), rows(20, 0.3, 4)),
    )


def learn(recipe: Recipe = TINY, fake: int = 32, **settings: Any) -> Learned:
    return training.learn(*examples(fake), recipe, device="cpu", **settings)


@pytest.mark.parametrize("fake", [32, 5])
def test_a_pattern_is_found_and_tells_other_images(fake: int) -> None:
    """Also where one class has fewer images than half a batch."""
    found = learn(dataclasses.replace(TINY, epochs=30, margin=0.2, average=0.9), fake)
    worth = measure(found.pattern, found.mean_real, found.mean_fake, examples()[1])
    assert worth.accuracy.share > 0.9
    assert worth.separation > 3
    assert found.run.epochs[-1].loss < found.run.epochs[0].loss / 2
    assert found.pattern.shape == (16, 16, 3)
    assert found.pattern.dtype == np.float32
    assert abs(found.pattern).max() <= 1


def test_a_seed_fixes_all() -> None:
    one, two, other = learn(), learn(), learn(dataclasses.replace(TINY, seed=7))
    assert one.pattern.tobytes() == two.pattern.tobytes()
    assert (one.mean_real, one.mean_fake) == (two.mean_real, two.mean_fake)
    assert one.pattern.tobytes() != other.pattern.tobytes()


def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    """The moving average and the last class means go on with it."""
    whole = learn()
    state = Checkpoints(str(tmp_path / "x.checkpoint"), "this one")

    def stop(run: Run) -> None:
        if len(run.epochs) == 2:
            raise StoppedError

    with pytest.raises(StoppedError):
        learn(checkpoints=state, on_epoch=stop)
    resumed = learn(checkpoints=state)
    assert resumed.run.resumed
    assert len(resumed.run.epochs) == 3
    assert resumed.pattern.tobytes() == whole.pattern.tobytes()
    assert (resumed.mean_real, resumed.mean_fake) == (whole.mean_real, whole.mean_fake)
    assert os.listdir(tmp_path) == ["x.checkpoint"]
    with pytest.raises(InputError, match="the checkpoint of another training"):
        learn(checkpoints=Checkpoints(state.path, "another"))


def test_the_last_epoch_counts_and_not_the_best() -> None:
    found = learn(dataclasses.replace(TINY, epochs=5))
    assert found.run.best == 4


def test_steps_are_those_of_the_larger_class() -> None:
    seen: list[tuple[str, int, int]] = []
    learn(fake=5, progress=lambda *step: seen.append(step))
    assert seen[-1] == ("training", 12, 12)  # 32 images, 8 of each class in a batch, 3 epochs


def test_a_rate_that_is_asked_for_is_used() -> None:
    """The published code takes its own whatever one asks for."""
    still = learn(dataclasses.replace(TINY, learning_rate=1e-7)).pattern
    slow, fast = (learn(dataclasses.replace(TINY, learning_rate=rate)) for rate in (1e-6, 1e-2))
    change = [np.abs(one.pattern - still).mean() for one in (slow, fast)]
    assert change[0] < change[1] / 10


def test_the_average_begins_with_the_first_pattern() -> None:
    learner = Learner(dataclasses.replace(TINY, average=0.9))
    rng = np.random.default_rng(0)
    fake = torch.tensor([False, True] * 4)
    expected, means = np.zeros(0), []
    for step in range(7):
        drawn = rng.standard_normal(16 * 16 * 3)
        correlations = rng.standard_normal(8)
        expected = drawn if step == 0 else 0.9 * expected + 0.1 * drawn
        means.append([correlations[start::2].mean() for start in (0, 1)])
        learner.remember(torch.from_numpy(drawn).float(), torch.from_numpy(correlations), fake)
        assert np.allclose(learner.means(), np.mean(means[-3:], axis=0), atol=1e-6)
    assert np.allclose(learner.pattern, expected, atol=1e-5)


def test_correlations_are_those_of_pearson() -> None:
    residuals = rows(4, 0.2, 5)
    drawn = np.tanh(rows(1, 0, 6)[0])
    found = training.correlations(torch.from_numpy(residuals), torch.from_numpy(drawn))
    wanted = np.array([np.corrcoef(row, drawn)[0, 1] for row in residuals])
    assert np.allclose(found.numpy(), wanted, atol=1e-5)


def test_each_step_has_noise_of_its_own_upon_a_fixed_one() -> None:
    torch.manual_seed(0)
    learner = Learner(TINY)
    assert 0 <= learner.start.min() < learner.start.max() <= 0.1
    assert not torch.equal(learner(), learner())
    still = Learner(dataclasses.replace(TINY, noise=0))
    assert torch.equal(still(), still())
