from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.cli.running import MEMSCAN, ROOT, run
from tests.detectors.small import SCHEDULE, autoencoder_in, list_of, needs_diffusers, pictures_in
from tests.drawing import needs_posix

needs_diffusers()

pytest.importorskip("matplotlib", reason="matplotlib is not installed (extra report)")

from memscan.cli import memscan  # noqa: E402
from memscan.cli.process import run_command  # noqa: E402

SMALL_AUTOENCODER = {"side": 64, "window": 32, "levels": 2, "batch": 2, "steps": 1, "epochs": 1}


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the command says on stderr."""
    lines: list[str] = []
    monkeypatch.setattr("memscan.cli.process._say", lines.append)
    return lines


def test_from_images_to_a_detector(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    said: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    pictures_in(tmp_path / "images", 8)
    (tmp_path / "images/broken.png").write_bytes(b"broken")
    list_of(tmp_path / "list.csv", ["train"] * 4 + ["val"] * 3 + ["test"])
    for name, document in (
        ("a.json", SMALL_AUTOENCODER),
        ("first.json", {"dimensions": 8, "schedule": SCHEDULE}),
        ("second.json", {"augmentation": {"rotation": 10}, "schedule": SCHEDULE}),
    ):
        (tmp_path / name).write_text(json.dumps(document), encoding="utf-8")

    words = "train autoencoder --images images --output ae --config a.json --plot learned.svg"
    assert run_command(memscan, words.split()) == 0
    assert said == ["Warning: images/broken.png: not an image in a format that memscan opens"]
    assert b"<svg" in (tmp_path / "learned.svg").read_bytes()
    assert capfd.readouterr().out.startswith("ae: 1 epochs; unseen images come back with")

    words = "train autoencoder --list list.csv --base-dir images --output of-list --config a.json"
    assert run_command(memscan, words.split()) == 0
    assert len(said) == 1
    assert capfd.readouterr().out != ""

    words = "latents --images images --autoencoder ae --output fewer --views 1 --exclude 0[0-5]*"
    assert run_command(memscan, words.split()) == 0
    assert "2 images in 1 views" in capfd.readouterr().out

    words = "latents --images images --autoencoder ae --output latents --views 2 --max-failures 0"
    assert run_command(memscan, words.split()) == 3
    assert "8 images in 2 views of 4 x 32 x 32 in latents\n" in capfd.readouterr().out
    assert said[-1] == "Error: 1 images cannot be read, 0 are allowed"

    train = "train lcmem --list list.csv --base-dir images"
    words = f"{train} --stage latent --latents latents --output one.safetensors --config first.json"
    assert run_command(memscan, words.split()) == 0
    assert "trained on 4 images, 3 validated" in capfd.readouterr().out

    weights = Path("ae/diffusion_pytorch_model.safetensors")
    weights.rename(weights.with_suffix(".fp16.safetensors"))
    words = f"{train} --stage image --init one.safetensors --autoencoder ae --output "
    for name in ("diffusion_pytorch_model.fp16.safetensors", "config.safetensors"):
        assert run_command(memscan, [*words.split(), f"ae/{name}"]) == 2
        assert "the command reads this file and would write over it" in said[-1]
    weights.with_suffix(".fp16.safetensors").rename(weights)
    words = (
        f"{train} --stage image --init one.safetensors --autoencoder ae --output two.safetensors "
        "--config second.json --plot curves.svg"
    )
    assert run_command(memscan, words.split()) == 0
    assert "validation: loss" in capfd.readouterr().out
    assert b"<svg" in (tmp_path / "curves.svg").read_bytes()
    from memscan.detectors import cards

    assert cards.read("two.safetensors").training["recipe"]["augmentation"]["rotation"] == 10


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["train", "lcmem", "--stage", "latent", "--images", "images", "--output", "m.safetensors"],
         "the stage latent takes --latents"),
        (["train", "lcmem", "--stage", "image", "--images", "images", "--output", "m.safetensors"],
         "the stage image takes --init"),
        (["train", "lcmem", "--stage", "latent", "--latents", "x", "--output", "m.safetensors"],
         "give either --images or --list"),
        (["train", "lcmem", "--stage", "latent", "--latents", "x", "--images", "images",
          "--output", "m.bin"], "must end in one of .safetensors"),
        (["train", "lcmem", "--stage", "latent", "--latents", "none", "--images", "images",
          "--output", "m.safetensors"], "none: no latents"),
        (["train", "lcmem", "--stage", "image", "--init", "none.safetensors", "--images", "images",
          "--output", "m.safetensors"], "none.json: there is no such card"),
        (["train", "lcmem", "--stage", "latent", "--latents", "x", "--list", "bad.csv",
          "--output", "m.safetensors"], "bad.csv: line 2: the split 'dev' is none of"),
        (["train", "lcmem", "--stage", "latent", "--latents", "x", "--images", "images",
          "--config", "bad.json", "--output", "m.safetensors"], "bad.json: 'speed' is unknown"),
        (["train", "autoencoder", "--images", "images", "--config", "bad.json", "--output", "ae"],
         "bad.json: 'speed' is unknown"),
        (["latents", "--images", "images", "--autoencoder", "images", "--output", "l"],
         "images: no autoencoder of diffusers"),
        (["latents", "--images", "images", "--base-dir", "x", "--autoencoder", "ae",
          "--output", "l"], "--base-dir belongs to --list"),
        (["latents", "--list", "bad.csv", "--follow-symlinks", "--autoencoder", "ae",
          "--output", "l"], "--follow-symlinks belong to --images"),
        (["train", "lcmem", "--stage", "image", "--init", "one.safetensors", "--images", "images",
          "--output", "one.safetensors"], "one.safetensors: the command reads this file"),
        (["train", "lcmem", "--stage", "image", "--init", "one.safetensors", "--images", "images",
          "--output", "one.SAFETENSORS"], "one.json: the command reads this file"),
        (["train", "lcmem", "--stage", "latent", "--latents", "x", "--images", "images",
          "--config", "good.json", "--output", "good.safetensors"], "good.json: the command"),
        (["train", "lcmem", "--stage", "latent", "--latents", "x", "--images", "images",
          "--output", "x/encoder.safetensors"], "x/encoder.safetensors: the command reads"),
        (["train", "lcmem", "--stage", "latent", "--latents", "x", "--images", "images",
          "--output", "x/latents.safetensors"], "x/latents.json: the card of"),
        (["train", "autoencoder", "--images", "images", "--config", "x/config.json",
          "--output", "x"], "config.json: the command reads this file"),
        (["train", "autoencoder", "--images", "images"], "name the --output to write"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_one_sentence(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    said: list[str],
    arguments: list[str],
    sentence: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    pictures_in(tmp_path / "images", 1)
    (tmp_path / "bad.csv").write_text("path,id,split\na,1,dev\n", encoding="utf-8")
    (tmp_path / "bad.json").write_text('{"speed": 9}', encoding="utf-8")
    (tmp_path / "x").mkdir()
    for name in ("good.json", "x/config.json", "x/latents.json"):
        (tmp_path / name).write_text("{}", encoding="utf-8")
    (tmp_path / "one.safetensors").write_bytes(b"weights")
    assert run_command(memscan, arguments) == 2
    assert sentence in said[-1]
    assert [line.startswith("Error: ") for line in said].count(True) == 1
    assert not (tmp_path / "m.safetensors").exists()


@needs_posix
def test_a_directory_that_cannot_be_made_is_an_unwritable_output(
    tmp_path: Path, said: list[str]
) -> None:
    folder = autoencoder_in(tmp_path / "ae")
    pictures_in(tmp_path / "images", 1)
    (tmp_path / "file").write_text("", encoding="utf-8")
    output = str(tmp_path / "file/latents")
    words = ["latents", "--images", str(tmp_path / "images"), "--autoencoder", folder]
    assert run_command(memscan, [*words, "--output", output]) == 70
    assert said == [f"Error: {output}: cannot be made: Not a directory"]


def test_a_printed_configuration_can_be_read_again(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for network in ("lcmem --stage latent", "lcmem --stage image", "autoencoder"):
        words = ["train", *network.split(), "--print-config"]
        assert run_command(memscan, words) == 0
        printed = capfd.readouterr().out
        (tmp_path / "config.json").write_text(printed, encoding="utf-8")
        assert run_command(memscan, [*words, "--config", str(tmp_path / "config.json")]) == 0
        assert capfd.readouterr().out == printed
        if network != "autoencoder":
            assert json.loads(printed)["objective"] == {"entropy": 0.8, "temperature": 0.07}


@pytest.mark.parametrize("network", ["lcmem --stage latent --latents x", "autoencoder"])
def test_without_diffusers_configurations_are_printed_and_the_extra_is_named(
    tmp_path: Path, network: str
) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['diffusers'] = None\n")
    env = {"PYTHONPATH": os.pathsep.join((str(tmp_path), str(ROOT)))}
    words = ["train", *network.split(), "--images", "x"]
    printed = run(MEMSCAN, *words, "--print-config", env=env)
    assert (printed.returncode, printed.stderr) == (0, "")
    done = run(MEMSCAN, *words, "--output", str(tmp_path / "m.safetensors"), env=env)
    assert done.returncode == 2
    assert "memscan[diffusion]" in done.stderr


def test_the_help_loads_no_torch() -> None:
    code = "import sys; import memscan.cli; print('torch' in sys.modules, 'numpy' in sys.modules)"
    assert run([MEMSCAN[0], "-c", code]).stdout == "False False\n"
