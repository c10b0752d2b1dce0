from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from memscan.fingerprints import fingerprint
from tests.cli.running import MEMSCAN, ROOT, run
from tests.drawing import picture, save

TRAIN = [*MEMSCAN, "train", "dif"]
FOLDERS = ["--real", "real", "--generated", "fake"]
TINY = {
    "crop": 32,
    "depth": 1,
    "base": 2,
    "channels": 2,
    "batch": 8,
    "epochs": 2,
    "denoising": {"layers": 2, "width": 2, "window": 16, "batch": 2, "steps": 2, "epochs": 2},
}


def marked(seed: int) -> Image.Image:
    """A picture with a faint checkerboard, which is the fingerprint of its generator."""
    pixels = np.asarray(picture(seed, (40, 48))).astype(np.int16)
    board = np.indices(pixels.shape[:2]).sum(0) % 2 * 2 - 1
    return Image.fromarray(np.clip(pixels + 2 * board[..., None], 0, 255).astype(np.uint8))


@pytest.fixture(autouse=True)
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for seed in range(10):
        save(picture(seed, (40, 48)), tmp_path / f"real/{seed}.png")
        save(marked(100 + seed), tmp_path / f"fake/{seed}.png")
    Path("tiny.json").write_text(json.dumps(TINY))


def test_the_command_offers_what_there_is() -> None:
    """It spells out what it would have to import numpy for."""
    from memscan.cli import train_dif
    from memscan.detectors.dif import making
    from memscan.fingerprints import residuals

    assert train_dif.SUFFIX == fingerprint.SUFFIX
    assert train_dif.RESIDUALS == residuals.NAMES
    assert train_dif.METHODS == making.METHODS
    assert train_dif.RESIDUALS[0] == making.DEFAULT_RESIDUAL


def needs_torch() -> None:
    pytest.importorskip("torch", reason="torch is not installed (the learned extra has it)")


def test_the_mean_needs_no_torch_and_tells_what_it_is_worth(tmp_path: Path) -> None:
    blocked = tmp_path / "blocked"
    blocked.mkdir()
    (blocked / "sitecustomize.py").write_text("import sys; sys.modules['torch'] = None\n")
    env = {"PYTHONPATH": os.pathsep.join((str(blocked), str(ROOT)))}
    arguments = [*FOLDERS, "--config", "tiny.json", "--method", "mean", "--name", "Board"]
    done = run(TRAIN, *arguments, "--output", "m.dif.npz", env=env)
    assert (done.returncode, done.stderr) == (0, "")
    first, second, third, fourth = done.stdout.splitlines()
    assert first == "Wrote m.dif.npz, from 8 real and 8 generated images."
    assert second.startswith("Mean correlation of the real ones ")
    assert third.startswith(
        "Of images held out, 100.0% are told right (95 % interval 39.8% to 100.0%): 2 of 2 real, "
        "2 of 2 generated; the classes lie "
    )
    assert fourth == "That may be chance: the interval does not lie above 50 %."
    found = fingerprint.read("m.dif.npz")
    assert (found.name, found.made, found.residual) == ("Board", "mean", "laplacian")
    assert (found.side, found.training["images"]) == (32, {"real": 8, "generated": 8})
    for more in ([], ["--method", "mean", "--residual", "denoiser"]):
        refused = run(TRAIN, *FOLDERS, *more, "--output", "n.dif.npz", env=env)
        assert refused.returncode == 2
        assert "needs torch, which is not installed: pip install 'memscan[learned]'" in (
            refused.stderr
        )


@pytest.mark.parametrize("residual", ["laplacian", "denoiser"])
def test_a_fingerprint_is_learned_and_its_curves_are_drawn(residual: str) -> None:
    needs_torch()
    pytest.importorskip("matplotlib", reason="matplotlib is not installed (see the report extra)")
    arguments = [*FOLDERS, "--config", "tiny.json", "--residual", residual, "--device", "cpu"]
    done = run(TRAIN, *arguments, "--output", "m.dif.npz", "--plot", "curves.svg")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Wrote m.dif.npz, from 8 real and 8 generated images.\n")
    found = fingerprint.read("m.dif.npz")
    assert (found.name, found.made, found.residual) == ("m", "dif", residual)
    assert bool(found.weights) == (residual == "denoiser")
    assert found.training["epochs"] == 2
    assert b"Validation" in Path("curves.svg").read_bytes()
    assert sorted(os.listdir()) == ["curves.svg", "fake", "m.dif.npz", "real", "tiny.json"]


def test_enough_images_held_out_are_no_chance() -> None:
    Path("half.json").write_text(json.dumps({**TINY, "held_out": 0.5}))
    done = run(
        TRAIN, *FOLDERS, "--config", "half.json", "--method", "mean", "--output", "m.dif.npz"
    )
    assert "5 of 5 real, 5 of 5 generated" in done.stdout
    assert "chance" not in done.stdout


def test_formats_and_images_that_cannot_be_used_are_warned_of() -> None:
    for seed in range(10):
        os.rename(f"real/{seed}.png", f"real/{seed}.jpg")
        picture(seed, (40, 48)).save(f"real/{seed}.jpg")
    Path("fake/broken.png").write_bytes(b"broken")
    picture(1, (31, 90)).save("fake/small.png")
    arguments = [*FOLDERS, "--config", "tiny.json", "--method", "mean"]
    done = run(TRAIN, *arguments, "--output", "m.dif.npz")
    assert done.returncode == 0
    assert sorted(done.stderr.splitlines()) == [
        "Warning: fake/broken.png: left out: not an image in a format that memscan opens",
        "Warning: fake/small.png: left out: 31 x 90 pixels are less than the crop of 32 x 32",
        "Warning: the real images are JPEG (10) and the generated ones PNG (10): what a format does"
        " to images may be learned instead of what the generator leaves; give both in one format, "
        "and with one history of compression",
    ]


def test_folders_are_searched_as_elsewhere() -> None:
    os.makedirs("fake/deeper")
    os.rename("fake/0.png", "fake/deeper/0.png")
    common = ["--config", "tiny.json", "--method", "mean", "--output", "m.dif.npz"]
    run(TRAIN, *FOLDERS, *common, "--exclude", "9.png")
    assert fingerprint.read("m.dif.npz").training["held_out"]["generated"]["of"] == 2
    assert fingerprint.read("m.dif.npz").training["images"]["generated"] == 6
    run(TRAIN, *FOLDERS, *common, "--recursive")
    assert fingerprint.read("m.dif.npz").training["images"]["generated"] == 8


def test_the_whole_configuration_is_printed() -> None:
    done = run(TRAIN, "--print-config", "--config", "tiny.json")
    assert (done.returncode, done.stderr) == (0, "")
    printed = json.loads(done.stdout)
    assert (printed["crop"], printed["margin"], printed["learning_rate"]) == (32, 0.01, 5e-4)
    Path("again.json").write_text(done.stdout)
    assert run(TRAIN, "--print-config", "--config", "again.json").stdout == done.stdout


OUTPUT = ["--output", "m.dif.npz"]
MEAN = ["--method", "mean", *OUTPUT]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (OUTPUT, "name the images: --real and --generated"),
        (["--real", "real", *OUTPUT], "name the images: --real and --generated"),
        (FOLDERS, "name the --output to write"),
        ([*FOLDERS, "--output", "m.npz"], "m.npz: the name of a fingerprint must end in .dif.npz"),
        ([*FOLDERS, "--output", "no/m.dif.npz"], "no/m.dif.npz: cannot be written"),
        (["--real", "no", "--generated", "fake", *MEAN], "no: "),
        (["--real", "real", "--generated", "real", *MEAN], "among the real images as well as"),
        (
            ["--real", "one", "--generated", "fake", *MEAN],
            "of the real images 0 can be used, and at least 4 are needed (first one/0.png: "
            "40 x 48 pixels are less than the crop of 256 x 256)",
        ),
        (
            ["--real", "real", "--generated", "one", "--config", "tiny.json", *MEAN],
            "of the generated images 1 can be used, and at least 4 are needed",
        ),
        ([*FOLDERS, *MEAN, "--plot", "c.svg"], "--method mean is no training that --plot"),
        ([*FOLDERS, *OUTPUT, "--plot", "c.gif"], "c.gif: the name of an output must end"),
        (["--config", "wrong.json", "--print-config"], "wrong.json: 'sides' is unknown"),
        (["--config", "odd.json", "--print-config"], "odd.json: crop must be a multiple of 8"),
        (["--config", "deep.json", "--print-config"], "deep.json: crop must be a multiple of 16"),
        (["--config", "deepest.json", "--print-config"], "multiple of 32 for this depth, and more"),
        (["--config", "batch.json", "--print-config"], "batch.json: batch must be a multiple"),
        (["--config", "window.json", "--print-config"], "window.json: denoising.window must not"),
        (["--config", "missing.json", "--print-config"], "missing.json: cannot be read"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(arguments: list[str], sentence: str) -> None:
    os.mkdir("one")
    save(picture(50, (40, 48)), Path("one/0.png"))
    for name, text in {
        "wrong": '{"sides": 32}',
        "odd": '{"crop": 44}',
        "deep": '{"crop": 24}',
        "deepest": '{"crop": 32, "depth": 5}',
        "batch": '{"batch": 6}',
        "window": '{"crop": 32}',
    }.items():
        Path(f"{name}.json").write_text(text)
    done = run(TRAIN, *arguments)
    assert done.returncode in (2, 70)
    assert done.stdout == ""
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("Error:") == 1


def test_nothing_of_the_user_is_replaced() -> None:
    os.rename("real/0.png", "real/0.dif.npz.png")
    os.link("real/0.dif.npz.png", "kept.png")
    Path("m.dif.npz").symlink_to("tiny.json")
    done = run(TRAIN, *FOLDERS, "--config", "tiny.json", *MEAN)
    assert done.returncode == 2
    assert "m.dif.npz: the command reads this file and would write over it" in done.stderr
    assert json.loads(Path("tiny.json").read_text()) == TINY
