from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.cli.running import MEMSCAN, run
from tests.drawing import claim_size, needs_posix, picture, save

EVALUATE = [*MEMSCAN, "evaluate"]
FEW = ["--images", "photos", "--edits", "mirrored,jpeg-50"]


@pytest.fixture(autouse=True)
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for seed in range(8):
        save(picture(seed), Path(f"photos/{seed}.png"))
    for seed in range(6):
        save(picture(seed, (60, 40)), Path(f"copies/{seed}.jpg"))


def document(*arguments: str) -> Any:
    done = run(EVALUATE, *arguments, "--format", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def untimed(text: str) -> Any:
    return {key: value for key, value in json.loads(text).items() if key != "times"}


def test_the_table_byte_for_byte_but_for_the_times() -> None:
    done = run(EVALUATE, *FEW)
    *lines, times = done.stdout.splitlines()
    assert times.startswith("Time per image: ")
    assert lines == [
        "Evaluating phash on edited images among the unedited ones...",
        "[+] Found 8 images in photos",
        "Thresholds fitted on 4 images, numbers from 4 others; 24 unrelated pairs; seed 0.",
        "",
        "phash: 64 bits, as memscan detect --hash phash",
        "Found at distance 5 or less. All numbers in percent.",
        "-" * 101,
        "                         recall [95 %] recall@1 TPR@1e-3 TPR@1e-4 TPR@1e-5      µAP    "
        "R@P90      AUC",
        "compression:",
        "  jpeg-50         100.0 [100.0, 100.0]    100.0    100.0    100.0    100.0    100.0    "
        "100.0    100.0",
        "turn:",
        *[line for line in lines if line.startswith("  mirrored ")],
        *[line for line in lines if line.startswith("overall ")],
        "",
        *lines[14:],
    ]
    assert lines[11].split()[1] == "0.0"
    assert lines[12].split()[1] == "50.0"
    assert lines[-1] == "Bytes per source image: 8"
    assert (done.stderr, done.returncode) == ("", 0)


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help(flag: str) -> None:
    done = run(EVALUATE, flag)
    assert done.stdout.startswith("Usage: ")
    assert done.returncode == 0


def test_the_edits_are_listed_by_name() -> None:
    done = run(EVALUATE, "--list-edits")
    assert "turn         mirrored           left and right exchanged\n" in done.stdout
    assert (len(done.stdout.splitlines()) > 50, done.returncode) == (True, 0)


def test_the_same_images_give_the_same_bytes_but_for_the_times() -> None:
    outputs = [
        run(EVALUATE, *FEW, "--detectors", "phash,dhash", "--format", "json", *options).stdout
        for options in ([], [], ["--jobs", "1"], ["--jobs", "3"])
    ]
    assert all(untimed(text) == untimed(outputs[0]) for text in outputs)
    assert set(json.loads(outputs[0])["times"]) == {"phash", "dhash"}


def test_options_reach_the_evaluation() -> None:
    found = document(*FEW, "--detectors", "phash-256, dhash", "--seed", "7", "--limit", "6")
    assert [detector["name"] for detector in found["detectors"]] == ["phash-256", "dhash"]
    assert found["options"]["seed"] == 7
    assert found["images"]["calibration"] == found["images"]["reported"] == 3
    assert found["images"]["ignored"] == 2
    names = [edit["name"] for edit in found["detectors"][0]["edits"]]
    assert names == ["jpeg-50", "mirrored"]
    everything = document("--images", ".", "-r", "--exclude", "photos", "--edits", "mirrored")
    assert everything["images"]["found"] == 6


def test_files_hold_what_stdout_shows() -> None:
    done = run(EVALUATE, *FEW, "--format", "json", "--output", "a.json", "--output", "a.txt")
    assert Path("a.json").read_text() == done.stdout
    assert Path("a.txt").read_text(encoding="utf-8").startswith("Evaluating phash")


def test_a_page_is_written() -> None:
    pytest.importorskip("jinja2", reason="Jinja2 is not installed (it comes with the report extra)")
    done = run(EVALUATE, *FEW, "--output", "a.html")
    assert done.returncode == 0, done.stderr
    assert "data:image/" in Path("a.html").read_text(encoding="utf-8")


def test_lists_are_relative_to_their_file() -> None:
    lines = [f"copies/{n}.jpg,photos/{(n + k) % 6}.png,{1 - k}" for n in range(6) for k in (0, 1)]
    Path("list.csv").write_text("\n".join(["path_a,path_b,label", *lines]))
    os.mkdir("elsewhere")
    os.chdir("elsewhere")
    found = document("--pairs", "../list.csv")
    overall = found["detectors"][0]["overall"]
    assert (overall["found"], overall["wanted"], overall["recall_at_1"]) == (6, 6, None)
    lines = [
        f"../{folder},{n}" for n in range(6) for folder in (f"copies/{n}.jpg", f"photos/{n}.png")
    ]
    Path("ids.csv").write_text("\n".join(["path,id", *lines]))
    found = document("--identities", "ids.csv")
    assert (found["images"]["calibration"], found["images"]["reported"]) == (6, 6)
    assert found["detectors"][0]["overall"]["recall"]["value"] == 1


class TestFailures:
    @pytest.fixture(autouse=True)
    def broken(self, photos: None) -> None:
        Path("photos/broken.png").write_bytes(b"broken")
        claim_size(Path("photos/huge.png"), 50_000, 50_000)

    def test_they_are_counted_and_named_when_asked(self) -> None:
        brief = run(EVALUATE, *FEW)
        assert "[!] Could not read 2 images (--verbose lists them)\n" in brief.stdout
        full = run(EVALUATE, *FEW, "--verbose")
        assert "    photos/broken.png: not an image in a format that memscan opens\n" in full.stdout
        assert document(*FEW)["images"]["failed"] == 2

    @pytest.mark.parametrize(("allowed", "code"), [("2", 0), ("1", 3)])
    def test_exit_codes(self, allowed: str, code: int) -> None:
        done = run(EVALUATE, *FEW, "--max-failures", allowed)
        assert done.returncode == code
        assert ("the scan is incomplete" in done.stderr) == (code == 3)
        assert done.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "give one of --images, --pairs and --identities"),
        (["--images", "photos", "--pairs", "a.csv"], "give one of --images, --pairs and"),
        (["--images", "nowhere"], "nowhere: there is no such file or directory"),
        (
            ["--images", "photos", "--detectors", "sscd"],
            "sscd: no such detector; there are phash, ",
        ),
        (["--images", "photos", "--edits", "melt"], "melt: no such edit or group of edits; "),
        (["--images", "photos", "--seed", "-1"], "Invalid value for '--seed'"),
        (["--images", "photos", "--limit", "3"], "Invalid value for '--limit'"),
        (["--identities", "bad.csv", "--limit", "4"], "--limit is for --images"),
        (
            ["--identities", "bad.csv", "--protocol", "robustness", "--limit", "4"],
            "--limit is for --images",
        ),
        (["--images", "photos", "--output", "a.csv"], "a.csv: the name of an output must end in"),
        (["--images", "photos", "--jobs", "0"], "Invalid value for '--jobs'"),
        (["--images", "photos/0.png"], "an evaluation needs four images that can be read, here"),
        (["--pairs", "none.csv"], "none.csv: cannot be read: No such file or directory"),
        (["--pairs", "photos/0.png"], "photos/0.png: "),
        (["--pairs", "bad.csv"], "bad.csv: line 2: the label 'x' is neither 1 nor 0"),
        (["--identities", "bad.csv"], "bad.csv: the first line must name the columns path, id"),
        (["--images", "\x1b[31m"], r"\x1b[31m: there is no such file"),
    ],
)
def test_unusable_input_ends_with_one_sentence_and_2(arguments: list[str], sentence: str) -> None:
    Path("bad.csv").write_text("path_a,path_b,label\na.png,b.png,x\n")
    done = run(EVALUATE, *arguments)
    assert (done.stdout, done.returncode) == ("", 2)
    assert done.stderr.splitlines()[-1].startswith(f"Error: {sentence}")


def test_an_unwritable_output_ends_with_70_before_any_work() -> None:
    done = run(EVALUATE, *FEW, "--output", "no/where.json")
    assert (done.stdout, done.returncode) == ("", 70)


@needs_posix
def test_hostile_names_are_shown_inert() -> None:
    shutil.copy("photos/0.png", os.fsdecode(b"photos/\x1b[31m\n\xff.png"))
    for format in ("text", "json"):
        done = run(EVALUATE, *FEW, "--format", format)
        assert done.returncode == 0, done.stderr
        assert "\x1b" not in done.stdout
        assert "\udcff" not in done.stdout


class TestProtocols:
    @pytest.mark.parametrize("protocol", ["reidentification", "classes"])
    def test_a_table_of_all_detectors(self, protocol: str) -> None:
        options = ["--protocol", protocol, "--images", "photos", "--detectors", "ssim,ncc,phash"]
        done = run(EVALUATE, *options, "--output", "a.json")
        assert (done.stderr, done.returncode) == ("", 0)
        assert done.stdout.startswith(f"Protocol {protocol}: ")
        assert "Thresholds fitted on 4 images, numbers from 4 others; seed 0." in done.stdout
        made = json.loads(Path("a.json").read_text())
        assert [detector["name"] for detector in made["detectors"]] == ["ssim", "ncc", "phash"]
        assert run(EVALUATE, *options, "--jobs", "1", "--format", "json").stdout == (
            Path("a.json").read_text()
        )

    def test_robustness_on_a_list_with_splits(self) -> None:
        lines = [f"photos/{n}.png,{n},{'val' if n < 2 else 'test'}" for n in range(4)]
        Path("list.csv").write_text("\n".join(["path,id,split", *lines, "photos/5.png,5,train"]))
        made = document("--protocol", "robustness", "--identities", "list.csv")
        assert len(made["parts"]) == 1 + 24
        assert made["images"]["calibration"] == made["images"]["reported"] == 2
        assert made["images"]["ignored"] == 1
        assert made["parts"][0]["counts"] == {"right": 48, "unrelated": 48}

    def test_a_page_is_written(self) -> None:
        pytest.importorskip("jinja2", reason="Jinja2 is not installed (it comes with an extra)")
        done = run(EVALUATE, "--protocol", "classes", "--images", "photos", "--output", "a.html")
        assert done.returncode == 0, done.stderr
        assert "memscan evaluation: classes" in Path("a.html").read_text(encoding="utf-8")

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (["--pairs", "a.csv"], "--pairs and --edits are not for a protocol"),
            (["--images", "photos", "--edits", "crop"], "--pairs and --edits are not for a"),
            (["--images", "photos", "--detectors", "lcmem"], "lcmem: needs its weights, as"),
            (["--images", "photos", "--weights", "w.safetensors"], "w.json: there is no such card"),
            (["--images", "photos/1.png"], "the calibration half needs two images that can be"),
        ],
    )
    def test_what_cannot_be_done_ends_with_one_sentence(
        self, arguments: list[str], sentence: str
    ) -> None:
        done = run(EVALUATE, "--protocol", "robustness", *arguments)
        assert (done.stdout, done.returncode) == ("", 2)
        assert done.stderr.splitlines()[-1].startswith(f"Error: {sentence}")
