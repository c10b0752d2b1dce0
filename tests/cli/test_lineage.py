from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from PIL import Image

from tests.cli.running import MEMSCAN, run
from tests.lineage.generated import write_all
from tests.lineage.test_tracing import FAMILY

LINEAGE = [*MEMSCAN, "lineage"]
PLACES = ("--fingerprints", "fingerprints", "--images", "images", "--real", "real")


@pytest.fixture
def family(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_all(tmp_path, FAMILY)
    return tmp_path


def test_a_report_with_everything(family: Path) -> None:
    (family / "images/other/broken.png").write_bytes(b"broken")
    os.rename("images/tuned", "images/tuned more")
    outputs = [f"l{suffix}" for suffix in (".txt", ".json", ".csv")]
    done = run(LINEAGE, *PLACES, *(part for name in outputs for part in ("--output", name)))
    assert done.returncode == 0
    assert done.stderr == (
        "Warning: tuned: a fingerprint without a folder of images\n"
        "Warning: tuned more: images without a fingerprint\n"
    )
    assert done.stdout.startswith(
        "Lineage\n"
        "[+] 3 fingerprints\n"
        "[+] Found 16 images in images/base\n"
        "[+] Found 17 images in images/other\n"
        "[+] Found 16 images in images/tuned more\n"
        "[+] Found 30 real images in real\n"
        "[!] Could not read 1 images (--verbose lists them)\n"
    )
    assert "Not shown: 1\n  base and other\n" in done.stdout
    verbose = run(LINEAGE, *PLACES, "--verbose", "--jobs", "3")
    assert "    images/other/broken.png: not an image" in verbose.stdout
    assert (family / "l.txt").read_text() == verbose.stdout
    assert json.loads((family / "l.json").read_text())["summary"]["not shown"] == 1
    assert (family / "l.csv").read_text().startswith("kind,fingerprint,model,residual,auc,")


def test_a_relation_is_said_and_drawn(family: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed (extra report)")
    pytest.importorskip("jinja2", reason="Jinja2 is not installed (extra report)")
    done = run(LINEAGE, *PLACES, "--output", "l.png", "--output", "l.html", "--format", "json")
    assert (done.stderr, done.returncode) == ("", 0)
    document = json.loads(done.stdout)
    assert [(one["first"], one["second"]) for one in document["relations"][1:2]] == [
        ("base", "tuned")
    ]
    assert document["summary"]["related"] == 1
    with Image.open(family / "l.png") as image:
        assert image.format == "PNG"
    assert "<h1>Related: base and tuned</h1>" in (family / "l.html").read_text()
    strict = run(LINEAGE, *PLACES, "--least", "1", "--residual", "wiener", "--format", "json")
    options = json.loads(strict.stdout)["options"]
    assert (options["least"], options["residuals"]) == (1, ["wiener"])
    assert json.loads(strict.stdout)["summary"]["related"] == 0


def test_failures_can_stop_a_pipeline(family: Path) -> None:
    (family / "real/broken.png").write_bytes(b"broken")
    done = run(LINEAGE, *PLACES, "--max-failures", "0")
    assert done.returncode == 3
    assert "--max-failures allows 0" in done.stderr
    assert run(LINEAGE, *PLACES, "--max-failures", "1").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--images", "real"), "real: no folders in it; it must hold one for each model"),
        (("--images", "nowhere"), "nowhere: cannot be listed: No such file or directory"),
        (("--real", "nowhere"), "nowhere: there is no such file or directory"),
        (("--fingerprints", "nowhere"), "nowhere: there is no such file or directory"),
        (("--fingerprints", "real"), "real: no fingerprints here"),
        (("--output", "l.gif"), "l.gif: the name of an output must end in one of .txt, .json"),
    ],
)
def test_bad_input_is_one_clear_sentence(
    family: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    given = dict(zip(PLACES[::2], PLACES[1::2]))
    given.update(zip(arguments[::2], arguments[1::2]))
    done = run(LINEAGE, *(part for pair in given.items() for part in pair))
    assert (done.stdout, done.returncode) == ("", 2)
    assert done.stderr.startswith(f"Error: {sentence}")
    assert done.stderr.count("\n") == 1


def test_usage(family: Path) -> None:
    for flag in ("-h", "--help"):
        done = run(LINEAGE, flag)
        assert done.stdout.startswith("Usage: ")
        assert done.returncode == 0
    for wrong in (("--least", "0.4"), ("--residual", "sobel"), ("--jobs", "0")):
        done = run(LINEAGE, *PLACES, *wrong)
        assert (done.stdout, done.returncode) == ("", 2)


def test_a_heat_map_replaces_no_image_that_is_read(family: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed (extra report)")
    image = sorted((family / "images/base").iterdir())[0]
    before = image.read_bytes()
    for path in (f"images/base/../base/{image.name}", f"real/{min(os.listdir('real'))}"):
        done = run(LINEAGE, *PLACES, "--output", path)
        assert (done.returncode, done.stdout) == (2, "")
        assert f"{path}: the command reads this file and would write over it" in done.stderr
    assert image.read_bytes() == before
    for _ in range(2):  # one that lies beside what is read may be replaced
        assert run(LINEAGE, *PLACES, "--output", "images/l.png").returncode == 0
