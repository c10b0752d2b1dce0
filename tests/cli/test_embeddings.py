"""memscan index with a learned detector, in this process, where one without torch stands in."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable

import pytest

from memscan import networks
from memscan.cli import memscan
from memscan.cli.process import run_command
from memscan.errors import InputError
from memscan.tables.stored import StoredTable
from tests.drawing import picture, save
from tests.indexing import projection
from tests.indexing.collections import tars
from tests.sources.archives import tar

pytest.importorskip("pyarrow", reason="pyarrow is not installed")

Run = Callable[..., "subprocess.CompletedProcess[str]"]
DEEPSSIM = ("--detector", "deepssim", "--weights")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    projection.use(monkeypatch)
    projection.write_weights(tmp_path)
    tars(tmp_path / "shards", 2)
    return tmp_path


@pytest.fixture
def command(capfd: pytest.CaptureFixture[str]) -> Run:
    def run_here(*arguments: str) -> subprocess.CompletedProcess[str]:
        code = run_command(memscan, arguments)
        return subprocess.CompletedProcess(arguments, code, *capfd.readouterr())

    return run_here


def test_a_table_is_made_shown_checked_and_united(here: Path, command: Run) -> None:
    made = command("index", "shards/*.tar", *DEEPSSIM, "a.safetensors", "--output", "table.parquet")
    assert (made.returncode, made.stderr) == (0, "")
    assert "Images: 6 hashed, 0 could not be read" in made.stdout
    shown = command("index", "info", "table.parquet").stdout
    name = projection.open_projection("a.safetensors").fingerprint
    assert f"Embedding: {name}, 5 dimensions\n" in shown
    document = json.loads(command("index", "info", "table.parquet", "--format", "json").stdout)
    assert document["encoder"]["dimensions"] == 5
    assert document["options"]["detector"] == "deepssim"
    assert command("index", "verify", "table.parquet").stdout == "table.parquet: sound\n"
    assert command("index", "merge", "table.parquet", "--output", "all").returncode == 0
    assert len(StoredTable.open("all")) == 6


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["--detector", "deepssim"],
            "--detector deepssim needs --weights FILE ",
        ),
        (["--weights", "a.safetensors"], "--weights are for a --detector"),
        (
            [*DEEPSSIM, "a.safetensors", "--hash", "phash"],
            "--detector and --hash exclude",
        ),
        (["--detector", "lcmem"], "'lcmem' is not one of 'deepssim', 'encoder'"),
        ([*DEEPSSIM, "none.safetensors"], "none.json: there is no such card"),
        (
            ["--detector", "encoder", "--weights", "a.safetensors"],
            "a.safetensors: weights of the kind deepssim, not asked for by --detector",
        ),
        (
            [*DEEPSSIM, "a.safetensors", "--engine", "local", "--address", "x:1"],
            "an address is only for the engine ray",
        ),
        ([*DEEPSSIM, "a.safetensors", "--jobs", "0"], "0 is not in the range"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    arguments: list[str], sentence: str, command: Run
) -> None:
    done = command("index", "shards/*.tar", "--output", "table", *arguments)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert not Path("table").exists()


def test_one_file_of_weights_is_taken(here: Path) -> None:
    other = projection.write_weights(here, "b", "lcmem")
    again = projection.write_weights(here, "c", seed=1)
    assert networks.file_of("deepssim", ("a.safetensors",)) == "a.safetensors"
    assert networks.file_of("lcmem", (other,)) == other
    for more in (other, again):
        with pytest.raises(InputError, match=more):
            networks.file_of("deepssim", ("a.safetensors", more))


def test_without_torch_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Run
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "torch", None)
    projection.write_weights(tmp_path, kind="deepssim")
    tars(tmp_path / "shards", 1)
    done = command("index", "shards/*.tar", *DEEPSSIM, "a.safetensors", "--output", "table")
    assert done.returncode == 2
    assert "pip install 'memscan[learned]'" in done.stderr


def _scanned(command: Run, *arguments: str) -> dict[str, Any]:
    scan = ("detect", "--target", "targets", *DEEPSSIM, "a.safetensors", "--format", "json")
    done = command(*scan, "--top-k", "2", *arguments)
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return {key: document[key] for key in ("findings", "copied", "curve", "failures", "summary")}


@pytest.mark.parametrize("views", ["plain", "training"])
def test_a_table_gives_what_its_images_give(here: Path, command: Run, views: str) -> None:
    for seed in (1, 3, 90):
        save(picture(seed, (24, 16)), here / f"targets/{seed}.png")
    (here / "shards/broken.tar").write_bytes(tar({"x.png": b"no image"}))
    options = ("--views", views)
    command("index", "shards/*.tar", *DEEPSSIM, "a.safetensors", *options, "--output", "table")
    images = _scanned(command, "--source", "shards/*.tar", *options)
    distances = [finding["matches"][0]["distance"] for finding in images["findings"]]
    assert distances[:2] == [0, 0] < distances[2:]
    assert _scanned(command, "--source", "table", *options) == images


def test_a_table_of_other_weights_is_refused(here: Path, command: Run) -> None:
    save(picture(1), here / "targets/1.png")
    other = projection.write_weights(here, "b", seed=1)
    command("index", "shards/*.tar", *DEEPSSIM, other, "--output", "table")
    for how in ((*DEEPSSIM, "a.safetensors"), ("--hash", "phash")):
        done = command("detect", "--target", "targets", "--source", "table", *how)
        assert done.returncode == 2
        assert f"its algorithm is {projection.open_projection(other).fingerprint}" in done.stderr
