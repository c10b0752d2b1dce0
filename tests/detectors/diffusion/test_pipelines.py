from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cli.running import environment
from tests.detectors.diffusion.models import (
    BEGIN,
    END,
    LENGTH,
    change,
    model_in,
    needs_transformers,
    opened_by_diffusers,
    vocabulary,
)
from tests.drawing import picture

needs_transformers()

import torch  # noqa: E402

from memscan.detectors.diffusion import clip, gallery, layout, pipelines, sampling  # noqa: E402
from memscan.errors import InputError  # noqa: E402

PROMPTS = ["a cat", "", "zebra cat x y z a b c d"]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(model_in(tmp_path_factory.mktemp("models") / "epsilon"))


@pytest.fixture(scope="session")
def model(made: Path) -> pipelines.LatentDiffusion:
    return pipelines.load(str(made), "cpu")


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(made, tmp_path / "model"))


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_samples_are_those_of_diffusers(tmp_path: Path, prediction: str) -> None:
    path = model_in(tmp_path, prediction, pad="a" if prediction == "v_prediction" else END)
    found = pipelines.load(path, "cpu")
    other = opened_by_diffusers(path)
    latents = sampling.noise(found, 3, range(len(PROMPTS)))
    for guidance in (1.0, 3.0):
        pixels = sampling.sample(found, PROMPTS, latents, steps=5, guidance=guidance)
        wanted = other(
            PROMPTS,
            num_inference_steps=5,
            guidance_scale=guidance,
            latents=latents,
            output_type="pt",
        ).images
        assert torch.allclose(pixels, wanted, atol=1e-4)


def test_parts_are_those_of_diffusers(made: Path, model: pipelines.LatentDiffusion) -> None:
    other = opened_by_diffusers(str(made))
    wanted, _ = other.encode_prompt(PROMPTS, "cpu", 1, False)
    assert torch.allclose(model.embed(PROMPTS), wanted, atol=1e-6)
    assert model.embed(PROMPTS).shape == (3, LENGTH, 16)
    assert torch.allclose(model.alphas_bar.float(), other.scheduler.alphas_cumprod, atol=1e-6)
    assert model.alphas_bar.dtype == torch.float64
    assert (model.latent_shape, model.size) == ((4, 8, 8), (16, 16))
    images = [picture(seed, (30, 20)) for seed in range(3)]
    pixels = np.stack([np.asarray(one.resize((16, 16), 3), np.float32) / 255 for one in images])
    given = torch.from_numpy(pixels.transpose(0, 3, 1, 2))
    with torch.no_grad():
        latents = other.vae.encode(2 * given - 1).latent_dist.mode() * 0.7
        decoded = (other.vae.decode(latents / 0.7).sample / 2 + 0.5).clamp(0, 1)
    assert torch.allclose(model.encode(images), latents, atol=1e-5)
    assert torch.allclose(model.decode(latents), decoded, atol=1e-5)


def test_tokens_stand_where_their_embeddings_do(model: pipelines.LatentDiffusion) -> None:
    assert model.tokens("a CAT") == ("", "a", "cat", "", "", "", "", "")
    assert model.tokens("") == ("",) * LENGTH
    assert len(model.tokens(PROMPTS[2])) == LENGTH


def test_gradients_flow_to_embeddings_and_latents_alone(model: pipelines.LatentDiffusion) -> None:
    embeddings = model.embed(["a cat"]).requires_grad_()
    latents = torch.randn(1, 4, 8, 8, requires_grad=True)
    model.predict(latents, 500, embeddings).square().sum().backward()  # type: ignore[no-untyped-call]
    assert embeddings.grad is not None
    assert latents.grad is not None
    assert float(embeddings.grad.abs().sum()) > 0 < float(latents.grad.abs().sum())
    weights = [*model.unet.parameters(), *model.vae.parameters()]
    assert not any(one.requires_grad for one in weights)
    assert not model.unet.training


def test_the_fingerprint_is_that_of_the_weights_and_settings(
    model: pipelines.LatentDiffusion, folder: Path, tmp_path: Path
) -> None:
    (folder / "unet" / "._config.json").write_bytes(b"\xff")  # as other systems leave it
    (folder / "unet" / "merges.txt").mkdir()
    assert pipelines.load(str(folder), "cpu").fingerprint == model.fingerprint
    other = pipelines.load(model_in(tmp_path / "other", seed=1), "cpu")
    assert other.fingerprint != model.fingerprint
    change(folder / "scheduler/scheduler_config.json", prediction_type="v_prediction")
    assert pipelines.load(str(folder), "cpu").fingerprint != model.fingerprint


def test_nothing_is_said_on_stderr_and_the_network_is_never_asked(made: Path) -> None:
    script = (
        "import socket, sys\n"
        "def refuse(*args): raise AssertionError('the network was asked')\n"
        "socket.socket.connect = refuse; socket.getaddrinfo = refuse\n"
        "from memscan.detectors.diffusion import pipelines\n"
        "model = pipelines.load(sys.argv[1], 'cpu')\n"
        "model.embed(['a cat ' * 100])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(made)],
        capture_output=True,
        text=True,
        env=environment({"HF_HUB_OFFLINE": None}),
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_former_names_and_a_vocabulary_in_one_file_are_read(
    folder: Path, model: pipelines.LatentDiffusion
) -> None:
    from safetensors.torch import load_file, save_file

    wanted = model.embed(PROMPTS)
    path = str(folder / "text_encoder/model.safetensors")
    state = {f"text_model.{name}": one for name, one in load_file(path).items()}
    state["text_model.embeddings.position_ids"] = torch.arange(LENGTH)[None]
    save_file(state, path)
    assert torch.equal(pipelines.load(str(folder), "cpu").embed(PROMPTS), wanted)
    tokenizer = folder / "tokenizer"
    if not (tokenizer / "tokenizer.json").exists():
        clip.build_tokenizer(
            vocabulary(), [("c", "a"), ("ca", "t</w>")], bos_token=BEGIN, eos_token=END
        ).save_pretrained(str(tokenizer))
    for name in ("vocab.json", "merges.txt"):
        (tokenizer / name).unlink(missing_ok=True)
    assert torch.equal(pipelines.load(str(folder), "cpu").embed(PROMPTS), wanted)


def test_half_precision_is_read_as_float32(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    path = folder / "unet/diffusion_pytorch_model.safetensors"
    state = {name: one.half() for name, one in load_file(str(path)).items()}
    path.unlink()
    save_file(state, str(path).replace(".safetensors", ".fp16.safetensors"))
    found = pipelines.load(str(folder), "cpu")
    assert {one.dtype for one in found.unet.parameters()} == {torch.float32}


@pytest.mark.parametrize(
    ("part", "fields", "sentence"),
    [
        ("model_index.json", {"unet": ["os", "system"]}, "unet is no UNet2DConditionModel"),
        ("model_index.json", {"text_encoder": [None, None]}, "names no text_encoder"),
        ("unet/config.json", {"_class_name": "UNet2DModel"}, "not that of a UNet2DConditionModel"),
        ("unet/config.json", {"in_channels": 9}, "out_channels must be in_channels"),
        ("unet/config.json", {"block_out_channels": [8, 1 << 30]}, "block_out_channels must be"),
        ("unet/config.json", {"layers_per_block": 10**9}, "layers_per_block must be a whole"),
        ("unet/config.json", {"down_block_types": ["exec", "x"]}, "down_block_types must be of"),
        ("unet/config.json", {"attention_head_dim": 3}, "attention_head_dim must divide"),
        ("unet/config.json", {"sample_size": 10**6}, "sample_size must be from 1 to 512"),
        ("unet/config.json", {"addition_embed_type": "text_time"}, "'addition_embed_type' is not"),
        ("unet/config.json", {"never_heard_of": 1}, "'never_heard_of' is not that of Stable"),
        ("unet/config.json", {"layers_per_block": 2}, "the weights do not fit config.json"),
        ("unet/config.json", {"cross_attention_dim": 8}, "the weights do not fit config.json"),
        ("vae/config.json", {"scaling_factor": 0}, "scaling_factor must be a number"),
        ("vae/config.json", {"shift_factor": 0.1}, "shift_factor is not null"),
        ("vae/config.json", {"up_block_types": ["X", "Y"]}, "up_block_types is not"),
        ("vae/config.json", {"latent_channels": 3}, "the weights do not fit config.json"),
        ("text_encoder/config.json", {"hidden_size": 10**9}, "hidden_size must be a whole"),
        ("text_encoder/config.json", {"num_attention_heads": 3}, "num_attention_heads must divide"),
        ("text_encoder/config.json", {"hidden_act": "os.system"}, "hidden_act must be one of"),
        ("text_encoder/config.json", {"vocab_size": 20}, "for which there is no embedding"),
        ("text_encoder/config.json", {"num_hidden_layers": 3}, "the weights do not fit"),
        ("scheduler/scheduler_config.json", {"prediction_type": "sample"}, "prediction_type must"),
        ("scheduler/scheduler_config.json", {"beta_end": "1"}, "beta_end must be a number"),
        ("scheduler/scheduler_config.json", {"rescale_betas_zero_snr": True}, "no signal in the"),
        ("tokenizer/tokenizer_config.json", {"pad_token": "<pad>"}, "the token '<pad>' is missing"),
        ("tokenizer/tokenizer_config.json", {"model_max_length": 0}, "model_max_length must be"),
        ("tokenizer/tokenizer_config.json", {"model_max_length": float("nan")}, "must be 3 or"),
    ],
)
def test_configurations_of_strangers_have_bounds(
    folder: Path, part: str, fields: dict[str, Any], sentence: str
) -> None:
    change(folder / part, **fields)
    with pytest.raises(InputError, match=sentence):
        pipelines.load(str(folder), "cpu")


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
def test_pickles_and_missing_tensors_are_refused(folder: Path, part: str) -> None:
    from safetensors.torch import load_file, save_file

    (path,) = (folder / part).glob("*.safetensors")
    state = load_file(str(path))
    save_file(dict(list(state.items())[1:]), str(path))
    with pytest.raises(InputError, match=f"{path.name}: the weights do not fit"):
        pipelines.load(str(folder), "cpu")
    path.write_bytes(b"\x08\0\0\0\0\0\0\0{broken ")
    with pytest.raises(InputError, match="is no safetensors file, or a damaged one"):
        pipelines.load(str(folder), "cpu")
    path.unlink()
    with pytest.raises(InputError, match="there "):
        pipelines.load(str(folder), "cpu")
    path.with_suffix(".bin").write_bytes(b"\x80\x04.")
    with pytest.raises(InputError, match=r"\.bin: a pickle, which could run any code; convert it"):
        pipelines.load(str(folder), "cpu")


def test_what_is_no_model_is_one_sentence(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no directory of a model; nothing is fetched"):
        pipelines.load("somebody/stable-diffusion", "cpu")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"there is no model_index\.json in it"):
        pipelines.load(str(tmp_path / "empty"), "cpu")
    for part in pipelines.PARTS:
        (folder / part).rename(tmp_path / part)
        with pytest.raises(InputError, match=f"incomplete: there is no directory {part} in it"):
            pipelines.load(str(folder), "cpu")
        (tmp_path / part).rename(folder / part)
    for name in ("unet/config.json", "scheduler/scheduler_config.json", "model_index.json"):
        content = (folder / name).read_bytes()
        for broken, sentence in ((b"{", "is no JSON"), (b"[]", "is no JSON object")):
            (folder / name).write_bytes(broken)
            with pytest.raises(InputError, match=f"{Path(name).name}: {sentence}"):
                pipelines.load(str(folder), "cpu")
        (folder / name).write_bytes(content)
    assert pipelines.load(str(folder), "cpu").size == (16, 16)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("vocab.json", "[]", "is no JSON object"),
        ("vocab.json", json.dumps({BEGIN: 0, END: 1, "a": "x"}), "no embedding"),
        ("merges.txt", "a b c\n", "a merge is not a pair of tokens"),
        ("merges.txt", "c unknown\n", "no vocabulary of CLIP"),
    ],
)
def test_a_damaged_tokenizer_is_one_sentence(
    folder: Path, name: str, content: str, sentence: str
) -> None:
    merges = "#version: 0.2\nc a\nca t</w>\n"
    (folder / "tokenizer/vocab.json").write_text(json.dumps(vocabulary()), encoding="utf-8")
    (folder / "tokenizer/merges.txt").write_text(merges, encoding="utf-8")
    (folder / "tokenizer" / name).write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=sentence):
        pipelines.load(str(folder), "cpu")


def test_what_is_no_character_is_a_question_mark(model: pipelines.LatentDiffusion) -> None:
    """A prompt from a command line or a file name that is no UTF-8."""
    assert torch.equal(model.embed(["a \udcff cat"]), model.embed(["a ? cat"]))
    assert model.tokens("\udcff cat") == model.tokens("? cat")


def test_a_model_of_huge_images_is_refused(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipelines, "MOST_SIDE", 15)
    with pytest.raises(InputError, match="its images have 16 x 16 pixels, and at most 15 a side"):
        pipelines.load(str(made), "cpu")


def test_samples_that_are_no_numbers_are_not_written(
    model: pipelines.LatentDiffusion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = torch.full((1, 3, 16, 16), torch.nan)
    monkeypatch.setattr(sampling, "sample", lambda *_, **__: nothing)
    with pytest.raises(InputError, match="what it draws are no finite numbers"):
        gallery.draw(model, str(tmp_path / "drawn"), gallery.Drawing(["a cat"], 1, steps=1))
    assert not list((tmp_path / "drawn").iterdir())


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
@pytest.mark.parametrize("part", ["unet/config.json", "unet/diffusion_pytorch_model.safetensors"])
def test_a_pipe_is_refused_and_not_waited_for(folder: Path, part: str) -> None:
    (folder / part).unlink()
    os.mkfifo(folder / part)
    with pytest.raises(InputError, match=f"{part}: not a regular file"):
        pipelines.load(str(folder), "cpu")


def test_a_directory_that_cannot_be_listed_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(path: str) -> list[str]:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "listdir", denied)
    for ask in (gallery.require_new, layout.require_new):
        with pytest.raises(InputError, match="cannot be read: Permission denied"):
            ask(str(tmp_path))
