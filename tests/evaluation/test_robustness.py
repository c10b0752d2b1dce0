from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from memscan.evaluation import robustness
from memscan.evaluation.edits import EDITS, Edit, key
from memscan.evaluation.robustness import GRID, SIDE
from tests.drawing import picture


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image, np.float64)


def test_the_grid_has_six_kinds_at_four_strengths_with_names_of_their_own() -> None:
    groups = [edit.group for edit in GRID]
    assert [groups.count(group) for group in dict.fromkeys(groups)] == [4] * 6
    assert len({edit.name for edit in (*GRID, *EDITS)}) == len(GRID) + len(EDITS)


@pytest.mark.parametrize("edit", GRID, ids=lambda edit: edit.name)
def test_every_cell_gives_the_same_square_each_time(edit: Edit) -> None:
    image = picture(1, (120, 80))
    once, again = (edit.of(image.copy(), key(image, 3)) for _ in range(2))
    assert once.size == (SIDE, SIDE)
    assert once.mode == "RGB"
    assert once.tobytes() == again.tobytes()


def test_within_a_kind_more_strength_is_further_from_the_picture() -> None:
    image = picture(1, (120, 80))
    whole = pixels(robustness.square(image))
    errors = [np.abs(pixels(edit.of(image, key(image, 0))) - whole).mean() for edit in GRID]
    for start in range(0, len(GRID), 4):
        assert errors[start : start + 4] == sorted(errors[start : start + 4])
        assert errors[start] < errors[start + 3]


def test_the_blur_is_a_convolution_with_a_kernel_of_nine_by_nine() -> None:
    ndimage = pytest.importorskip("scipy.ndimage", reason="scipy is not installed")
    image = Image.fromarray(
        np.random.default_rng(0).integers(0, 256, (30, 40, 3)).astype(np.uint8), "RGB"
    )
    for sigma in (1, 2, 6):
        line = np.exp(-0.5 * (np.arange(-4, 5) / sigma) ** 2)
        kernel = np.outer(line, line) / line.sum() ** 2
        wanted = ndimage.convolve(pixels(image), kernel[:, :, None], mode="mirror")
        assert np.abs(pixels(robustness.blur(image, sigma)) - wanted).max() <= 0.5001
    assert robustness.blur(image, 0.1).tobytes() == image.tobytes()


def test_strengths_are_shares_of_the_range() -> None:
    grey = Image.new("RGB", (60, 60), (100, 100, 100))
    by_name = {edit.name: edit for edit in GRID}
    noisy = pixels(by_name["grid-noise-0.1"].of(grey, (0, 0))) - 100
    assert noisy.std() == pytest.approx(25.5, rel=0.02)
    assert by_name["grid-brightness-2"].of(grey, (0, 0)).getpixel((9, 9)) == (200, 200, 200)
    turned = pixels(by_name["grid-rotation-30"].of(grey, (0, 0)))
    assert not turned[0, 0].any()
    assert (turned[SIDE // 2, SIDE // 2] == 100).all()
