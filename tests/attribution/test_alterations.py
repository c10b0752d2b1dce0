from __future__ import annotations

import numpy as np
import pytest

from memscan.attribution.alterations import ALTERATIONS
from tests.fingerprints.generators import drawn


@pytest.mark.parametrize("name", ALTERATIONS)
@pytest.mark.parametrize("size", [(64, 48), (1, 1), (33, 7)])
def test_an_altered_image_keeps_its_size(name: str, size: tuple[int, int]) -> None:
    altered = ALTERATIONS[name](drawn(1, size=size))
    assert (altered.size, altered.mode) == (size, "RGB")


def test_each_does_what_its_name_says() -> None:
    image = drawn(1)
    pixels = np.asarray(image).astype(int)
    altered = {name: np.asarray(change(image)).astype(int) for name, change in ALTERATIONS.items()}
    assert np.array_equal(altered["none"], pixels)
    assert np.array_equal(altered["shift by 1 px"][:, 1:], pixels[:, :-1])
    assert np.array_equal(altered["shift by 8 px"][:, 8:], pixels[:, :-8])
    assert np.array_equal(altered["mirrored"], pixels[:, ::-1])
    change = {name: np.abs(one - pixels).mean() for name, one in altered.items()}
    assert 0 < change["JPEG 95"] < change["JPEG 75"] < 10
    assert 0 < change["half and back"] < 10
