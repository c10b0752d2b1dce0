from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed (the learned extra has it)")

from PIL import Image

from memscan.detectors import tiles
from memscan.errors import InputError
from memscan.records import Stage
from tests.drawing import picture, save


def photographs(folder: Path, count: int = 3) -> list[str]:
    return [save(picture(seed, (90, 70)), folder / f"{seed}.png") for seed in range(count)]


def test_the_first_tile_is_the_whole_and_the_others_are_parts(tmp_path: Path) -> None:
    read, failures = tiles.read(photographs(tmp_path), 32, 5, 0)
    assert (tuple(read.pixels.shape), len(read), failures) == ((3, 5, 48, 48), 3, ())
    whole = picture(0, (90, 70)).convert("L").resize((48, 48), Image.Resampling.BICUBIC)
    assert np.array_equal(read.pixels[0, 0].numpy(), np.asarray(whole))
    distinct = {tile.tobytes() for tile in read.pixels.reshape(15, -1).numpy()}
    assert len(distinct) == 15


def test_tiles_depend_on_the_image_and_the_seed_alone(tmp_path: Path) -> None:
    paths = photographs(tmp_path)
    read = tiles.read(paths, 32, 4, 7)[0]
    backwards = tiles.read(paths[::-1], 32, 4, 7)[0]
    assert np.array_equal(read.pixels.numpy(), backwards.pixels.numpy()[::-1])
    assert backwards.paths == tuple(paths[::-1])
    other = tiles.read(paths, 32, 4, 8)[0]
    assert np.array_equal(other.pixels[:, 0].numpy(), read.pixels[:, 0].numpy())
    assert not np.array_equal(other.pixels.numpy(), read.pixels.numpy())


def test_tiles_are_fewer_where_they_would_take_too_much_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = photographs(tmp_path)
    whole = tiles.read(paths, 32, 4, 7)[0].pixels.numpy()
    for most, left in ((3 * 4 * 48**2, 4), (3 * 4 * 48**2 - 1, 3), (1, 1)):
        monkeypatch.setattr(tiles, "MOST_BYTES", most)
        read = tiles.read(paths, 32, 4, 7)[0].pixels.numpy()
        assert np.array_equal(read, whole[:, :left])


def test_some_of_them_keep_their_names(tmp_path: Path) -> None:
    paths = photographs(tmp_path)
    read = tiles.read(paths, 32, 1, 0)[0]
    some = read.of(np.array([2, 0]))
    assert some.paths == (paths[2], paths[0])
    assert np.array_equal(some.pixels[1].numpy(), read.pixels[0].numpy())


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    paths = photographs(tmp_path)
    (tmp_path / "broken.png").write_bytes(b"broken")
    seen: list[tuple[str, int, int]] = []
    missing = str(tmp_path / "missing.png")
    read, failures = tiles.read(
        [*paths[:2], str(tmp_path / "broken.png"), missing],
        32,
        1,
        0,
        progress=lambda *step: seen.append(step),
    )
    assert read.paths == tuple(paths[:2])
    assert [(failure.path, failure.stage) for failure in failures] == [
        (str(tmp_path / "broken.png"), Stage.DECODE),
        (missing, Stage.READ),
    ]
    assert seen[-1] == ("reading", 4, 4)
    with pytest.raises(InputError, match="needs two images or more, and 1 could be read"):
        tiles.read([paths[0], missing], 32, 1, 0)


def test_large_images_are_refused_where_asked(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="0 could be read"):
        tiles.read(photographs(tmp_path), 32, 1, 0, max_pixels=100)


def test_an_image_of_one_pixel_has_tiles(tmp_path: Path) -> None:
    paths = [save(Image.new("L", (1, 1), grey), tmp_path / f"{grey}.png") for grey in (0, 200)]
    read = tiles.read(paths, 32, 6, 0)[0]
    assert set(read.pixels[1].flatten().tolist()) == {200}
