from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageChops

from memscan.errors import InputError
from memscan.evaluation.edits import EDITS, Edit, choose, key, overlays, shapes, tones, wild
from tests.drawing import picture

BY_NAME = {edit.name: edit for edit in EDITS}
SIZE = (200, 120)


def edited(name: str, image: Image.Image, seed: int = 0) -> Image.Image:
    return BY_NAME[name].of(image, key(image, seed))


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image, np.float64)


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.name)
class TestEveryEdit:
    def test_it_changes_a_picture_the_same_way_each_time(self, edit: Edit) -> None:
        image = picture(1, SIZE)
        before = image.tobytes()
        once = edit.of(image, key(image, 3))
        assert image.tobytes() == before
        assert (once.mode, once.size, once.tobytes()) != ("RGB", image.size, before)
        assert once.mode == "RGB"
        again = edit.of(image.copy(), key(image, 3))
        assert (again.size, again.tobytes()) == (once.size, once.tobytes())

    @pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (3, 2)])
    def test_it_takes_the_smallest_images(self, edit: Edit, size: tuple[int, int]) -> None:
        image = picture(2, size)
        assert min(edit.of(image, key(image, 0)).size) >= 1


def test_names_are_unique_and_groups_hang_together() -> None:
    assert len(BY_NAME) == len(EDITS)
    groups = [edit.group for edit in EDITS]
    changes = sum(one != other for one, other in zip(groups, groups[1:]))
    assert changes + 1 == len(set(groups))
    assert not set(groups) & set(BY_NAME)


def test_lots_depend_on_the_seed_and_the_pixels() -> None:
    image, other = picture(1, SIZE), picture(2, SIZE)
    assert edited("noise-15", image).tobytes() != edited("noise-15", image, seed=1).tobytes()
    first = pixels(edited("noise-15", image)) - pixels(image)
    second = pixels(edited("noise-15", other)) - pixels(other)
    assert not np.array_equal(first, second)


def test_edits_are_chosen_by_name_and_by_group() -> None:
    assert choose([]) == EDITS
    names = [edit.name for edit in choose(["mirrored", "compression", "jpeg-10"])]
    assert names == ["jpeg-95", "jpeg-75", "jpeg-50", "jpeg-30", "jpeg-10", "mirrored"]
    with pytest.raises(InputError, match=r"jpeg: no such edit or group .* the groups are compr"):
        choose(["jpeg"])


def test_less_quality_is_further_from_the_picture() -> None:
    image = picture(1, SIZE)
    errors = [
        np.abs(pixels(edited(f"jpeg-{quality}", image)) - pixels(image)).mean()
        for quality in (95, 75, 50, 30, 10)
    ]
    assert errors == sorted(errors)
    assert errors[0] < 3 < errors[-1]


def test_noise_has_its_strength_and_no_bias() -> None:
    flat = Image.new("RGB", (300, 300), (128, 128, 128))
    difference = pixels(edited("noise-15", flat)) - 128
    assert abs(difference.mean()) < 0.2
    assert difference.std() == pytest.approx(15, rel=0.02)


def test_blur_spreads_a_line() -> None:
    image = Image.new("RGB", (100, 100))
    image.paste((255, 255, 255), (50, 0, 51, 100))
    spread = pixels(tones.blur(image, 2))[50, :, 0]
    assert spread[50] < 255
    assert spread[48] > 0
    assert spread.sum() == pytest.approx(255, rel=0.05)


@pytest.mark.parametrize(
    ("apply", "strength", "before", "after"),
    [
        (tones.brightness, 0.5, (100, 200, 40), (50, 100, 20)),
        (tones.brightness, 1.5, (100, 200, 40), (150, 255, 60)),
        (tones.gamma, 2, (128, 255, 0), (64, 255, 0)),
        (tones.gamma, 0.5, (64, 255, 0), (128, 255, 0)),
    ],
)
def test_tones_do_what_they_say(
    apply: object, strength: float, before: tuple[int, ...], after: tuple[int, ...]
) -> None:
    assert callable(apply)
    image = apply(Image.new("RGB", (4, 4), before), strength)
    assert image.getpixel((1, 1)) == after


def test_contrast_and_saturation_move_from_the_middle() -> None:
    image = picture(1, SIZE)
    assert pixels(tones.contrast(image, 0.5)).std() < 0.6 * pixels(image).std()
    grey = pixels(tones.saturation(image, 0))
    assert np.array_equal(grey[..., 0], grey[..., 1])
    assert np.array_equal(pixels(tones.invert(image)), 255 - pixels(image))


def test_turns() -> None:
    image = picture(1, SIZE)
    assert np.array_equal(pixels(shapes.mirror(image)), pixels(image)[:, ::-1])
    assert np.array_equal(pixels(shapes.rotate(image, 90)), np.rot90(pixels(image)))
    turned = pixels(shapes.rotate(image, 45))
    assert turned.shape == pixels(image).shape
    assert not turned[0, 0].any()
    assert turned[60, 100].any()


@pytest.mark.parametrize("percent", [2, 5, 10, 20, 30, 50])
def test_crops_are_windows_of_the_picture(percent: int) -> None:
    image = picture(1, SIZE)
    whole = pixels(image)
    wanted = (round(200 * (1 - percent / 100)), round(120 * (1 - percent / 100)))
    centred = shapes.crop(image, percent)
    assert centred.size == wanted
    left, top = (200 - wanted[0]) // 2, (120 - wanted[1]) // 2
    for name, near in ((f"crop-{percent}", True), (f"crop-off-{percent}", False)):
        part = edited(name, image)
        assert part.size == wanted
        found = [
            (x, y)
            for y in range(120 - wanted[1] + 1)
            for x in range(200 - wanted[0] + 1)
            if np.array_equal(whole[y, x], pixels(part)[0, 0])
            and np.array_equal(whole[y : y + wanted[1], x : x + wanted[0]], pixels(part))
        ]
        assert len(found) == 1
        x, y = found[0]
        off = max(abs(x - left) / (200 - wanted[0]), abs(y - top) / (120 - wanted[1]))
        assert off <= 0.5 if near else off >= 0.2


def test_the_square_is_in_the_middle() -> None:
    image = picture(1, SIZE)
    assert np.array_equal(pixels(shapes.centre_square(image)), pixels(image)[:, 40:160])


def test_sizes() -> None:
    image = picture(1, SIZE)
    assert edited("resize-25", image).size == (50, 30)
    assert edited("aspect-80", image).size == (160, 120)
    assert edited("aspect-125", image).size == (250, 120)
    assert edited("aspect-square", image).size == (120, 120)


def test_frames_keep_the_picture_inside() -> None:
    image = picture(1, SIZE)
    framed = overlays.border(image, 5, (255, 255, 255))
    assert framed.size == (212, 132)
    assert framed.getpixel((0, 0)) == (255, 255, 255)
    assert np.array_equal(pixels(framed)[6:126, 6:206], pixels(image))
    boxed = overlays.letterbox(image, 12)
    assert np.array_equal(pixels(boxed)[14:134], pixels(image))
    assert not pixels(boxed)[:14].any()
    pillars = overlays.pillarbox(image, 12)
    assert np.array_equal(pixels(pillars)[:, 24:224], pixels(image))
    assert not pixels(pillars)[:, :24].any()


@pytest.mark.parametrize("name", ["text-caption", "text-watermark", "logo-10", "logo-25"])
def test_overlays_leave_the_rest_alone(name: str) -> None:
    image = picture(1, SIZE)
    changed = (pixels(edited(name, image)) != pixels(image)).any(axis=2).mean()
    assert 0.002 < changed < 0.3


def test_screenshots_hold_the_picture_smaller() -> None:
    image = Image.new("RGB", SIZE, (200, 30, 30))
    for shot, scale in (
        (overlays.screenshot_page(image), 0.7),
        (overlays.screenshot_phone(image), 0.8),
    ):
        red = pixels(shot)
        inside = (np.abs(red - (200, 30, 30)) < 8).all(axis=2).sum()
        assert inside == pytest.approx(200 * 120 * scale**2, rel=0.08)
        assert inside < 0.85 * shot.width * shot.height


def test_redrawing_keeps_forms_and_loses_details() -> None:
    image = picture(1, (400, 240))
    marked = tones.noise(image, 30, np.random.default_rng(0))
    redrawn = wild.redraw(marked, 96, 20, np.random.default_rng(0))
    assert redrawn.size == image.size
    large = [pixels(shown.resize((10, 6), Image.Resampling.BOX)) for shown in (image, redrawn)]
    assert np.abs(large[0] - large[1]).mean() < 10
    own = ImageChops.difference(redrawn, redrawn.transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    assert own.getbbox() is not None
    fine = [np.abs(np.diff(pixels(shown), axis=1)).mean() for shown in (marked, redrawn)]
    assert fine[1] < fine[0] / 5
