from __future__ import annotations

import numpy as np
import pytest

from memscan.detectors import heat_maps, occlusion
from memscan.errors import InputError
from tests.detectors.pooled import Pooled
from tests.drawing import picture


def test_heat_lies_where_a_part_of_one_image_is_in_another() -> None:
    detector = Pooled()
    source = picture(1, (64, 64))
    target = picture(2, (64, 64))
    target.paste(source.crop((0, 0, 32, 32)), (0, 0))
    one, other = detector.prepare(target), detector.prepare(source)
    for heat in heat_maps.heat_maps(detector, one, other, heat_maps.choose(detector)):
        assert heat.shape == (32, 32)
        assert heat.dtype == np.float32
        inside = heat[:16, :16].mean()
        outside = heat[16:, 16:].mean()
        assert inside > 3 * outside
        assert (heat.min(), heat.max()) == (0, 1)


def test_each_pixel_has_the_falls_of_the_squares_that_hide_it() -> None:
    detector = Pooled()
    target, source = (detector.prepare(picture(seed, (64, 64))) for seed in (1, 2))
    other = detector.embed(source[None])
    whole = float(detector.paired(detector.embed(target[None]), other)[0])
    sums, counts = np.zeros((32, 32)), np.zeros((32, 32))
    for row in range(7):
        for column in range(7):
            square = np.s_[4 * row : 4 * row + 8, 4 * column : 4 * column + 8]
            hidden = target.copy()
            hidden[0][square] = target.mean()
            fall = whole - float(detector.paired(detector.embed(hidden[None]), other)[0])
            slopes = 1 - np.abs(np.arange(8) - 3.5) / 4
            weights = np.outer(slopes, slopes)
            sums[square] += weights * max(fall, 0)
            counts[square] += weights
    slow = sums / counts
    heat, _ = occlusion.occlusion(detector, target, source)
    assert np.abs(heat - slow / slow.max()).max() < 1e-3


def test_a_side_is_covered_whatever_its_length() -> None:
    for length in (8, 9, 31, 224):
        nearness = occlusion._nearness(length)
        assert nearness.shape == (occlusion.STEPS, length)
        assert (nearness.sum(axis=0) > 0).all()
        assert (nearness.sum(axis=1) > 0).all()


def test_what_needs_feature_maps_is_refused_without_them() -> None:
    assert heat_maps.choose(Pooled()) == heat_maps.choose(Pooled(), "occlusion") == "occlusion"
    for method in ("agreement", "layercam"):
        with pytest.raises(InputError, match=f"by {method} need feature maps"):
            heat_maps.choose(Pooled(), method)


def test_images_with_nothing_to_hide_have_no_heat() -> None:
    flat = np.zeros((1, 32, 32), np.float32)
    for heat in occlusion.occlusion(Pooled(), flat, flat):
        assert not heat.any()
