from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from memscan import decode
from memscan.detectors.dif.making import METHODS, Maker
from memscan.detectors.dif.recipe import Denoising, Recipe
from memscan.detectors.training import Run
from memscan.errors import InputError
from memscan.fingerprints import crops, fingerprint
from memscan.fingerprints.residuals import NAMES, residual_of
from tests.detectors.dif.generators import Sample, write_folder
from tests.fingerprints.making import correlations

TINY = Recipe(
    crop=32, depth=1, base=2, channels=2, batch=8, epochs=3, tail=4,
    denoising=Denoising(layers=2, width=2, window=16, batch=2, steps=2, epochs=2),
)  # fmt: skip


class StoppedError(Exception):
    pass


@pytest.fixture
def folders(tmp_path: Path, real: Sample) -> tuple[list[str], list[str]]:
    """Twelve crops each, of which the latter bear a checkerboard."""
    board = (np.indices((64, 64)).sum(0) % 2 * 6 - 3)[..., None]
    fake = np.clip(real.train[12:24].astype(np.int16) + board, 0, 255).astype(np.uint8)
    write_folder(tmp_path / "real", real.train[:12])
    write_folder(tmp_path / "fake", fake)
    return tuple(  # type: ignore[return-value]
        sorted(str(path) for path in (tmp_path / name).iterdir()) for name in ("real", "fake")
    )


@pytest.mark.parametrize("residual", NAMES)
@pytest.mark.parametrize("method", METHODS)
def test_what_is_written_is_what_was_measured(
    folders: tuple[list[str], list[str]], tmp_path: Path, residual: str, method: str
) -> None:
    """Whoever reads the file and compares the images held out comes to the same rates."""
    output = str(tmp_path / "m.dif.npz")
    made = Maker(TINY, residual, method, "cpu").make(*folders, output, "checks")
    found = fingerprint.read(output)
    assert (found.name, found.residual, found.made) == ("checks", residual, method)
    assert sorted(os.listdir(tmp_path)) == ["fake", "m.dif.npz", "real"]
    taken, held_out = residual_of(found), np.random.default_rng([42, 0xD1F]).permutation(12)[:2]
    for paths, own, other, told in (
        (folders[0], found.mean_real, found.mean_fake, made.worth.real),
        (folders[1], found.mean_fake, found.mean_real, made.worth.fake),
    ):
        scores = [
            correlations(
                taken(crops.scaled(crops.middle(np.asarray(image), found.side))), found.pattern
            )[0, 0]
            for image in (decode.open_image(paths[row]).image for row in held_out)
        ]
        right = sum(abs(score - own) < abs(score - other) for score in scores)
        assert (right, len(scores)) == (told.count, told.total)


def test_a_run_that_was_stopped_gives_the_same_file(
    folders: tuple[list[str], list[str]], tmp_path: Path
) -> None:
    whole, resumed = (str(tmp_path / name) for name in ("whole.dif.npz", "resumed.dif.npz"))
    maker = Maker(TINY, "denoiser", device="cpu")
    maker.make(*folders, whole, "A")

    def stop(run: Run) -> None:
        if len(run.epochs) == 2:
            raise StoppedError

    with pytest.raises(StoppedError):
        dataclasses.replace(maker, on_epoch=stop).make(*folders, resumed, "A")
    left = sorted(name for name in os.listdir(tmp_path) if name.startswith("resumed"))
    assert left == ["resumed.dif.npz.denoiser.checkpoint", "resumed.dif.npz.dif.checkpoint"]
    other = dataclasses.replace(maker, recipe=dataclasses.replace(TINY, margin=0.5))
    with pytest.raises(InputError, match="the checkpoint of another training"):
        other.make(*folders, resumed, "A")
    done = maker.make(*folders, resumed, "A")
    assert done.run is not None
    assert done.run.resumed
    assert Path(resumed).read_bytes() == Path(whole).read_bytes()
    assert [name for name in os.listdir(tmp_path) if name.endswith(".checkpoint")] == []


@pytest.mark.parametrize("role", ["real", "generated"])
@pytest.mark.parametrize("method", METHODS)
def test_plain_areas_teach_nothing(
    folders: tuple[list[str], list[str]], tmp_path: Path, role: str, method: str
) -> None:
    for path in folders[role == "generated"]:
        Image.new("RGB", (40, 40), (9, 90, len(path))).save(path)
    with pytest.raises(InputError, match=f"all {role} images are plain areas"):
        Maker(TINY, method=method).make(*folders, str(tmp_path / "m.dif.npz"), "A")
    assert sorted(os.listdir(tmp_path)) == ["fake", "real"]


@pytest.mark.parametrize("name", ["", "n" * 256])
def test_a_name_that_could_not_be_read_again_is_refused(
    folders: tuple[list[str], list[str]], tmp_path: Path, name: str
) -> None:
    with pytest.raises(InputError, match="must have 1 to 255 characters"):
        Maker(TINY, method="mean").make(*folders, str(tmp_path / "m.dif.npz"), name)


def test_an_image_of_both_classes_is_refused(
    folders: tuple[list[str], list[str]], tmp_path: Path
) -> None:
    (tmp_path / "linked.png").symlink_to(folders[0][3])
    fake = [*folders[1], str(tmp_path / "linked.png")]
    with pytest.raises(InputError, match=r"linked\.png: is among the real images as well as the"):
        Maker(TINY).make(folders[0], fake, str(tmp_path / "m.dif.npz"), "A")
