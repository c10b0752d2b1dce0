from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from memscan.detectors import heat_maps
from memscan.detectors.protocol import Pixels
from tests.detectors.pooled import Pooled
from tests.drawing import picture

pytest.importorskip("torch", reason="torch is not installed")

import torch

from memscan.detectors import agreement
from memscan.detectors.layer_cam import layer_cam
from tests.detectors.staged import Staged

CPU = torch.device("cpu")


def _prepared(seed: int, patch: int | None = None) -> Pixels:
    """A picture, its upper left quarter that of another one if ``patch`` says which."""
    image = picture(seed, (64, 64))
    if patch is not None:
        image.paste(picture(patch, (64, 64)).crop((0, 0, 32, 32)), (0, 0))
    large = Pooled().prepare(image)
    return np.repeat(np.repeat(large, 2, axis=1), 2, axis=2)


def test_heat_lies_where_a_part_of_one_image_is_in_another() -> None:
    for heat in agreement.agreement(Staged(), _prepared(2, patch=1), _prepared(1), CPU):
        assert heat.shape == (64, 64)
        assert heat.dtype == np.float32
        assert (heat.min() >= 0, heat.max() <= 1 + 1e-6) == (True, True)
        assert heat[4:28, 4:28].mean() > 1.3 * heat[36:, 36:].mean()


def test_equal_images_agree_everywhere_and_others_less() -> None:
    one, other = _prepared(1), _prepared(2)
    for heat in agreement.agreement(Staged(), one, one, CPU):
        assert heat == pytest.approx(np.ones((64, 64)), abs=1e-4)
    for heat in agreement.agreement(Staged(), one, other, CPU):
        assert heat.mean() < 0.8


@pytest.mark.parametrize("axes", [(2,), (1,), (1, 2)])
def test_a_mirrored_image_agrees_but_where_it_was_changed(axes: tuple[int, ...]) -> None:
    source, other = np.random.default_rng(0).standard_normal((2, 1, 64, 64)).astype(np.float32)
    target = source.copy()
    target[:, :32, :32] = other[:, :32, :32]
    target = np.flip(target, axes).copy()
    target_heat, source_heat = agreement.agreement(Staged(), target, source, CPU)
    in_place = np.flip(target_heat, tuple(axis - 1 for axis in axes))
    for heat in (in_place, source_heat):
        assert heat[36:, 36:].mean() > 0.9
        assert heat[4:28, 4:28].mean() < 0.8


def test_only_places_near_each_other_are_compared() -> None:
    near = agreement._near(10, 5)
    assert near.shape == (50, 50)
    row = near[0].reshape(10, 5)
    assert row.tolist() == [[one < 2 and other < 1 for other in range(5)] for one in range(10)]
    assert torch.equal(near, near.T)


def test_fine_maps_are_reduced_before_they_are_compared() -> None:
    maps = torch.from_numpy(np.random.default_rng(0).standard_normal((2, 3, 100, 80)))
    assert agreement._heat(maps).shape == (2, 32, 32)


def test_a_network_with_feature_maps_is_asked_for_them() -> None:
    detector = Pooled()
    detector.card = dataclasses.replace(detector.card, kind="deepssim")
    detector.network, detector.device = Staged(), CPU  # type: ignore[attr-defined]
    assert heat_maps.choose(detector) == heat_maps.AGREEMENT
    one, other = _prepared(1), _prepared(2)
    for method, function in (("agreement", agreement.agreement), ("layercam", layer_cam)):
        assert heat_maps.choose(detector, method) == method
        expected = function(Staged(), one, other, CPU)
        for found, heat in zip(heat_maps.heat_maps(detector, one, other, method), expected):
            assert np.array_equal(found, heat)
