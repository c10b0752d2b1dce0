from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from memscan.evaluation.pixels.features import FeatureSimilarity, gradient
from memscan.evaluation.pixels.measures import (
    Images,
    MeanSquaredError,
    Measure,
    NormalisedCrossCorrelation,
)
from memscan.evaluation.pixels.phase import congruency
from memscan.evaluation.pixels.structural import StructuralSimilarity, windows
from tests.drawing import picture
from tests.evaluation.pixels import plain_fsim

MEASURES = (
    MeanSquaredError(),
    NormalisedCrossCorrelation(),
    StructuralSimilarity(),
    FeatureSimilarity(),
)
every_measure = pytest.mark.parametrize("measure", MEASURES, ids=lambda one: type(one).__name__)


def grey(*seeds: int, size: tuple[int, int] = (48, 40)) -> Images:
    return np.stack([np.asarray(picture(seed, size, "L"), np.float64) for seed in seeds])


def noisy(images: Images, levels: float) -> Images:
    noise = np.random.default_rng(1).normal(0, levels, images.shape)
    return np.clip(np.rint(images + noise), 0, 255)


def similarities(measure: Measure, one: Images, other: Images) -> Images:
    return measure.similarities(measure.features(one), measure.features(other))


@every_measure
def test_an_image_is_as_like_itself_as_can_be(measure: Measure) -> None:
    images = grey(1, 2, 3)
    flat = np.full((1, 40, 48), 77.0)
    assert similarities(measure, images, images) == pytest.approx(np.ones(3))
    if not isinstance(measure, NormalisedCrossCorrelation):
        assert similarities(measure, flat, flat) == pytest.approx(np.ones(1))


@every_measure
def test_both_images_count_alike(measure: Measure) -> None:
    one, other = grey(1, 2, 3), noisy(grey(1, 5, 6), 20)
    nearly = 0.05 if isinstance(measure, StructuralSimilarity) else 1e-9
    turned = similarities(measure, other, one)
    assert similarities(measure, one, other) == pytest.approx(turned, abs=nearly)


@every_measure
def test_more_noise_is_less_alike(measure: Measure) -> None:
    images = grey(4)
    found = [similarities(measure, images, noisy(images, levels))[0] for levels in (0, 5, 20, 60)]
    assert found == sorted(found, reverse=True)
    assert len(set(found)) == 4


@every_measure
def test_one_image_is_compared_with_all(measure: Measure) -> None:
    one, others = grey(1), grey(2, 3, 4)
    wanted = [similarities(measure, one, others[row : row + 1])[0] for row in range(3)]
    assert similarities(measure, one, others) == pytest.approx(wanted)


def test_mse_and_ncc_are_the_plain_formulas() -> None:
    one, other = grey(1, 2), noisy(grey(1, 4), 30)
    squared = [1 - ((a / 255 - b / 255) ** 2).mean() for a, b in zip(one, other)]
    assert similarities(MeanSquaredError(), one, other) == pytest.approx(squared)
    correlated = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(one, other)]
    assert similarities(NormalisedCrossCorrelation(), one, other) == pytest.approx(correlated)


def test_an_image_of_one_value_correlates_with_nothing() -> None:
    flat = np.full((1, 40, 48), 77.0)
    assert similarities(NormalisedCrossCorrelation(), flat, grey(1))[0] == 0


def test_ssim_is_that_of_scikit_image() -> None:
    metrics: Any = pytest.importorskip("skimage.metrics", reason="scikit-image is not installed")
    one = grey(1, 2, 3, 4)
    other = np.concatenate([noisy(one[:2], 25), noisy(one[2:3] / 2, 4), grey(9)])
    wanted = []
    for both in zip(one, other):
        a, b = ((image - image.mean()) / image.std() for image in both)
        wanted.append(metrics.structural_similarity(a, b, data_range=np.ptp(a)))
    assert min(wanted) < 0.5 < max(wanted)
    assert similarities(StructuralSimilarity(), one, other) == pytest.approx(wanted, abs=1e-9)


def test_windows_are_means_of_seven_by_seven_pixels() -> None:
    images = grey(1, 2, size=(11, 9))
    found = windows(images)
    assert found.shape == (2, 3, 5)
    assert found[1, 2, 3] == pytest.approx(images[1, 2:9, 3:10].mean())


@pytest.mark.parametrize("size", [(32, 32), (24, 30)])
def test_fsim_is_that_of_the_plain_steps(size: tuple[int, int]) -> None:
    one, other = grey(1, 2, size=size), noisy(grey(1, 7, size=size), 15)
    wanted = [plain_fsim.fsim(a, b) for a, b in zip(one, other)]
    assert similarities(FeatureSimilarity(), one, other) == pytest.approx(wanted, abs=1e-9)
    assert congruency(one)[1] == pytest.approx(plain_fsim.phase_congruency(one[1]), abs=1e-9)
    assert gradient(one)[0] == pytest.approx(plain_fsim.gradient(one[0]), abs=1e-9)
    assert wanted[0] > wanted[1]


def test_phase_congruency_sees_an_edge_whatever_its_contrast() -> None:
    strong = np.zeros((1, 64, 64))
    strong[:, :, 20:44] = 200
    faint = 100 + strong / 10
    found = congruency(np.concatenate([strong, faint]))
    assert np.abs(found[0] - found[1]).max() < 0.01
    assert found[0, 32, 19:21].min() > 0.6
    assert found[0, 32, [10, 24, 39, 53]].max() < 0.45 < found[0, 32, 31]  # the bar's middle
    assert 0 <= found.min() <= found.max() <= 1
