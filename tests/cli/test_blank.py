from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from memscan.fingerprints import fingerprint
from memscan.fingerprints.fingerprint import Fingerprint
from tests.cli.running import MEMSCAN, run
from tests.lineage.generated import SIDE, pattern, write_fingerprint

BLANK = [*MEMSCAN, "blank"]


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_short_training_is_drawn_and_measured(work: Path) -> None:
    pytest.importorskip("torch", reason="torch is not installed (extra learned)")
    done = run(BLANK, "--output", "blank", "--steps", "2", "--side", "32", "--seed", "1")
    assert (done.stderr, done.returncode) == ("", 0)
    ratios = re.fullmatch(
        r"image\.png: 2 steps, mean squared error \S+\n"
        r"pattern\.png: what is left beside the mean, stretched\n"
        r"fourier\.png: its Fourier transform, slow changes in the middle\n"
        r"  grid of 2 pixels: ([0-9.]+) times what is around it\n"
        r"  grid of 4 pixels: ([0-9.]+) times what is around it\n"
        r"  grid of 8 pixels: ([0-9.]+) times what is around it\n"
        r"  grid of 16 pixels: ([0-9.]+) times what is around it\n"
        r"Noise has about 1; more is a grid\.\n",
        done.stdout,
    )
    assert ratios is not None
    for name in ("image", "pattern", "fourier"):
        with Image.open(work / f"blank/{name}.png") as image:
            assert (image.format, image.size) == ("PNG", (512, 512))


def test_fingerprints_are_drawn_and_nothing_is_trained(work: Path) -> None:
    grid = pattern(1)
    grid[::2, ::2] += 10
    write_fingerprint(work / "prints", "grid", grid)
    write_fingerprint(work / "prints", "noise", pattern(2))
    done = run(BLANK, "--output", "out", "--fingerprints", "prints")
    assert (done.stderr, done.returncode) == ("", 0)
    lines = done.stdout.splitlines()
    assert lines[0] == "grid (prints/grid.dif.npz)"
    assert lines[1] == "grid-pattern.png: what is left beside the mean, stretched"
    ratios = [float(line.split()[4]) for line in lines if line.startswith("  grid of 2 ")]
    assert ratios[0] > 4 > 2 > ratios[1]
    names = sorted(path.name for path in (work / "out").iterdir())
    assert names == [
        f"{name}-{what}.png" for name in ("grid", "noise") for what in ("fourier", "pattern")
    ]


def test_a_grid_with_nothing_around_it_is_said_in_words(work: Path) -> None:
    grid = np.zeros((SIDE, SIDE, 3), np.float32)
    grid[::4, ::4] = 0.5
    one = Fingerprint("grid", grid, "laplacian", 0.0, 0.01, "dif")
    fingerprint.write(str(work / "grid.dif.npz"), one)
    done = run(BLANK, "--output", "out", "--fingerprints", "grid.dif.npz")
    assert (done.stderr, done.returncode) == ("", 0)
    assert done.stdout.splitlines()[3:] == [
        "  grid of 2 pixels: more than 10,000 times what is around it",
        "  grid of 4 pixels: more than 10,000 times what is around it",
        "  grid of 8 pixels: 0.0 times what is around it",
        "  grid of 16 pixels: 0.0 times what is around it",
        "Noise has about 1; more is a grid.",
    ]


def test_names_inside_fingerprints_stay_inside_the_directory(work: Path) -> None:
    drawn = np.random.default_rng(1).normal(0, 0.1, (SIDE, SIDE, 3)).astype(np.float32)
    for number, name in enumerate(
        ("../../up", "/etc/x", "..", "a/b", "a\\b", "x" * 255, "\x1b[31m")
    ):
        one = Fingerprint(name, drawn, "laplacian", 0.0, 0.01, "dif")
        fingerprint.write(str(work / f"{number}.dif.npz"), one)
    done = run(BLANK, "--output", "deep/out", "--fingerprints", ".")
    assert (done.stderr, done.returncode) == ("", 0)
    assert all(line.isprintable() for line in done.stdout.splitlines())
    names = sorted(path.name for path in (work / "deep/out").iterdir())
    assert len(names) == 14
    assert {"a_b-pattern.png", "a_b-2-pattern.png", "fingerprint-pattern.png"} <= set(names)
    assert sorted(path.name for path in work.iterdir()) == [
        *(f"{number}.dif.npz" for number in range(7)),
        "deep",
    ]


def test_bad_input_is_refused_before_any_work(work: Path) -> None:
    (work / "full").mkdir()
    (work / "full/precious.txt").write_text("kept")
    (work / "file").write_text("kept")
    write_fingerprint(work / "prints", "noise", pattern(2))
    for arguments, sentence in (
        (("--output", "full"), "full: not empty; the pictures go into a directory of their own"),
        (("--output", "file"), "file: not a directory"),
        (("--output", "new", "--fingerprints", "nowhere"), "nowhere: there is no such file"),
        (("--output", "new", "--fingerprints", "file"), "file: a fingerprint is called *.dif.npz"),
        (
            ("--output", "new", "--fingerprints", "prints", "--steps", "5"),
            "--steps is of the training, and --fingerprints needs none",
        ),
    ):
        done = run(BLANK, *arguments)
        assert (done.stdout, done.returncode) == ("", 2)
        assert f"Error: {sentence}" in done.stderr
    assert not (work / "new").exists()


def test_a_side_that_cannot_be_halved_is_refused_before_any_work(work: Path) -> None:
    pytest.importorskip("torch", reason="torch is not installed (extra learned)")
    done = run(BLANK, "--output", "new", "--side", "40")
    assert (done.stdout, done.returncode) == ("", 2)
    assert "Error: --side must be a multiple of 16" in done.stderr
    assert not (work / "new").exists()


def test_a_place_that_cannot_be_written_is_told_before_the_training(work: Path) -> None:
    """The default training takes minutes."""
    pytest.importorskip("torch", reason="torch is not installed (extra learned)")
    (work / "file").write_text("kept")
    for place in ("file/out", ""):
        done = run(BLANK, "--output", place, "--steps", "1000000")
        assert (done.returncode, done.stdout) == (70, "")
        assert re.fullmatch(r"Error: .*: cannot be made: .*\n", done.stderr)
