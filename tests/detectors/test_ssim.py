from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed (the learned extra has it)")

import torch
from PIL import Image

from memscan.detectors.ssim import plain_ssim, published_ssim, ssim, standardised
from tests.drawing import picture, shipped_photographs


def grey(images: list[Image.Image], size: tuple[int, int]) -> torch.Tensor:
    drawn = [np.asarray(image.convert("L").resize(size), np.float32) / 255 for image in images]
    return torch.from_numpy(np.stack(drawn))[:, None]


@pytest.mark.parametrize("size", [(64, 64), (40, 23), (7, 7)])
def test_it_is_that_of_scikit_image(size: tuple[int, int]) -> None:
    metrics = pytest.importorskip("skimage.metrics", reason="scikit-image is not installed")
    photographs = [Image.open(path) for path in shipped_photographs()[:8]]
    one = grey([*photographs, picture(1)], size)
    other = grey([picture(2), *photographs], size)
    other[2] = one[2] + 0.2 * torch.randn(one[2].shape, generator=torch.Generator().manual_seed(0))
    brought = [standardised(x)[:, 0].double().numpy() for x in (one, other)]
    published = [
        metrics.structural_similarity(a, b, data_range=a.max() - a.min()) for a, b in zip(*brought)
    ]
    matched = [
        metrics.structural_similarity(0.5 + 0.2 * a, 0.5 + 0.2 * b, data_range=1.0)
        for a, b in zip(*brought)
    ]
    assert published_ssim(one, other).numpy() == pytest.approx(published, abs=2e-5)
    assert ssim(one, other).numpy() == pytest.approx(matched, abs=2e-5)
    assert np.ptp(matched) > 0.2


def test_a_negative_is_unlike_only_where_means_are_positive() -> None:
    x = grey([picture(seed) for seed in range(3)], (64, 64))
    assert ssim(x, 1 - x).max() < 0
    assert published_ssim(x, 1 - x).min() > 0.5  # why it is not what is learned by default


def test_equal_images_have_one_and_unlike_ones_little() -> None:
    x = grey([picture(seed) for seed in range(3)], (64, 64))
    assert ssim(x, x).numpy() == pytest.approx(1, abs=1e-5)
    assert ssim(x, x.roll(1, 0)).max() < 0.5


def test_brightness_and_contrast_do_not_matter() -> None:
    x = grey([picture(seed) for seed in range(3)], (64, 64))
    assert ssim(x, 0.3 * x + 0.5).numpy() == pytest.approx(1, abs=1e-3)
    assert plain_ssim(x, 0.3 * x + 0.5, torch.ones(3)).max() < 0.9


def test_an_image_of_one_colour_has_a_similarity() -> None:
    flat, x = torch.full((1, 1, 32, 32), 0.5), grey([picture(1)], (32, 32))
    for one, other in ((flat, x), (x, flat), (flat, flat)):
        for index in (ssim, published_ssim):
            assert bool(index(one, other).isfinite().all())
    assert float(ssim(flat, flat)) == pytest.approx(1)


def test_standardised_images_have_mean_0_and_deviation_1() -> None:
    x = standardised(grey([picture(seed) for seed in range(3)], (40, 30)))
    assert x.mean((1, 2, 3)).numpy() == pytest.approx(0, abs=1e-5)
    assert x.std((1, 2, 3), correction=0).numpy() == pytest.approx(1, abs=1e-4)
