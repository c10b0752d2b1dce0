from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from memscan import resampling
from tests.drawing import picture


def by_pillow(image: Image.Image) -> resampling.Grey:
    """The oracle."""
    return np.asarray(image.resize((32, 32), Image.Resampling.LANCZOS))


@st.composite
def grey_images(draw: st.DrawFn) -> Image.Image:
    """Noise of every contrast, in shapes that the fast way takes and in others."""
    width = draw(st.integers(1, 700))
    height = draw(st.integers(1, 60) | st.integers(1, max(1, 2 * width)))
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    levels = draw(st.sampled_from([2, 3, 256]))
    return Image.fromarray(
        (generator.integers(0, levels, (height, width)) * (255 // (levels - 1))).astype(np.uint8)
    )


@settings(deadline=None, max_examples=300)
@given(image=grey_images())
def test_every_pixel_is_that_of_pillow(image: Image.Image) -> None:
    assert np.array_equal(resampling.reduce(image), by_pillow(image))


@pytest.mark.parametrize("size", [(128, 33), (128, 192), (4000, 3000), (5000, 40), (129, 100)])
def test_the_fast_way_is_taken_and_exact(size: tuple[int, int]) -> None:
    grey = np.asarray(picture(1, size, "L"))
    assert resampling.is_exact()
    assert np.array_equal(resampling.reduce_array(grey), by_pillow(Image.fromarray(grey)))


@pytest.mark.parametrize("size", [(127, 100), (128, 193), (300, 32), (1, 1), (10, 4000)])
def test_other_shapes_are_left_to_pillow(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resampling, "reduce_array", None)
    image = picture(1, size, "L")
    assert np.array_equal(resampling.reduce(image), by_pillow(image))


def test_a_pillow_that_rounds_otherwise_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check that guards against versions of Pillow that nobody has tried."""
    resampling.is_exact.cache_clear()
    monkeypatch.setattr(resampling, "_FIXED_POINT", float(1 << 8))
    resampling._bands.cache_clear()
    image = picture(1, (300, 200), "L")
    assert not resampling.is_exact()
    assert np.array_equal(resampling.reduce(image), by_pillow(image))
    resampling.is_exact.cache_clear()
    resampling._bands.cache_clear()
