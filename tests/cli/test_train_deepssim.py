from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.cli.running import MEMSCAN, run
from tests.drawing import picture, save

TRAIN = [*MEMSCAN, "train", "deepssim"]
TINY = {"side": 32, "hidden": 8, "dimensions": 8, "tiles": 2, "steps": 2, "batch": 16, "epochs": 5}


@pytest.fixture(autouse=True)
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for seed in range(6):
        save(picture(seed), tmp_path / f"photographs/{seed}.png")
    Path("photographs/broken.png").write_bytes(b"broken")
    Path("tiny.json").write_text(json.dumps({**TINY, "validation_pairs": 16}))


def needs_torch() -> None:
    pytest.importorskip("torch", reason="torch is not installed (the learned extra has it)")
    pytest.importorskip("matplotlib", reason="matplotlib is not installed (see the report extra)")


def test_weights_card_and_curves_are_written() -> None:
    needs_torch()
    arguments = ["--images", "photographs", "--config", "tiny.json", "--device", "cpu"]
    done = run(
        TRAIN, *arguments, "--output", "m.safetensors", "--plot", "curves.svg", "--epochs", "2"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Wrote m.safetensors and its card, from 4 images.\n2 epochs in ")
    assert "On pairs of 2 other images" in done.stdout
    assert "photographs/broken.png: left out: not an image" in done.stderr
    card = json.loads(Path("m.json").read_text())
    assert (card["kind"], card["training"]["epochs"]) == ("deepssim", 2)
    assert b"Validation" in Path("curves.svg").read_bytes()
    assert sorted(set(os.listdir()) - {"photographs", "tiny.json"}) == [
        "curves.svg",
        "m.json",
        "m.safetensors",
    ]


@pytest.mark.parametrize(("splits", "told"), [("val", (3, 2)), ("test", (2, 2))])
def test_a_list_says_what_is_learned_from(splits: str, told: tuple[int, int]) -> None:
    """With val, 3 of train and 2 of val; without, a share of the 4 of train."""
    needs_torch()
    learned = 3 if splits == "val" else 4
    rows = [f"{row}.png,{'train' if row < learned else splits}" for row in range(5)]
    Path("list.csv").write_text("\n".join(["path,split", *rows, "5.png,test"]))
    arguments = ["--list", "list.csv", "--base-dir", "photographs", "--config", "tiny.json"]
    done = run(TRAIN, *arguments, "--output", "m.safetensors", "--epochs", "1", "--device", "cpu")
    assert (done.returncode, done.stderr) == (0, "")
    training = json.loads(Path("m.json").read_text())["training"]
    assert (training["images"], training["validation_images"]) == told


def test_the_whole_configuration_is_printed() -> None:
    done = run(TRAIN, "--print-config", "--config", "tiny.json", "--seed", "7")
    assert (done.returncode, done.stderr) == (0, "")
    printed = json.loads(done.stdout)
    assert (printed["side"], printed["seed"], printed["alterations"]["noise"]) == (32, 7, 0.3)
    Path("again.json").write_text(done.stdout)
    assert run(TRAIN, "--print-config", "--config", "again.json").stdout == done.stdout


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help(flag: str) -> None:
    done = run(TRAIN, flag)
    assert done.stdout.startswith("Usage: ")
    assert "--images" in done.stdout
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "name the --output to write"),
        (["--output", "m.safetensors"], "give either --images or --list"),
        (
            ["--images", "photographs", "--base-dir", "x", "--output", "m.safetensors"],
            "--base-dir belongs to --list",
        ),
        (
            ["--list", "list.csv", "--exclude", "*", "--output", "m.safetensors"],
            "--recursive, --exclude and --follow-symlinks belong to --images",
        ),
        (["--images", "no", "--output", "m.safetensors"], "no: "),
        (["--images", "photographs", "--output", "m.pt"], "m.pt: the name of an output must end"),
        (
            ["--images", "photographs", "--output", "m.safetensors", "--plot", "c.gif"],
            "c.gif: the name of an output must end in one of .png",
        ),
        (["--config", "wrong.json", "--print-config"], "wrong.json: 'sides' is unknown"),
        (["--config", "crossed.json", "--print-config"], "crossed.json: zoom_least must not be"),
        (["--minutes", "1e-9", "--print-config"], "minutes must be a number from 0.001"),
        (["--config", "missing.json", "--print-config"], "missing.json: cannot be read"),
        (
            ["--images", "photographs", "--output", "m.safetensors", "--device", "abacus"],
            "abacus: no such device",
        ),
    ],
)
def test_what_cannot_be_done_is_one_sentence(arguments: list[str], sentence: str) -> None:
    needs_torch()
    Path("wrong.json").write_text('{"sides": 32}')
    crossed = {"augmentations": {"zoom_least": 2, "zoom_most": 0.5}}
    Path("crossed.json").write_text(json.dumps(crossed))
    done = run(TRAIN, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("Error:") == 1


@pytest.mark.parametrize(
    ("output", "more", "told"),
    [
        ("tiny.safetensors", [], "tiny.json: the command reads this file"),
        ("linked.safetensors", [], "linked.json: the command reads this file"),
        ("begun.safetensors", ["--config", "begins.json"], "begun.safetensors: the command reads"),
        ("foreign.safetensors", [], "foreign.json: the card of foreign.safetensors would replace"),
        ("list.safetensors", ["--list"], "list.json: the command reads this file"),
        ("m.safetensors", ["--plot", "photographs/photo.svg"], "photo.svg: the command reads"),
    ],
)
def test_nothing_of_the_user_is_replaced(output: str, more: list[str], told: str) -> None:
    needs_torch()
    Path("linked.json").symlink_to("tiny.json")
    Path("begun.safetensors").write_bytes(b"weights")
    Path("begins.json").write_text('{"init": "begun.safetensors"}')
    Path("foreign.json").write_text('{"mine": 1}')
    Path("list.json").write_text("path\nphotographs/0.png\n")
    Path("photographs/photo.svg").write_bytes(b"a photograph")
    images = ["--list", "list.json"] if more == ["--list"] else ["--images", "photographs"]
    if more == ["--plot", "photographs/photo.svg"]:
        Path("list.csv").write_text("path\nphotographs/photo.svg\n")
        images = ["--list", "list.csv"]
    before = {path: path.read_bytes() for path in Path().rglob("*.*")}
    options = [] if more == ["--list"] else more
    done = run(TRAIN, *images, "--config", "tiny.json", *options, "--output", output)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr
    assert done.stderr.count("Error:") == 1
    assert {path: path.read_bytes() for path in Path().rglob("*.*")} == before


def test_a_card_is_replaced_and_an_odd_name_is_made_printable() -> None:
    needs_torch()
    arguments = ["--images", "photographs", "--config", "tiny.json", "--epochs", "1"]
    for _ in range(2):
        done = run(TRAIN, *arguments, "--output", "x\ny.safetensors", "--device", "cpu")
        assert done.returncode == 0, done.stderr
    from memscan.detectors import cards

    assert cards.read("x\ny.safetensors").name == "x_y"


def test_without_torch_the_extra_is_named(tmp_path: Path) -> None:
    blocked = tmp_path / "blocked"
    blocked.mkdir()
    (blocked / "sitecustomize.py").write_text("import sys; sys.modules['torch'] = None\n")
    from tests.cli.running import ROOT

    env = {"PYTHONPATH": os.pathsep.join((str(blocked), str(ROOT)))}
    done = run(TRAIN, "--images", "photographs", "--output", "m.safetensors", env=env)
    assert done.returncode == 2
    assert "needs torch, which is not installed: pip install 'memscan[learned]'" in done.stderr
