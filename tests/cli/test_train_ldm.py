from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from PIL import Image

from tests.detectors.diffusion.models import needs_transformers
from tests.detectors.small import pictures_in

needs_transformers()

pytest.importorskip("matplotlib", reason="matplotlib is not installed (extra report)")

from memscan.cli import memscan  # noqa: E402
from memscan.cli.process import run_command  # noqa: E402

SMALL = {
    "autoencoder": {
        "side": 16, "window": 16, "levels": 2, "width": 8, "batch": 2, "steps": 1, "epochs": 1,
    },
    "width": 8, "levels": 2, "heads": 2, "text_width": 16, "text_layers": 1, "tokens": 6,
    "batch": 4, "steps": 1, "epochs": 1, "checks": 4,
}  # fmt: skip


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the command says on stderr."""
    lines: list[str] = []
    monkeypatch.setattr("memscan.cli.process._say", lines.append)
    return lines


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with images, a list of them and a configuration, in which commands run."""
    monkeypatch.chdir(tmp_path)
    pictures_in(tmp_path / "images", 4)
    (tmp_path / "c.json").write_text(json.dumps(SMALL), encoding="utf-8")
    rows = [f"0{row}.png,a cat,{row + 1}" for row in range(4)]
    (tmp_path / "images/list.csv").write_text("\n".join(["path,caption,copies", *rows]))
    return tmp_path


def test_from_images_to_samples(
    folder: Path, said: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    (folder / "images/broken.png").write_bytes(b"broken")
    words = (
        "train ldm --images images --captions name --copies 2-5 --output one --config c.json "
        "--plot p.svg"
    )
    assert run_command(memscan, words.split()) == 0
    assert said == ["Warning: images/broken.png: left out: not an image in a format that memscan "
                    "opens"]  # fmt: skip
    told = capfd.readouterr().out.splitlines()
    assert told[0] == "Wrote one, a latent diffusion model of 4 images with 4 captions."
    assert told[1].startswith("4 images come in copies, ")
    assert b"<svg" in (folder / "p.svg").read_bytes()

    words = (
        "train ldm --list images/list.csv --autoencoder one/vae --output two --config c.json "
        "--plot q.png"
    )
    assert run_command(memscan, words.split()) == 0
    told = capfd.readouterr().out.splitlines()
    assert told[:2] == [
        "Wrote two, a latent diffusion model of 4 images with 1 captions.",
        "3 images come in copies, 10 images in all.",
    ]
    assert re.fullmatch(r"1 epochs in \d+ s; the loss is \d\.\d{3} over the images, .*", told[2])
    assert re.fullmatch(r"Over those .* is \d\.\d{3}, over the others \d\.\d{3}: .*", told[3])
    assert (folder / "q.png").read_bytes().startswith(b"\x89PNG")

    (folder / "prompts.txt").write_text("a cat\n\na dog\n", encoding="utf-8")
    words = "sample --model two --prompts prompts.txt --number 2 --steps 2 --output drawn"
    assert run_command(memscan, words.split()) == 0
    assert capfd.readouterr().out == "Wrote 4 images of 2 prompts to drawn\n"
    with Image.open(folder / "drawn/000004.png") as image:
        assert (image.size, image.mode) == ((16, 16), "RGB")

    (folder / "drawn/000004.png").unlink()
    (folder / "drawn/000003.png").unlink()
    smaller = [*words.split(), "--batch", "2"]
    assert run_command(memscan, smaller) == 2
    assert said[-1].startswith("Error: drawn: not empty, and what is in it was not drawn by")
    assert run_command(memscan, words.split()) == 0
    assert capfd.readouterr().out == "Wrote 4 images of 2 prompts to drawn\n"
    assert run_command(memscan, words.split()) == 0
    kept = "Wrote 0 images of 2 prompts to drawn, beside 4 that were there\n"
    assert capfd.readouterr().out == kept
    assert run_command(memscan, [*words.split()[:-1], "more", "--prompt", "x"]) == 2
    assert said[-1] == "Error: give either --prompt or --prompts"
    words = "sample --model two --number 1 --steps 2 --output unsaid"
    assert run_command(memscan, words.split()) == 0
    assert capfd.readouterr().out == "Wrote 1 images of 1 prompt to unsaid\n"
    assert len(said) == 5  # with two lines of usage of the second


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("--output out", "give either --images or --list"),
        ("--images images --list images/list.csv --output out", "give either --images or --list"),
        ("--list images/list.csv --captions name --output out", "--captions, --recursive"),
        ("--images images --base-dir . --output out", "--base-dir belongs to --list"),
        ("--images images", "name the --output to write"),
        ("--images images --output images", "images: not empty; a model goes into a directory"),
        ("--images images --output c.json", "c.json: not a directory"),
        ("--images images --output out --copies 0-2", "0-2: copies must be from 1 up"),
        ("--images images --output out --config images/list.csv", "list.csv: is no JSON"),
        ("--images images --output out --autoencoder images", "no autoencoder of diffusers"),
        ("--list images/list.csv --output out --plot images/00.png", "reads this file"),
        ("--images images --captions text --output out", "00.txt: cannot be read"),
    ],
)
def test_what_cannot_be_trained_is_one_sentence(
    folder: Path, said: list[str], words: str, sentence: str
) -> None:
    assert run_command(memscan, ["train", "ldm", *words.split()]) == 2
    assert sentence in said[-1]
    assert not (folder / "out").exists() or not list((folder / "out").iterdir())


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("--model images --number 1 --output out", "no model of diffusers: there is no model_ind"),
        ("--model nowhere --number 1 --output out", "no directory of a model; nothing is fetched"),
        ("--model images --number 1 --output images", "not empty; images go into a directory"),
        ("--model images --number 1 --output out --prompts empty", "there is no prompt in it"),
        ("--model images --number 1 --output out --prompts images", "images: cannot be read"),
    ],
)
def test_what_cannot_be_drawn_is_one_sentence(
    folder: Path, said: list[str], words: str, sentence: str
) -> None:
    (folder / "empty").write_text("\n \n")
    assert run_command(memscan, ["sample", *words.split()]) == 2
    assert sentence in said[-1]
    assert not (folder / "out").exists()


def test_a_configuration_that_was_printed_is_read(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = "train ldm --print-config --config c.json"
    assert run_command(memscan, words.split()) == 0
    printed = capfd.readouterr().out
    assert json.loads(printed)["autoencoder"]["side"] == 16
    (folder / "again.json").write_text(printed, encoding="utf-8")
    assert run_command(memscan, [*words.split()[:-1], "again.json"]) == 0
    assert capfd.readouterr().out == printed
