from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed (the learned extra has it)")

import torch

from memscan.detectors import ssim_pairs, tiles
from memscan.detectors.deepssim_recipe import Alterations, Augmentations
from memscan.detectors.ssim import ssim
from memscan.detectors.ssim_pairs import Pairs
from memscan.detectors.tiles import Tiles
from tests.drawing import picture, save

SIDE = 32
NONE = Alterations(noise=0, blur=0, blend=0, patch=0, shift=0, other=0)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Tiles:
    folder = tmp_path_factory.mktemp("photographs")
    paths = [save(picture(seed, (96, 96)), folder / f"{seed}.png") for seed in range(12)]
    return tiles.read(paths, SIDE, 4, 0)[0]


def made(photographs: Tiles, shares: Alterations = NONE, groups: int = 40, size: int = 3) -> Pairs:
    return ssim_pairs.make(photographs, SIDE, groups, size, shares, np.random.default_rng(1))


def test_all_pairs_of_a_group_are_made(photographs: Tiles) -> None:
    pairs = made(photographs, Alterations(), groups=5, size=4)
    assert tuple(pairs.images.shape) == (20, 1, SIDE, SIDE)
    assert len(pairs) == 30
    assert {(a // 4, b // 4) for a, b in zip(pairs.one.tolist(), pairs.other.tolist())} == {
        (group, group) for group in range(5)
    }
    assert len({*zip(pairs.one.tolist(), pairs.other.tolist())}) == 30
    assert bool((pairs.photographs.reshape(5, 4) == pairs.photographs[::4, None]).all())


def test_what_is_not_altered_is_equal(photographs: Tiles) -> None:
    pairs = made(photographs)
    assert torch.equal(pairs.images[pairs.one], pairs.images[pairs.other])
    assert pairs.ssim.numpy() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("kind", ["noise", "blur", "blend", "patch", "shift", "other"])
def test_each_alteration_lowers_the_ssim_and_spares_the_first_image(
    photographs: Tiles, kind: str
) -> None:
    pairs, plain = made(photographs, dataclasses.replace(NONE, **{kind: 1.0})), made(photographs)
    assert float(pairs.ssim.mean()) < 0.98
    assert torch.equal(pairs.images[::3], plain.images[::3])
    assert not torch.equal(pairs.images[1::3], plain.images[1::3])
    assert float(pairs.images.min()) >= 0
    assert float(pairs.images.max()) <= 1


def test_without_a_shift_the_label_is_the_ssim_of_the_images(photographs: Tiles) -> None:
    pairs = made(photographs, dataclasses.replace(Alterations(), shift=0))
    expected = ssim(pairs.images[pairs.one], pairs.images[pairs.other])
    assert torch.allclose(pairs.ssim, expected, atol=1e-4)
    assert float(expected.min()) < 0.3


def test_a_shifted_window_is_labelled_after_alignment(photographs: Tiles) -> None:
    pairs = made(photographs, dataclasses.replace(NONE, shift=1.0), size=2)
    as_they_lie = ssim(pairs.images[pairs.one], pairs.images[pairs.other])
    assert float((pairs.ssim - as_they_lie).mean()) > 0.1


def test_alignment_undoes_a_shift() -> None:
    canvas = torch.rand((1, 48, 48), generator=torch.Generator().manual_seed(0))
    here, there = np.array([[8, 8]]), np.array([[3, 12]])
    one, other = (ssim_pairs.windows(canvas, corner, 32) for corner in (here, there))
    assert torch.equal(one[0, 0], canvas[0, 8:40, 8:40])
    back = ssim_pairs.aligned(other, there - here)
    assert torch.allclose(back[0, 0, :27, 4:], one[0, 0, :27, 4:], atol=1e-6)
    assert back[0, 0, 27:].numpy() == pytest.approx(float(other.mean()), abs=1e-6)
    assert back[0, 0, :, :4].numpy() == pytest.approx(float(other.mean()), abs=1e-6)


def test_labels_cover_the_range_and_weigh_alike(photographs: Tiles) -> None:
    pairs = made(photographs, Alterations(), groups=400, size=4)
    values, weights = pairs.ssim.numpy(), pairs.weights.numpy()
    assert float(weights.mean()) == pytest.approx(1, abs=1e-4)
    assert float(weights.max() / weights.min()) <= 4.001
    plain = np.histogram(values.clip(0, 1), 10, (0, 1))[0]
    weighted = np.histogram(values.clip(0, 1), 10, (0, 1), weights=weights)[0]
    assert plain.min() > 0
    assert weighted.std() / weighted.mean() < plain.std() / plain.mean()


def test_pairs_drawn_evenly_have_a_flat_histogram() -> None:
    rng = np.random.default_rng(0)
    values = rng.beta(0.5, 1.5, 20_000)
    rows = ssim_pairs.evenly(values, 2000, rng)
    assert len(set(rows.tolist())) == 2000
    counts = np.histogram(values[rows], 10, (0, 1))[0]
    assert counts.max() / counts.min() < 1.1
    assert np.ptp(np.histogram(values, 10, (0, 1))[0]) > 3000
    assert len(ssim_pairs.evenly(np.full(10, 0.5), 4, rng)) == 4


def test_some_pairs_keep_what_belongs_to_them(photographs: Tiles) -> None:
    pairs = made(photographs, Alterations(), groups=6, size=3)
    some = pairs.of(np.array([4, 1]))
    for new, old in enumerate((4, 1)):
        for name in ("one", "other"):
            before = pairs.images[getattr(pairs, name)[old]]
            assert torch.equal(some.images[getattr(some, name)[new]], before)
        assert some.ssim[new] == pairs.ssim[old]
        assert some.photographs[some.one[new]] == pairs.photographs[pairs.one[old]]


def test_the_same_seed_gives_the_same_pairs(photographs: Tiles) -> None:
    one, other = (made(photographs, Alterations()) for _ in range(2))
    assert torch.equal(one.images, other.images)
    assert torch.equal(one.ssim, other.ssim)


def test_patches_are_rectangles_of_the_size_drawn() -> None:
    masks = ssim_pairs.patches(np.random.default_rng(0), 300, SIDE, 0.5)[:, 0].numpy()
    areas = masks.mean((1, 2))
    assert np.mean(areas > 0) == pytest.approx(0.5, abs=0.1)
    assert np.mean(areas[areas > 0]) == pytest.approx(0.5, abs=0.1)
    for mask in masks[areas > 0]:
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        assert mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()


def test_augmentations_change_images_and_keep_their_range(photographs: Tiles) -> None:
    x = made(photographs).images
    nothing = Augmentations(flip=0, affine=0, zoom=0, bias=0, gamma=0, smooth=0)
    same = ssim_pairs.augmented(x, nothing, np.random.default_rng(0))
    assert torch.allclose(same, x, atol=1e-5)
    changed = ssim_pairs.augmented(x, Augmentations(), np.random.default_rng(0))
    assert changed.shape == x.shape
    assert float(changed.min()) >= 0
    assert float(changed.max()) <= 1
    unlike = (changed - x).abs().amax((1, 2, 3)) > 0.05
    assert float(unlike.float().mean()) > 0.9


def test_reading_again_gives_the_same_pairs(tmp_path: Path) -> None:
    paths = [save(picture(seed), tmp_path / f"{seed}.png") for seed in range(3)]
    one, other = (made(tiles.read(paths, SIDE, 2, 0)[0], Alterations()) for _ in range(2))
    assert torch.equal(one.ssim, other.ssim)
