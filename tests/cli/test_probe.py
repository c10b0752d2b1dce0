from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Callable

import pytest

from memscan.cli import memscan
from memscan.cli.probe import command
from memscan.cli.process import run_command
from memscan.probes import METHODS, ProbeOptions
from tests.cli.running import MEMSCAN, run
from tests.drawing import save

torch = pytest.importorskip("torch", reason="torch is not installed (extra diffusion)")

from tests.detectors.diffusion import toys  # noqa: E402

Probe = Callable[..., "subprocess.CompletedProcess[str]"]
PLACES = ("--model", "model", "--target", "targets", "--reference", "reference")
QUICK = ("--steps", "10", "--t-invert", "4", "--prompts", "1", "--pictures", "2")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A toy model's directory by name, two memories of it among the targets, and a reference."""
    monkeypatch.chdir(tmp_path)
    model = toys.mixture()
    rows = ["path,memorised"]
    for number, latent in enumerate(toys.remembered(model, 2)):
        save(toys.image_of(latent), tmp_path / f"targets/memory_{number}.png")
        rows.append(f"targets/memory_{number}.png,1")
    for number, latent in enumerate(toys.unknown(model, 3, seed=5)):
        save(toys.image_of(latent), tmp_path / f"targets/other_{number}.png")
        rows.append(f"targets/other_{number}.png,0")
    (tmp_path / "labels.csv").write_text("\n".join(rows) + "\n")
    for number, latent in enumerate(toys.unknown(model, 100, seed=6)):
        save(toys.image_of(latent), tmp_path / f"reference/{number:03d}.png")
    return tmp_path


@pytest.fixture
def probe(here: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Probe:
    """The command in this process, where every directory is the toy model."""
    from memscan.detectors.diffusion import pipelines

    monkeypatch.setattr(pipelines, "load", lambda folder, device: toys.mixture())

    def run_here(*arguments: str) -> subprocess.CompletedProcess[str]:
        code = run_command(memscan, ["probe", *arguments])
        return subprocess.CompletedProcess(arguments, code, *capfd.readouterr())

    return run_here


def test_memories_are_found_and_said_in_all_formats(probe: Probe, here: Path) -> None:
    pytest.importorskip("jinja2", reason="Jinja2 is not installed (it comes with an extra)")
    written = [
        part for name in ("a.html", "a.json", "a.csv", "a.txt") for part in ("--output", name)
    ]
    done = probe(*PLACES, *QUICK, "--method", "all", "--labels", "labels.csv", *written)
    assert (done.stderr, done.returncode) == ("", 0)
    assert done.stdout.startswith("Memorisation by probe: model\n")
    assert "[+] Found 5 target images in targets\n" in done.stdout
    assert "Methods compared" in done.stdout
    assert (here / "a.txt").read_text() == done.stdout
    document = json.loads((here / "a.json").read_text())
    assert list(document["methods"]) == list(METHODS)
    found = {one["target"]: one["methods"]["loss"]["memorised"] for one in document["probes"]}
    assert [name for name, memorised in found.items() if memorised][:2] == [
        "targets/memory_0.png",
        "targets/memory_1.png",
    ]
    assert document["options"]["depth"] == 4
    assert document["comparison"]["remembered"] == 2
    rows = list(csv.DictReader(io.StringIO((here / "a.csv").read_text())))
    assert [(row["target"], row["method"]) for row in rows] == [
        (one["target"], method) for one in document["probes"] for method in METHODS
    ]
    assert '<section id="comparison"' in (here / "a.html").read_text()


def test_one_method_and_the_same_figures_again(probe: Probe) -> None:
    first, second = (
        probe(*PLACES, *QUICK, "--method", "loss", "--format", "json").stdout for _ in range(2)
    )
    assert first == second
    assert list(json.loads(first)["methods"]) == ["loss"]
    other = probe(*PLACES, *QUICK, "--method", "loss", "--format", "json", "--seed", "1").stdout
    assert other != first


def test_what_iip_is_made_of_can_be_changed(probe: Probe) -> None:
    asked = (*PLACES, *QUICK, "--format", "json")
    plain, distance, ablated = (
        json.loads(probe(*asked, *more).stdout)
        for more in ((), ("--lambda-e", "0"), ("--no-optimise", "--prompt", "kind1"))
    )
    scores, other_scores = (
        [one["methods"]["iip"]["score"] for one in document["probes"]]
        for document in (plain, distance)
    )
    assert scores != other_scores
    assert ablated["options"]["optimise"] is False
    assert ablated["options"]["prompts"] == "kind1"


def test_failures_are_rows_and_counted(probe: Probe, here: Path) -> None:
    (here / "targets/broken.png").write_bytes(b"broken")
    asked = (*PLACES, *QUICK, "--method", "loss", "--verbose")
    done = probe(*asked, "--max-failures", "0")
    assert "    targets/broken.png: " in done.stdout
    assert "--max-failures allows 0" in done.stderr
    assert done.returncode == 3
    assert probe(*asked, "--max-failures", "1").returncode == 0


def test_a_small_reference_accuses_nobody_and_warns(probe: Probe, here: Path) -> None:
    for path in sorted((here / "reference").iterdir())[20:]:
        path.unlink()
    done = probe(*PLACES, *QUICK, "--method", "loss")
    assert "Warning: " in done.stderr
    assert "Memorised above                none" in done.stdout
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "Missing option '--model'."),
        (PLACES[:2], "Missing option '--target'."),
        (PLACES[:4], "Missing option '--reference'."),
        ((*PLACES, "--method", "sscd"), "'sscd' is not one of"),
        ((*PLACES, "--output", "out.png"), "out.png: the name of an output must end in one of"),
        ((*PLACES, "--output", "a.csv", "--captions", "a.csv"), "a.csv: given as an output and"),
        ((*PLACES, "--t-invert", "60"), "step 60: there are 50 steps"),
        ((*PLACES, "--labels", "none.csv"), "none.csv: cannot be read"),
        ((*PLACES[:4], "--reference", "targets/memory_0.png"), "a reference needs at least"),
        ((*PLACES[:4], "--reference", "nowhere"), "nowhere"),
        ((*PLACES, "--captions", "labels.csv", "--method", "tcnp"), "columns path, caption"),
        (("forget",), "No such command 'forget'"),
        (("--seed", "1", "demo"), "--seed is an option of the probe, not of demo"),
    ],
)
def test_what_cannot_be_done_is_refused(
    probe: Probe, arguments: tuple[str, ...], says: str
) -> None:
    done = probe(*arguments)
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert (done.stdout, done.returncode) == ("", 2)


def test_a_directory_that_is_no_model_is_refused(here: Path) -> None:
    pytest.importorskip("diffusers", reason="diffusers is not installed (extra diffusion)")
    done = run([*MEMSCAN, "probe"], *PLACES[2:], "--model", "reference")
    assert done.stderr.startswith("Error: reference")
    assert done.stderr.count("\n") == 1
    assert (done.stdout, done.returncode) == ("", 2)


def test_the_defaults_are_those_of_the_library() -> None:
    defaults = {parameter.name: parameter.default for parameter in command.params}
    library = ProbeOptions()
    for name in ("steps", "depth", "guidance", "prompts", "seed"):
        assert defaults[name] == getattr(library, name)
    assert (defaults["lambda_d"], defaults["lambda_e"]) == library.weights
    assert library.optimise


def test_labels_of_other_images_are_told_before_the_measuring(probe: Probe, here: Path) -> None:
    (here / "labels.csv").write_text("path,memorised\ngone.png,1\nlost.png,0\n")
    done = probe(*PLACES, *QUICK, "--labels", "labels.csv", "--measurements", "kept.jsonl")
    assert done.stderr == (
        "Error: labels.csv: none of its images is a target; its paths are relative to the list\n"
    )
    assert (done.stdout, done.returncode) == ("", 2)
    assert not (here / "kept.jsonl").exists()


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help(flag: str) -> None:
    done = run([*MEMSCAN, "probe"], flag)
    assert done.stdout.startswith("Usage: ")
    assert "--t-invert" in done.stdout
    assert done.returncode == 0


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\nfrom memscan.cli import memscan\n"
        "memscan(['probe', '--help'], standalone_mode=False)\n"
        "print([name for name in ('torch', 'numpy', 'PIL', 'jinja2') if name in sys.modules])"
    )
    done = run([sys.executable, "-c", code])
    assert done.stdout.endswith("\n[]\n")
