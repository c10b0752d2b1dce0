from __future__ import annotations

from typing import Sequence

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")

import torch

from memscan.detectors.layer_cam import layer_cam
from memscan.detectors.protocol import Pixels
from tests.detectors.staged import Staged

CPU = torch.device("cpu")


class Plain:
    """One stage, the pixels themselves, and embeddings that are the flat maps."""

    def maps(self, x: torch.Tensor) -> list[torch.Tensor]:
        return [x * 1]

    def head(self, maps: Sequence[torch.Tensor]) -> torch.Tensor:
        return maps[0].flatten(1)


def _pair(channels: int, side: int) -> tuple[Pixels, Pixels]:
    drawn = np.random.default_rng(0).standard_normal((2, channels, side, side))
    one, other = drawn.astype(np.float32)
    return one, other


def test_the_heat_of_one_stage_is_that_of_the_formula() -> None:
    one, other = _pair(2, 8)
    a, b = one.ravel(), other.ravel()
    lengths = np.linalg.norm(a), np.linalg.norm(b)
    cosine = a @ b / (lengths[0] * lengths[1])
    slopes = (
        (b / lengths[1] - cosine * a / lengths[0]) / lengths[0],
        (a / lengths[0] - cosine * b / lengths[1]) / lengths[1],
    )
    found = layer_cam(Plain(), one, other, CPU)
    for image, slope, heat in zip((one, other), slopes, found):
        raised = np.maximum((np.maximum(slope.reshape(image.shape), 0) * image).sum(axis=0), 0)
        expected = (raised - raised.min()) / (raised.max() - raised.min())
        assert heat == pytest.approx(expected / expected.max(), abs=1e-5)


def test_both_images_have_heat_of_their_size_from_0_to_1() -> None:
    one, other = _pair(1, 64)
    heats = layer_cam(Staged(), one, other, CPU)
    for heat in heats:
        assert heat.shape == (64, 64)
        assert heat.dtype == np.float32
        assert heat.min() >= 0
        assert heat.max() == 1
    assert not np.array_equal(*heats)


def test_the_target_and_the_source_can_change_places() -> None:
    one, other = _pair(1, 64)
    there, back = layer_cam(Staged(), one, other, CPU), layer_cam(Staged(), other, one, CPU)
    assert there[0] == pytest.approx(back[1], abs=1e-4)
    assert there[1] == pytest.approx(back[0], abs=1e-4)
