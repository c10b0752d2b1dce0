from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.detectors.small import CONFIG, autoencoder_in, needs_diffusers, pictures_in

needs_diffusers()

import torch  # noqa: E402

from memscan.detectors import autoencoder, autoencoder_training  # noqa: E402
from memscan.detectors.autoencoder_training import Recipe  # noqa: E402
from memscan.errors import InputError  # noqa: E402

RECIPE = Recipe(side=32, window=16, levels=2, width=8, batch=2, steps=2, epochs=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(autoencoder_in(tmp_path_factory.mktemp("autoencoder")))


def test_latents_are_the_mode_of_the_posterior_of_diffusers(folder: Path) -> None:
    from diffusers import AutoencoderKL

    encoder, sha256 = autoencoder.load(str(folder))
    whole = AutoencoderKL.from_pretrained(
        str(folder), use_safetensors=True, local_files_only=True, low_cpu_mem_usage=False
    )
    pixels = torch.rand(2, 3, 32, 48)
    with torch.no_grad():
        wanted = whole.encode(2 * pixels - 1).latent_dist.mode()
        found = encoder(pixels)
    assert torch.allclose(found, wanted, atol=1e-6)
    assert found.shape == (2, encoder.channels, 32 // encoder.reduction, 48 // encoder.reduction)
    assert len(sha256) == 64


def test_attention_is_found_by_its_former_names(folder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    config = {**CONFIG, "mid_block_add_attention": True}
    model = autoencoder.build(config)
    autoencoder.save(model, str(tmp_path))
    path = str(tmp_path / "diffusion_pytorch_model.safetensors")
    expected = autoencoder.load(str(tmp_path))[0].state_dict()
    state = load_file(path)
    for now, then in (("to_q", "query"), ("to_k", "key"), ("to_v", "value"),
                      ("to_out.0", "proj_attn")):  # fmt: skip
        state = {name.replace(f".{now}.", f".{then}."): one for name, one in state.items()}
    assert any(".proj_attn." in name for name in state)
    save_file(state, path)
    found = autoencoder.load(str(tmp_path))[0].state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in found)


def test_latents_are_the_same_each_time_and_in_any_batch(folder: Path) -> None:
    encoder, _ = autoencoder.load(str(folder))
    pixels = torch.rand(3, 3, 32, 32)
    device = torch.device("cpu")
    found = encoder.latents(pixels, device)
    assert torch.equal(found, encoder.latents(pixels, device))
    assert torch.allclose(found[1:2], encoder.latents(pixels[1:2], device), atol=1e-5)


def test_an_encoder_stays_frozen(folder: Path) -> None:
    encoder, _ = autoencoder.load(str(folder))
    assert not encoder.train().training
    assert not any(parameter.requires_grad for parameter in encoder.parameters())


def test_a_directory_that_is_no_autoencoder_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no autoencoder of diffusers: config\.json cannot be"):
        autoencoder.load(str(tmp_path))
    (tmp_path / "config.json").write_text('{"_class_name": "UNet2DModel"}', encoding="utf-8")
    with pytest.raises(InputError, match=r"config\.json: not that of an AutoencoderKL"):
        autoencoder.load(str(tmp_path))
    (tmp_path / "config.json").write_text("[" * 5000, encoding="utf-8")
    with pytest.raises(InputError, match=r"config\.json: is no JSON"):
        autoencoder.load(str(tmp_path))


def test_a_pickle_alone_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
    with pytest.raises(InputError, match=r"diffusion_pytorch_model\.safetensors is missing"):
        autoencoder.load(str(tmp_path))
    (tmp_path / "diffusion_pytorch_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(InputError, match=r"\.bin: a pickle, which could run any code; convert it"):
        autoencoder.load(str(tmp_path))
    disguised = tmp_path / "diffusion_pytorch_model.safetensors"
    disguised.write_bytes(b"\x80\x04.")
    with pytest.raises(InputError, match=r"safetensors: a pickle, which could run any code"):
        autoencoder.load(str(tmp_path))
    disguised.write_bytes(b"\x08\0\0\0\0\0\0\0{}      ")
    with pytest.raises(InputError, match=r"the weights do not fit config\.json"):
        autoencoder.load(str(tmp_path))


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("block_out_channels", [1 << 20], "block_out_channels must be multiples"),
        ("block_out_channels", [9, 9], "block_out_channels must be multiples"),
        ("block_out_channels", [8] * 9, "a list of 1 to 8 numbers"),
        ("down_block_types", ["DownEncoderBlock2D"], "as many as block_out_channels"),
        ("down_block_types", ["os.system"] * 2, "down_block_types must be of"),
        ("latent_channels", True, "latent_channels must be a whole number from 1 to 64"),
        ("layers_per_block", 10**9, "layers_per_block must be a whole number from 1 to 8"),
        ("act_fn", "exec", "act_fn must be one of"),
        ("use_quant_conv", 1, "use_quant_conv must be true or false"),
        ("other", 1, "'other' is no field"),
    ],
)
def test_configurations_of_strangers_have_bounds(field: str, value: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        autoencoder.parse_config({**CONFIG, field: value})
    assert autoencoder.parse_config(CONFIG) == CONFIG


def test_training_writes_what_diffusers_reads_and_lowers_the_loss(tmp_path: Path) -> None:
    paths = pictures_in(tmp_path / "images", 6)
    broken = tmp_path / "images/broken.png"
    broken.write_bytes(b"broken")
    recipe = Recipe(side=32, window=16, levels=2, width=8, batch=4, steps=12, epochs=3)
    done = autoencoder_training.train([*paths, str(broken)], str(tmp_path / "out"), recipe, jobs=1)
    assert [failure.path for failure in done.failures] == [str(broken)]
    losses = [epoch.validation["loss"] for epoch in done.run.epochs]
    assert losses[-1] < losses[0]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["images", "out"]
    encoder, sha256 = autoencoder.load(str(tmp_path / "out"))
    assert sha256 == done.sha256
    document = json.loads((tmp_path / "out/config.json").read_text(encoding="utf-8"))
    assert document["_class_name"] == "AutoencoderKL"
    assert document["sample_size"] == encoder.config["sample_size"] == 32


def test_training_that_was_stopped_gives_the_same_weights(tmp_path: Path) -> None:
    paths = pictures_in(tmp_path / "images", 4)
    whole = autoencoder_training.train(paths, str(tmp_path / "whole"), RECIPE, jobs=1)

    def stop(run: object) -> None:
        raise KeyboardInterrupt

    stopped = str(tmp_path / "stopped")
    with pytest.raises(KeyboardInterrupt):
        autoencoder_training.train(paths, stopped, RECIPE, jobs=1, on_epoch=stop)
    longer = dataclasses.replace(RECIPE, minutes=100.0)
    again = autoencoder_training.train(paths, stopped, longer, jobs=1)
    assert again.run.resumed
    assert again.sha256 == whole.sha256


def test_a_checkpoint_is_not_that_of_changed_images(tmp_path: Path) -> None:
    paths = pictures_in(tmp_path / "images", 4)

    def stop(run: object) -> None:
        raise KeyboardInterrupt

    stopped = str(tmp_path / "stopped")
    with pytest.raises(KeyboardInterrupt):
        autoencoder_training.train(paths, stopped, RECIPE, jobs=1, on_epoch=stop)
    os.utime(paths[0], ns=(5, 5))
    with pytest.raises(InputError, match="the checkpoint of another training"):
        autoencoder_training.train(paths, stopped, RECIPE, jobs=1)


def test_a_recipe_without_meaning_is_one_sentence(tmp_path: Path) -> None:
    paths = pictures_in(tmp_path / "images", 2)
    for recipe, sentence in (
        (Recipe(side=32, window=64), "the window must be a multiple"),
        (Recipe(side=32, window=17), "the window must be a multiple"),
        (Recipe(side=32, window=32, width=9), "must be multiples of norm_num_groups"),
    ):
        with pytest.raises(InputError, match=sentence):
            autoencoder_training.train(paths, str(tmp_path / "out"), recipe)
    with pytest.raises(InputError, match="training needs two images that can be read, here are 1"):
        autoencoder_training.train(paths[:1], str(tmp_path / "out"), RECIPE)


def test_pixels_are_kept_only_within_bounds(tmp_path: Path) -> None:
    from memscan.detectors.cards import Input
    from memscan.detectors.pictures import Pictures

    paths = pictures_in(tmp_path, 3)
    free = Pictures(paths, Input(8, 8))
    tight = Pictures(paths, Input(8, 8), kept_bytes=2 * 3 * 8 * 8)
    assert np.array_equal(free.pixels([2, 0, 1]), tight.pixels([2, 0, 1]))
    assert (len(free._kept), len(tight._kept)) == (3, 2)
    assert np.array_equal(free.pixels([0, 1, 2]), tight.pixels([0, 1, 2]))
    Path(paths[1]).unlink()
    assert free.pixels([1]).shape == (1, 3, 8, 8)
    with pytest.raises(InputError, match=r"01\.png: was read before, and now not: "):
        tight.pixels([1])
