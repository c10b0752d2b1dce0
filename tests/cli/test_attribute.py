from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.running import MEMSCAN, run
from tests.drawing import needs_posix
from tests.fingerprints.generators import draw_into, learned, write_fingerprint

ATTRIBUTE = [*MEMSCAN, "attribute", "--fingerprints", "fingerprints"]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with two fingerprints, real images, and targets."""
    monkeypatch.chdir(tmp_path)
    write_fingerprint(tmp_path / "fingerprints", "alpha")
    write_fingerprint(tmp_path / "fingerprints", "beta", sign=-1)
    draw_into(tmp_path / "real", 20, first=500)
    draw_into(tmp_path / "targets", 1, "alpha", first=1)
    draw_into(tmp_path / "targets", 1, "beta", first=2)
    draw_into(tmp_path / "targets", 1, first=3)
    (tmp_path / "targets/broken.png").write_bytes(b"broken")
    return tmp_path


def test_the_text_names_the_maker_of_each_image(place: Path) -> None:
    done = run(ATTRIBUTE, "--target", "targets", "--calibrate", "real", "--top", "2")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "Attribution"
    assert "never that it is a copy" in lines[2]
    assert "[+] Found 4 target images in targets" in lines
    assert "[!] Could not read 1 images (--verbose lists them)" in lines
    rows = [line for line in lines if ".png" in line]
    assert sorted(row.split()[2:] for row in rows) == [
        ["alpha", "targets/001.png"],
        ["beta", "targets/002.png"],
    ]
    assert "and 1 others (--top shows more, JSON has all)" in lines
    assert any(line.startswith("Attributed to none of these: 1 (33.3%") for line in lines)
    assert lines[-1] == "Not read: 1"


def test_all_formats_are_written(place: Path) -> None:
    pytest.importorskip("jinja2", reason="Jinja2 is not installed (it comes with the report extra)")
    outputs = [f"o{suffix}" for suffix in (".txt", ".json", ".csv", ".html")]
    arguments = [part for path in outputs for part in ("--output", path)]
    done = run(ATTRIBUTE, "--target", "targets", "--format", "csv", *arguments)
    assert done.returncode == 0
    assert done.stdout == Path("o.csv").read_text()
    assert done.stderr.startswith("Warning: the thresholds are half-way between the class means")
    document = json.loads(Path("o.json").read_text())
    assert [one["generator"] for one in document["attributions"]] == ["alpha", "beta", None]
    assert len(document["failures"]) == 1
    assert "none of these" in Path("o.html").read_text()
    assert Path("o.txt").read_text().startswith("Attribution\n")


def test_an_evaluation_is_written_in_all_formats(place: Path) -> None:
    pytest.importorskip("jinja2", reason="Jinja2 is not installed (it comes with the report extra)")
    draw_into(place / "sets/alpha/0_real", 11, first=700)
    draw_into(place / "sets/alpha/1_fake", 11, "alpha", first=800)
    (place / "sets/alpha/1_fake/broken.png").write_bytes(b"broken")
    outputs = [f"o{suffix}" for suffix in (".txt", ".json", ".csv", ".html")]
    arguments = [part for path in outputs for part in ("--output", path)]
    asked = ("--evaluate", "sets", "--rate", "0.1", "--verbose")
    done = run(ATTRIBUTE, *asked, *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == Path("o.txt").read_text()
    document = json.loads(Path("o.json").read_text())
    assert [one["auc"]["value"] for one in document["performances"]] == [1.0, 1.0]
    assert Path("o.csv").read_text().count("\n") == 1 + 3 + 7 + 2 + 7 + 1
    assert "shift by 1 px" in Path("o.html").read_text()
    assert all("sets/alpha/1_fake/broken.png" in Path(path).read_text() for path in outputs)
    fewer = run(ATTRIBUTE, *asked, "--no-robustness")
    assert "shift by 1 px" not in fewer.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "give either --target or --evaluate"),
        (("--target", "targets", "--evaluate", "sets"), "give either --target or --evaluate"),
        (("--target", "nothing"), "nothing: there is no such file or directory"),
        (("--target", "targets", "--calibrate", "nothing"), "nothing: there is no such file"),
        (("--target", "targets", "--calibrate", "targets"), "needs at least 19 real images"),
        (("--target", "targets", "--rate", "2", "--calibrate", "real"), "between 0 and 1"),
        (("--target", "targets", "--shifts"), "needs --calibrate"),
        (("--target", "targets", "--no-robustness"), "--no-robustness belongs to --evaluate"),
        (("--evaluate", "sets", "--no-shifts"), "--evaluate measures both ways"),
        (("--target", "targets", "--output", "a.pdf"), "must end in one of .txt, .json"),
        (("--target", "targets", "--fingerprints", "real"), "real: no fingerprints here"),
        (("--target", "targets", "--residual", "wiener"), "fingerprints; these have their own"),
        (("--evaluate", "targets"), "must hold the folders 0_real and 1_fake"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    place: Path, arguments: tuple[str, ...], said: str
) -> None:
    done = run(ATTRIBUTE, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_residual_is_said_to_be_without_effect_where_it_is(place: Path) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed (extra learned)")
    pattern = torch.from_numpy(learned("gamma").pattern.transpose(2, 0, 1)[None].copy())
    content = {"Fingerprint": pattern, "Train Real": [0.0] * 20, "Train Fake": [0.1] * 20}
    (place / "published/gamma").mkdir(parents=True)
    torch.save(content, place / "published/gamma/chk_0.pt")
    asked = ("--target", "targets", "--calibrate", "real", "--residual", "wiener")
    done = run([*MEMSCAN, "attribute"], *asked, "--fingerprints", "published")
    assert (done.returncode, done.stderr) == (0, "")
    both = run(ATTRIBUTE, *asked, "--fingerprints", "published", "--format", "json")
    assert (both.returncode, both.stderr) == (
        0,
        "Warning: --residual is for published fingerprints; 2 of 3 have their own\n",
    )
    residuals = {one["name"]: one["residual"] for one in json.loads(both.stdout)["generators"]}
    assert residuals == {"alpha": "laplacian", "beta": "laplacian", "gamma": "wiener"}


def test_more_failures_than_allowed_make_the_result_incomplete(place: Path) -> None:
    done = run(ATTRIBUTE, "--target", "targets", "--max-failures", "0", "--verbose")
    assert done.returncode == 3
    assert "    targets/broken.png: " in done.stdout
    (place / "real/broken.png").write_bytes(b"broken")
    arguments = ("--target", "targets/001.png", "--calibrate", "real", "--max-failures", "0")
    done = run(ATTRIBUTE, *arguments)
    assert (done.returncode, done.stdout[-12:]) == (3, "Not read: 1\n")


@needs_posix
def test_hostile_names_do_not_reach_the_terminal(place: Path) -> None:
    (place / "targets/001.png").rename(place / "targets/\x1b[31m\n.png")
    (place / "fingerprints/alpha.dif.npz").rename(place / "fingerprints/\u202e.dif.npz")
    done = run(ATTRIBUTE, "--target", "targets", "--verbose")
    assert done.returncode == 0
    assert "\x1b" not in done.stdout
    assert "targets/\\x1b[31m\\n.png" in done.stdout


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help(flag: str) -> None:
    done = run([*MEMSCAN, "attribute"], flag)
    assert done.stdout.startswith("Usage: ")
    assert done.returncode == 0
