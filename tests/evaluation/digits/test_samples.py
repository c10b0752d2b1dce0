from __future__ import annotations

import imagehash
import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch", reason="torch is not installed (extra learned)")

import torch

from memscan.detectors.diffusion.digits import (
    DigitsDenoiser,
    DigitsNetwork,
    Vocabulary,
)
from memscan.evaluation.digits import samples

RANDOM = np.random.default_rng(0)
PIXELS = RANDOM.integers(0, 256, (6, 8, 8)).astype(np.uint8)
SAMPLES = RANDOM.integers(0, 256, (11, 8, 8)).astype(np.uint8)
IMAGES = [Image.fromarray(one).convert("RGB") for one in PIXELS]


def test_the_nearest_sample_is_that_of_a_search_by_hand() -> None:
    slow = [
        -min(float(np.sqrt(((one - other.astype(float)) ** 2).mean())) for other in SAMPLES)
        for one in PIXELS.astype(float)
    ]
    assert samples.nearest(IMAGES, SAMPLES) == pytest.approx(slow)
    assert samples.nearest(IMAGES, PIXELS) == pytest.approx(0, abs=1e-4)


def test_the_nearest_hash_is_that_of_imagehash() -> None:
    hashes = [imagehash.phash(Image.fromarray(one)) for one in SAMPLES]
    slow = [-min(imagehash.phash(image) - hash for hash in hashes) for image in IMAGES]
    assert samples.nearest_by_phash(IMAGES, SAMPLES).tolist() == slow


def test_each_prompt_has_a_sample_of_its_own() -> None:
    torch.manual_seed(0)
    vocabulary = Vocabulary(5, 6)
    model = DigitsDenoiser(DigitsNetwork(len(vocabulary), 16, 1), vocabulary)
    prompts = ["one filler1", "one filler1", "two filler2"]
    drawn = samples.drawn(model, prompts, 0)
    assert drawn.shape == (3, 8, 8)
    assert drawn.dtype == np.uint8
    assert not np.array_equal(drawn[0], drawn[1])  # other noise
    assert np.array_equal(drawn, samples.drawn(model, prompts, 0))
    assert not np.array_equal(drawn, samples.drawn(model, prompts, 1))
