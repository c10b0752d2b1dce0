"""Every command in the README runs, and what it shows is what it prints."""

from __future__ import annotations

import itertools
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import click
import pytest

from memscan import cli, decode, hash_image, records
from memscan.baseline import Baseline
from memscan.detectors import cards, configuration, deepssim_recipe
from memscan.reports import FORMATS, csv_table
from tests.cli.running import MEMSCAN, ROOT, environment, run
from tests.detectors import networks
from tests.drawing import needs_posix

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
CONSOLE = [body for language, body in BLOCKS if language == "console"]
SHELL = [line for language, body in BLOCKS if language == "sh" for line in body.splitlines()]
SETUP = [line for line in SHELL if line.startswith("python3 -m venv ")]
TRAINING = [line for line in SHELL if re.search(r"memscan (train|latents|sample) ", line)]
CARDS = re.findall(r"^    \{\n.*?^    \}\n", README, re.MULTILINE | re.DOTALL)

TRIMMED: dict[str, dict[str, object]] = {
    "train deepssim": {
        "hidden": 8,
        "dimensions": 8,
        "tiles": 2,
        "validation_pairs": 16,
        "batch": 16,
        "steps": 2,
        "epochs": 1,
    },
    "train autoencoder": {"side": 64, "window": 32, "levels": 2, "steps": 1, "epochs": 1},
    "--stage latent": {"dimensions": 8, "schedule": {"epochs": 1, "steps": 1, "batch": 4}},
    "--stage image": {"schedule": {"epochs": 1, "steps": 1, "batch": 4}},
    "train dif": {"crop": 64, "depth": 2, "base": 2, "channels": 2, "batch": 4, "epochs": 1},
    "train ldm": {
        "autoencoder": {"side": 16, "window": 16, "levels": 2, "width": 8, "steps": 1, "epochs": 1},
        "width": 8,
        "levels": 2,
        "heads": 2,
        "text_width": 16,
        "text_layers": 1,
        "tokens": 6,
        "batch": 4,
        "steps": 1,
        "epochs": 1,
        "checks": 4,
    },
}
"""What makes the training of each network take a second."""

SHORTENED = {
    "--rate 1e-4": "--rate 0.1",  # which needs fewer images
    "memscan blank --output blank": "memscan blank --output blank --side 32 --steps 2",
    "memscan sample --model model": "memscan sample --model model --steps 2",
    "--number 30": "--number 1",
    "probe --model model": "probe --model model --steps 10 --t-invert 2 --prompts 1",
    "memscan probe demo": "memscan probe demo --quick",
}
"""What makes other commands take seconds."""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory like a fresh clone after the first run, with images to scan."""
    folder = tmp_path_factory.mktemp("clone")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        (folder / "detect.py").write_bytes((ROOT / "detect.py").read_bytes())
        run(MEMSCAN, "demo", "demo")
        shutil.copytree("demo", "again")
        (folder / "demo/generated_images").rename("generated")
        (folder / "demo/training_data").rename("train")
        scan = ("detect", "--target", "generated", "--source", "train", "-r")
        run(MEMSCAN, *scan, "--output", "audit.json")
    images = sorted((folder / "again/training_data").rglob("*.jpg"))
    (folder / "shards").mkdir()
    for number in range(3):
        with tarfile.open(folder / f"shards/{number:05}.tar", "w") as archive:
            for image in images[8 * number : 8 * number + 8]:
                archive.add(image, image.name)
    hashes = [f"{image.name},{hash_image(image):016x}\n" for image in images]
    (folder / "hashes.csv").write_text("path,phash\n" + "".join(hashes))
    for name in ("generated_images", "training_data"):
        (folder / "again" / name).rename(folder / "demo" / name)
    return folder


@pytest.fixture
def clone(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the template, which is the current directory."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory in which the README's training commands ran, shortened, with its lists."""
    pytest.importorskip("torch", reason="the extra 'learned' is not installed")
    pytest.importorskip("diffusers", reason="the extra 'diffusion' is not installed")
    pytest.importorskip("matplotlib", reason="the extra 'report' is not installed")
    directory = tmp_path_factory.mktemp("trained")
    run([*MEMSCAN, "demo", str(directory / "demo")])
    (directory / "demo/training_data").rename(directory / "train")
    paths = sorted(path.relative_to(directory) for path in (directory / "train").rglob("*.jpg"))
    splits = ("train", "val", "test")
    rows = [f"{path},{row // 2},{splits[row // 2 % 3]}" for row, path in enumerate(paths)]
    (directory / "photos.csv").write_text("\n".join(["path,id,split", *rows]) + "\n")
    pairs = [
        f"{paths[one]},{paths[other]},{int(one // 2 == other // 2)}"
        for one, other in itertools.combinations(range(8), 2)
    ]
    (directory / "pairs.csv").write_text("\n".join(["path_a,path_b,label", *pairs]) + "\n")
    networks.write_onnx(directory / "sscd.onnx")
    fakes = directory / "demo/generated_images"
    (directory / "photographs").mkdir()
    for path in paths:
        shutil.copy(directory / path, directory / "photographs" / "-".join(path.parts))
    shutil.copytree(directory / "train/class_A", directory / "sets/A/0_real")
    for folder in ("images_of_A", "sets/A/1_fake", "generations/A"):
        shutil.copytree(fakes, directory / folder)
    (directory / "fingerprints").mkdir()
    for line in TRAINING:
        for words, settings in TRIMMED.items():
            if words in line:
                (directory / "trimmed.json").write_text(json.dumps(settings))
                line += " --config trimmed.json"
        done = run_script(f"cd {shlex.quote(str(directory))} && {shortened(line)}")
        assert done.returncode == 0, done.stderr
    (directory / "train").rename(directory / "unseen")
    return directory


def test_the_training_commands_leave_what_others_take(trained: Path) -> None:
    made = {path.name for path in trained.iterdir()}
    assert {"deepssim.safetensors", "lcmem.safetensors", "curves.png", "latents"} <= made
    assert cards.read(str(trained / "lcmem.safetensors")).kind == "lcmem"


def test_the_cards_shown_are_cards() -> None:
    assert [cards.parse(json.loads(card)).kind for card in CARDS] == ["encoder"]


def test_the_recipe_shown_is_a_configuration() -> None:
    (shown,) = re.findall(r'^    \{"backbone".*?\}\}$', README, re.MULTILINE | re.DOTALL)
    recipe = configuration.changed(deepssim_recipe.Recipe(), json.loads(shown))
    assert recipe.backbone == "convnext-tiny"


def shortened(line: str) -> str:
    for words, fewer in SHORTENED.items():
        line = line.replace(words, fewer)
    return line


def run_line(line: str) -> subprocess.CompletedProcess[str]:
    assert re.match(r"(find [^|]* \| )?python ", line)
    return run_script(line)


def run_script(script: str) -> subprocess.CompletedProcess[str]:
    """Run lines of shell in which ``python`` is this Python."""
    return subprocess.run(
        ["bash", "-c", f'python() {{ {shlex.quote(sys.executable)} "$@"; }}\n{script}'],
        capture_output=True,
        text=True,
        env=environment(),
        check=False,
    )


def test_the_blocks_are_all_of_a_kind_that_is_tested() -> None:
    tested = {"sh", "console", "python", "bash", "yaml", "crontab", "json", "sql"}
    assert {language for language, _ in BLOCKS} == tested


def block(language: str) -> str:
    bodies: list[str] = [body for found, body in BLOCKS if found == language]
    assert len(bodies) == 1
    return bodies[0]


@pytest.mark.usefixtures("clone")
@pytest.mark.parametrize("body", CONSOLE)
def test_commands_print_what_is_shown(body: str) -> None:
    command, shown = body.split("\n", 1)
    assert command.startswith("$ ")
    assert run_line(command[2:]).stdout == shown


@pytest.mark.usefixtures("clone")
@pytest.mark.parametrize("line", [line for line in SHELL if line not in SETUP + TRAINING])
def test_other_commands_run(line: str, clone: Path, request: pytest.FixtureRequest) -> None:
    if re.search(r"--weights|photos\.csv|fingerprints|--model |drawn", line):
        directory: Path = request.getfixturevalue("trained")
        shutil.copytree(directory, clone, dirs_exist_ok=True)
    if "memscan plot" in line:
        pytest.importorskip("matplotlib", reason="the extra 'report' is not installed")
    if re.search("memscan blank|memscan probe demo", line):
        pytest.importorskip("torch", reason="the extra 'learned' is not installed")
    if "memscan probe demo" in line:
        pytest.importorskip("diffusers", reason="the extra 'diffusion' is not installed")
    if "--engine ray" in line:
        pytest.importorskip("ray", reason="the extra 'ray' is not installed")
    if ".parquet" in line and "--detector" not in line:
        index_everything()
    done = run_line(shortened(line))
    assert done.returncode == (1 if "--fail-on" in line else 0), done.stderr
    assert [note for note in done.stderr.splitlines() if not is_news(note)] == []


def is_news(note: str) -> bool:
    """Whether a note says where something was written, how large, or that little went into it."""
    told = r"The cuts stand in|scores\.|heat/:|Took |Warning: .*(real |reference|targets)"
    return bool(re.match(told, note))


def index_everything() -> None:
    """The tables that commands of the README read."""
    pytest.importorskip("pyarrow", reason="the extra 'parquet' is not installed")
    for table, source in (
        ("hashes", "train/"),
        ("more", "demo/training_data"),
        ("by-ray", "train/"),
    ):
        made = run(MEMSCAN, "index", source, "-r", "--output", f"{table}.parquet")
        assert made.returncode == 0, made.stderr


@pytest.mark.usefixtures("clone")
def test_other_programs_read_a_table() -> None:
    index_everything()
    duckdb = pytest.importorskip("duckdb", reason="DuckDB is not installed")
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    nearest = duckdb.sql(block("sql")).fetchall()
    assert len(nearest) == 3
    frame = pandas.read_parquet("hashes.parquet", columns=["uri", "hash"])
    distances = sorted(
        (bin(hash ^ 0xA0F3C41E5B6D2987).count("1"), uri) for uri, hash in frame.to_numpy().tolist()
    )
    assert [(distance, uri) for uri, distance in nearest] == distances[:3]


def test_there_are_two_commands_that_set_everything_up() -> None:
    """One runs the main job and one the tests; .ci/run runs both."""
    first, tests = SETUP
    assert "memscan demo" in first
    assert "detect.py --target" in first
    assert "pytest" in tests


@pytest.mark.skipif(os.name != "posix", reason="the command is for a POSIX shell")
def test_the_first_run_works_on_this_python(clone: Path) -> None:
    """The part after the installation, which .ci/run does for real."""
    (clone / "demo").rename(clone / "elsewhere")
    line = SETUP[0].split(" && ", 2)[2].replace(".venv/bin/python", shlex.quote(sys.executable))
    done = subprocess.run(
        ["bash", "-c", line], capture_output=True, text=True, env=environment(), check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Verdict: Identical") + done.stdout.count("Verdict: Near") == 3


@pytest.mark.usefixtures("clone")
def test_the_python_example_runs() -> None:
    done = subprocess.run(
        [sys.executable, "-c", block("python")],
        capture_output=True,
        text=True,
        env=environment(),
        check=True,
    )
    assert len(done.stdout.splitlines()) == 4
    assert re.fullmatch(r"[0-9a-f]{16}", done.stdout.splitlines()[-1])


@pytest.fixture
def audited(clone: Path) -> Path:
    """A clone whose copies were accepted; the HTML report needs an extra."""
    pytest.importorskip("jinja2", reason="the extra 'report' is not installed")
    scan = ["--target", "generated", "--source", "train", "-r", "--baseline", "accepted.json"]
    assert run(MEMSCAN, "detect", *scan, "--update-baseline").returncode == 0
    return clone


@needs_posix
@pytest.mark.parametrize(
    ("spoil", "code", "says"),
    [
        ("true", 0, "no new copies found"),
        ("cp train/class_A/img_001.jpg generated/new.jpg", 1, "leaks"),
        ("echo > accepted.json", 2, "not complete"),
        ("echo > train/broken.png", 2, "not complete"),
    ],
)
def test_the_gate_tells_a_leak_from_a_broken_scan(
    audited: Path, spoil: str, code: int, says: str
) -> None:
    done = run_script(f"{spoil}\n{block('bash')}")
    assert done.returncode == code, done.stderr
    assert says in done.stdout
    assert (audited / "audit.html").exists() == (says != "not complete" or "train" in spoil)


@needs_posix
def test_the_job_uploads_the_reports_of_a_leak(audited: Path) -> None:
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    (job,) = yaml.safe_load(block("yaml"))["jobs"].values()
    install, scan = (step["run"] for step in job["steps"] if "run" in step)
    (upload,) = (step for step in job["steps"] if "upload" in step.get("uses", ""))
    assert install == "pip install '.[report]'"
    assert upload["if"] == "always()"
    Path("audit.json").unlink()
    shutil.copy("train/class_A/img_001.jpg", "generated/new.jpg")
    done = run_script(f'memscan() {{ python -m memscan "$@"; }}\n{scan}')
    assert done.returncode == 1
    assert {path.name for path in audited.glob(upload["with"]["path"])} == {
        "audit.html",
        "audit.xml",
    }


@needs_posix
@pytest.mark.skipif(shutil.which("flock") is None, reason="flock is not installed")
def test_the_nightly_line_is_quiet_until_something_new_turns_up(clone: Path) -> None:
    line = block("crontab").splitlines()[-1].split(" ", 5)[5]
    assert line.startswith("cd /srv/model && flock -n .memscan.lock python ")
    interpreter = shlex.quote(sys.executable)  # flock runs programs, not functions of the shell
    line = line.replace("/srv/model", str(clone)).replace("lock python", f"lock {interpreter}")
    run(
        MEMSCAN,
        *("detect", "--target", "generated", "--source", "train", "-r"),
        *("--baseline", "accepted.json", "--update-baseline"),
    )
    assert (run_script(line).stdout, run_script(line).returncode) == ("", 0)
    shutil.copy("train/class_A/img_001.jpg", "generated/new.jpg")
    assert "generated/new.jpg" in run_script(line).stdout
    overlapping = run_script(f"flock .memscan.lock sleep 5 & sleep 0.5; {line}")
    assert (overlapping.stdout, overlapping.returncode) == ("", 1)


def test_the_entry_of_a_baseline_is_read(tmp_path: Path) -> None:
    path = tmp_path / "accepted.json"
    path.write_text(f'{{"baseline_version": 1, "accepted": [{block("json")}]}}')
    assert Baseline.read(str(path)).entries[0].note == "licensed"


def test_every_command_and_option_is_described() -> None:
    context = click.Context(cli.memscan)
    commands: list[click.Command] = []
    for name in cli.memscan.list_commands(context):
        assert re.search(rf"^### .*`memscan {name}`$", README, re.MULTILINE)
        command = cli.memscan.get_command(context, name)
        assert command is not None
        commands.append(command)
    for command in commands:
        commands += command.commands.values() if isinstance(command, click.Group) else []
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert f"`{max(parameter.opts, key=len)}" in README


def one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def test_lists_are_complete() -> None:
    readme = one_line(README)
    assert ", ".join(f"`{suffix}`" for suffix in sorted(decode.SUFFIXES)) in readme
    assert ", ".join(decode.FORMATS) in readme
    assert ", ".join(f"`{column}`" for column in csv_table.COLUMNS) in readme
    for format in FORMATS:
        assert f"`{format}`" in README
    for reason in records.Reason:
        assert f"- `{reason.value}`" in README
    for stage in records.Stage:
        assert f"`{stage.value}`" in README
