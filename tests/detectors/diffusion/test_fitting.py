from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.detectors.diffusion.models import needs_transformers, opened_by_diffusers
from tests.detectors.small import autoencoder_in, pictures_in

needs_transformers()

import torch  # noqa: E402

from memscan.detectors import autoencoder, autoencoder_training  # noqa: E402
from memscan.detectors.diffusion import (  # noqa: E402
    draws,
    fitting,
    pipelines,
    sampling,
    schedules,
)
from memscan.detectors.diffusion.captions import Captioned  # noqa: E402
from memscan.detectors.diffusion.conditional import Averaged, Conditional  # noqa: E402
from memscan.detectors.diffusion.recipe import Recipe  # noqa: E402
from memscan.errors import InputError  # noqa: E402

RECIPE = Recipe(
    autoencoder=autoencoder_training.Recipe(
        side=16, window=8, levels=2, width=8, batch=2, steps=2, epochs=1
    ),
    width=8,
    levels=2,
    heads=2,
    text_width=16,
    text_layers=1,
    tokens=6,
    batch=4,
    steps=3,
    epochs=2,
    checks=6,
)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[Captioned]:
    captions = ("a cat", "a dog\udcff", "")  # a file name that is no UTF-8
    paths = pictures_in(tmp_path_factory.mktemp("images"), 6)
    return [Captioned(path, captions[row % 3], 1 + row) for row, path in enumerate(paths)]


@pytest.fixture(scope="module")
def vae(tmp_path_factory: pytest.TempPathFactory) -> str:
    return autoencoder_in(tmp_path_factory.mktemp("vae"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, images: list[Captioned]) -> Path:
    """A model whose autoencoder was trained as well."""
    path = tmp_path_factory.mktemp("models") / "model"
    done = fitting.train(images, str(path), RECIPE, device="cpu")
    assert (done.failures, done.cut, len(done.images)) == ([], 0, 6)
    assert done.run.best == RECIPE.epochs - 1
    assert set(done.run.epochs[-1].validation) == {"loss", "once", "repeated"}
    return path


def sha256_of(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*.safetensors")
    }


def test_what_is_written_is_a_stable_diffusion_to_diffusers(folder: Path) -> None:
    model, other = pipelines.load(str(folder), "cpu"), opened_by_diffusers(str(folder))
    prompts = ["a cat", "never seen", ""]
    latents = sampling.noise(model, 0, range(3))
    pixels = sampling.sample(model, prompts, latents, steps=4, guidance=2)
    wanted = other(
        prompts, num_inference_steps=4, guidance_scale=2, latents=latents, output_type="pt"
    ).images
    assert torch.allclose(pixels, wanted, atol=1e-3)
    assert sorted(path.name for path in folder.parent.iterdir()) == ["model"]


def test_latents_are_scaled_to_one(folder: Path, images: list[Captioned]) -> None:
    from PIL import Image

    model = pipelines.load(str(folder), "cpu")
    latents = model.encode([Image.open(one.path) for one in images])
    assert float(latents.std()) == pytest.approx(1, rel=0.02)


def test_the_record_says_what_was_learned(folder: Path, images: list[Captioned]) -> None:
    record = json.loads((folder / "training.json").read_text(encoding="utf-8"))
    assert [Captioned(**one) for one in record["images"]] == images
    assert record["recipe"]["autoencoder"]["side"] == 16
    assert record["training"]["epochs"] == 2


def test_training_that_was_stopped_gives_the_same_weights(
    images: list[Captioned], folder: Path, tmp_path: Path
) -> None:
    stopped = tmp_path / "stopped"

    def stop(run: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fitting.train(images, str(stopped), RECIPE, device="cpu", on_epoch=stop)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["stopped", "stopped.checkpoint"]
    (stopped / "unet").mkdir()  # as if it had been stopped while it wrote
    other = [dataclasses.replace(images[0], copies=9), *images[1:]]
    with pytest.raises(InputError, match="the checkpoint of another training"):
        fitting.train(other, str(stopped), RECIPE, device="cpu")
    longer = dataclasses.replace(RECIPE, minutes=100.0)
    done = fitting.train(images, str(stopped), longer, device="cpu")
    assert done.run.resumed
    assert sha256_of(stopped) == sha256_of(folder)
    with pytest.raises(InputError, match="not empty; a model goes into a directory of its own"):
        fitting.train(images, str(stopped), RECIPE, device="cpu")


def test_a_directory_of_other_things_is_left_alone(images: list[Captioned], tmp_path: Path) -> None:
    kept = Path(autoencoder_in(tmp_path / "models/vae"))
    before = sha256_of(kept)
    with pytest.raises(InputError, match="models: not empty; a model goes into a directory"):
        fitting.train(images, str(tmp_path / "models"), RECIPE, device="cpu")
    assert sha256_of(kept) == before


def test_images_that_cannot_be_read_are_rows_and_two_are_needed(
    images: list[Captioned], vae: str, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"broken")
    recipe = dataclasses.replace(RECIPE, epochs=1, steps=1, prediction="epsilon")
    done = fitting.train(
        [Captioned(str(broken), "a cat that has more words than there are"), *images[:3]],
        str(tmp_path / "out"),
        recipe,
        autoencoder_folder=vae,
        device="cpu",
    )
    assert [failure.path for failure in done.failures] == [str(broken)]
    assert len(done.images) == 3
    assert pipelines.load(str(tmp_path / "out"), "cpu").schedule.prediction == "epsilon"
    with pytest.raises(InputError, match="needs two images that can be read, here are 1"):
        fitting.train([images[0], Captioned(str(broken))], str(tmp_path / "one"), recipe)
    assert not (tmp_path / "one").exists()


def test_a_recipe_without_meaning_is_one_sentence(
    images: list[Captioned], vae: str, tmp_path: Path
) -> None:
    for fields, sentence in (
        ({"levels": 5}, "images of 16 pixels cannot be halved 5 times"),
        ({"width": 9}, "the recipe has no meaning: block_out_channels must be multiples"),
        ({"beta_first": 0.5, "beta_last": 0.5}, "the recipe has no meaning: the betas leave no"),
        ({"heads": 3, "text_width": 9}, "the recipe has no meaning: attention_head_dim"),
        ({"heads": 4, "text_width": 18}, "the recipe has no meaning: num_attention_heads"),
    ):
        recipe = dataclasses.replace(RECIPE, **fields)
        with pytest.raises(InputError, match=sentence):
            fitting.train(
                images, str(tmp_path / "out"), recipe, autoencoder_folder=vae, device="cpu"
            )
    assert not (tmp_path / "out").exists()


def test_rows_are_drawn_as_often_as_they_have_copies() -> None:
    copies = np.array([1, 0, 30, 69])
    examples = draws.Examples(
        torch.arange(4.0).view(4, 1, 1, 1),
        np.zeros((4, 2), np.int64),
        np.ones((1, 2), np.int64),
        copies,
        schedules.parse(RECIPE.scheduler()),
        0.25,
        torch.device("cpu"),
    )
    draw = examples.batch(np.random.default_rng(0), 4000)
    shares = np.bincount(draw.clean.flatten().long().numpy(), minlength=4) / 4000
    assert shares == pytest.approx(copies / 100, abs=0.03)
    assert float(draw.tokens.float().mean()) == pytest.approx(0.25, abs=0.03)
    checks = examples.checks(np.random.default_rng(0), np.array([1, 3]), 10, 4)
    assert {int(value) for one in checks for value in one.clean.flatten()} == {1, 3}
    assert torch.cat([one.steps for one in checks]).tolist() == list(range(0, 1000, 100))
    assert not any(one.tokens.any() for one in checks)


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_the_loss_is_that_of_what_is_predicted(prediction: str) -> None:
    from diffusers import DDPMScheduler

    scheduler = {**RECIPE.scheduler(), "prediction_type": prediction}
    zeros = np.zeros((2, 3), np.int64)
    examples = draws.Examples(
        torch.randn(2, 4, 8, 8), zeros, zeros[:1], np.ones(2, np.int64),
        schedules.parse(scheduler), 0.0, torch.device("cpu"),
    )  # fmt: skip
    draw = examples.batch(np.random.default_rng(1), 3)
    other = DDPMScheduler(
        beta_schedule="scaled_linear", beta_start=RECIPE.beta_first, beta_end=RECIPE.beta_last
    )
    seen = []

    def network(latents: torch.Tensor, steps: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        seen.append(latents)
        return torch.zeros_like(latents)

    found = examples.loss(network, draw)
    wanted = draw.noise
    if prediction == "v_prediction":
        wanted = other.get_velocity(draw.clean, draw.noise, draw.steps)
    assert torch.allclose(seen[0], other.add_noise(draw.clean, draw.noise, draw.steps), atol=1e-4)
    assert float(found) == pytest.approx(float(wanted.square().mean()), rel=1e-4)


def test_the_average_follows_the_weights() -> None:
    unet = torch.nn.Linear(1, 1)
    averaged = Averaged(Conditional(unet, torch.nn.Linear(1, 1)), 0.5)
    weight, average = unet.weight.detach(), next(averaged.average.parameters())
    expected = float(weight)
    for step in range(1, 30):
        weight += 1
        averaged.follow()
        kept = min(0.5, (1 + step) / (10 + step))
        expected = kept * expected + (1 - kept) * float(weight)
        assert float(average) == pytest.approx(expected, rel=1e-5)
    assert not any(one.requires_grad for one in averaged.average.parameters())


def test_an_autoencoder_of_no_other_images_is_measured_on_them(
    images: list[Captioned], tmp_path: Path
) -> None:
    recipe = dataclasses.replace(RECIPE.autoencoder, held_out=0.0, steps=10, epochs=4)
    paths = [one.path for one in images]
    done = autoencoder_training.train(paths, str(tmp_path / "vae"), recipe, device="cpu")
    losses = [epoch.validation["loss"] for epoch in done.run.epochs]
    assert losses[-1] < losses[0]
    assert autoencoder.read_scaling_factor(str(tmp_path / "vae")) == 0.18215


def test_a_model_of_no_captions_is_unconditional(
    images: list[Captioned], vae: str, tmp_path: Path
) -> None:
    plain = [dataclasses.replace(one, caption="") for one in images]
    recipe = dataclasses.replace(RECIPE, epochs=1, steps=1)
    path = shutil.copytree(vae, tmp_path / "given")
    fitting.train(plain, str(tmp_path / "out"), recipe, autoencoder_folder=str(path), device="cpu")
    model = pipelines.load(str(tmp_path / "out"), "cpu")
    assert model.embed([""]).shape == (1, 6, 16)
