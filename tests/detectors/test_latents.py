from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.detectors.small import autoencoder_in, needs_diffusers, pictures_in

needs_diffusers()

import torch  # noqa: E402
from PIL import Image  # noqa: E402

from memscan.detectors import autoencoder, inputs, latent_making, latents  # noqa: E402
from memscan.detectors.cards import Input  # noqa: E402
from memscan.errors import InputError  # noqa: E402
from memscan.records import Stage  # noqa: E402
from tests.drawing import picture, save  # noqa: E402


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return autoencoder_in(tmp_path_factory.mktemp("autoencoder"))


def make(folder: str, paths: list[str], output: Path, views: int = 3) -> latents.Latents:
    return latent_making.make(paths, folder, str(output), views=views, jobs=2)


def test_the_first_latent_is_that_of_the_image_and_the_others_are_of_views(
    folder: str, tmp_path: Path
) -> None:
    paths = pictures_in(tmp_path / "images", 5)
    found = make(folder, paths, tmp_path / "latents")
    assert found.names == tuple(paths)
    assert found.failures == ()
    encoder, sha256 = autoencoder.load(folder)
    assert found.sha256 == sha256
    with Image.open(paths[3]) as image:
        pixels = inputs.prepare(image, Input(32, 32))
    wanted = encoder.latents(torch.from_numpy(pixels[None]), torch.device("cpu")).numpy()
    plain = found.gather([3], [0])
    assert plain.dtype == np.float32
    assert np.allclose(plain, wanted, atol=2e-3)
    assert np.abs(found.gather([3], [1]) - plain).max() > 0.05
    assert np.abs(found.gather([3], [1]) - found.gather([3], [2])).max() > 0.05


def test_the_statistics_are_those_of_all_latents(folder: str, tmp_path: Path) -> None:
    found = make(folder, pictures_in(tmp_path / "images", 4), tmp_path / "latents")
    every = np.concatenate([np.asarray(part, np.float64) for part in found.parts])
    assert np.allclose(found.mean, every.mean(axis=(0, 1, 3, 4)), atol=1e-9)
    assert np.allclose(found.std, every.std(axis=(0, 1, 3, 4)), atol=1e-9)


def test_latents_are_the_same_bytes_each_time_in_parts_of_any_size(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = pictures_in(tmp_path / "images", 5)
    once = make(folder, paths, tmp_path / "once")
    again = make(folder, paths, tmp_path / "again")
    for name in ("part-00000.npy", "encoder.safetensors", "latents.json"):
        assert (tmp_path / "once" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
    monkeypatch.setattr(latent_making, "PART_IMAGES", 2)
    parts = make(folder, paths, tmp_path / "parts")
    assert list(map(len, parts.parts)) == [2, 2, 1]
    assert parts.names == once.names == again.names
    rows, views = [4, 0, 3, 1, 2], [0, 1, 2, 2, 1]
    assert np.allclose(parts.gather(rows, views), once.gather(rows, views), atol=2e-3)
    assert np.allclose(parts.mean, once.mean, atol=1e-3)


def test_finished_parts_are_kept(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = pictures_in(tmp_path / "images", 4)
    monkeypatch.setattr(latent_making, "PART_IMAGES", 2)

    def stop(phase: str, done: int, total: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    output = tmp_path / "latents"
    with pytest.raises(KeyboardInterrupt):
        latent_making.make(paths, folder, str(output), progress=stop, jobs=1)
    with pytest.raises(InputError, match=r"no latents: latents\.json cannot be read"):
        latents.read(str(output))
    first = (output / "part-00000.npy").stat().st_mtime_ns
    found = latent_making.make(paths, folder, str(output), jobs=1)
    assert found.names == tuple(paths)
    assert (output / "part-00000.npy").stat().st_mtime_ns == first


def test_parts_of_files_that_changed_are_encoded_again(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = pictures_in(tmp_path / "images", 6)
    monkeypatch.setattr(latent_making, "PART_IMAGES", 2)
    repaired = Path(paths[3]).read_bytes()
    Path(paths[3]).write_bytes(b"broken")
    before = make(folder, paths, tmp_path / "latents")
    assert before.names == (*paths[:3], *paths[4:])
    unchanged = (tmp_path / "latents/part-00002.npy").stat().st_mtime_ns

    Path(paths[3]).write_bytes(repaired)
    save(picture(99), Path(paths[0]))
    after = make(folder, paths, tmp_path / "latents")
    fresh = make(folder, paths, tmp_path / "fresh")
    assert after.names == tuple(paths)
    assert after.failures == ()
    assert after.mean == fresh.mean
    assert after.fingerprint == fresh.fingerprint != before.fingerprint
    for part, own in zip(after.parts, fresh.parts):
        assert np.array_equal(part, own)
    assert (tmp_path / "latents/part-00002.npy").stat().st_mtime_ns == unchanged


def test_a_directory_is_unfinished_while_a_part_is_encoded_again(
    folder: str, tmp_path: Path
) -> None:
    paths = pictures_in(tmp_path / "images", 3)
    make(folder, paths, tmp_path / "latents")
    save(picture(99), Path(paths[0]))

    def stop(phase: str, done: int, total: int) -> None:
        raise KeyboardInterrupt

    output = str(tmp_path / "latents")
    with pytest.raises(KeyboardInterrupt):
        latent_making.make(paths, folder, output, views=3, progress=stop, jobs=1)
    with pytest.raises(InputError, match=r"no latents: latents\.json cannot be read"):
        latents.read(output)
    assert make(folder, paths, tmp_path / "latents").names == tuple(paths)


def test_images_that_cannot_be_read_are_failures(folder: str, tmp_path: Path) -> None:
    paths = pictures_in(tmp_path / "images", 2)
    broken, missing = tmp_path / "broken.png", str(tmp_path / "missing.png")
    broken.write_bytes(b"broken")
    found = make(folder, [str(broken), *paths, missing], tmp_path / "latents")
    assert found.names == tuple(paths)
    assert [(one.path, one.stage) for one in found.failures] == [
        (str(broken), Stage.DECODE),
        (missing, Stage.READ),
    ]
    with pytest.raises(InputError, match=r"none of the 1 images can be read \(first .*broken\.png"):
        make(folder, [str(broken)], tmp_path / "none")


def test_other_latents_in_the_directory_are_one_sentence(folder: str, tmp_path: Path) -> None:
    paths = pictures_in(tmp_path / "images", 3)
    make(folder, paths, tmp_path / "latents")
    for other, views in ((paths[:2], 3), (paths, 2)):
        with pytest.raises(InputError, match="holds latents of other images"):
            make(folder, other, tmp_path / "latents", views=views)
    with pytest.raises(InputError, match="33 pixels a side do not fit the autoencoder"):
        latent_making.make(paths, folder, str(tmp_path / "odd"), side=33)


def test_views_are_drawn_by_seed_and_pixels_and_keep_most_of_the_image() -> None:
    image = picture(1, (100, 60))
    once, again, other = (
        latent_making.view(image, np.random.default_rng(seed)) for seed in (0, 0, 1)
    )
    assert once.tobytes() == again.tobytes()
    assert once.tobytes() != other.tobytes()
    for seed in range(20):
        width, height = latent_making.view(image, np.random.default_rng(seed)).size
        assert 75 <= width <= 100
        assert 45 <= height <= 60
    assert latent_making.view(picture(1, (1, 1)), np.random.default_rng(0)).size == (1, 1)


def test_a_damaged_directory_is_one_sentence(folder: str, tmp_path: Path) -> None:
    output = tmp_path / "latents"
    make(folder, pictures_in(tmp_path / "images", 2), output)
    manifest = output / "latents.json"
    whole = manifest.read_bytes()
    for change, sentence in (
        ({"memscan_latents": 9}, "no latents that can be used: of another format"),
        ({"parts": 2}, "no latents that can be used"),
        ({"names": ["a"]}, "the parts do not hold what latents.json says"),
        ({"autoencoder": {"latent_channels": 0}}, "latent_channels must be a whole number"),
        ({"making": {}}, "no latents that can be used"),
    ):
        manifest.write_text(json.dumps({**json.loads(whole), **change}), encoding="utf-8")
        with pytest.raises(InputError, match=sentence):
            latents.read(str(output))
    manifest.write_bytes(whole)
    (output / "encoder.safetensors").write_bytes(b"\x80\x04.")
    with pytest.raises(InputError, match="a pickle, which could run any code"):
        latents.read(str(output)).encoder()
    objects = np.array([{}], dtype=object)
    np.save(output / "part-00000.npy", objects, allow_pickle=True)
    with pytest.raises(InputError, match="no latents that can be used"):
        latents.read(str(output))
