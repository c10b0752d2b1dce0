from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from tests.cli.running import MEMSCAN, environment, run
from tests.drawing import claim_size, needs_posix, picture, save

DUPLICATES = [*MEMSCAN, "duplicates"]


@pytest.fixture(autouse=True)
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four pictures, one of them in a second file, and a flat image."""
    monkeypatch.chdir(tmp_path)
    for seed in range(4):
        save(picture(seed), Path(f"photos/{seed}.png"))
    save(picture(2), Path("photos/more/copy.png"))
    save(Image.new("RGB", (40, 40), "red"), Path("photos/red.png"))


def test_the_output_byte_for_byte() -> None:
    done = run(DUPLICATES, "photos", "-r")
    assert done.stdout == (
        "Looking for near-duplicates (distance 5 or less)...\n"
        "[+] Found 6 images in photos\n"
        "[!] Left out 1 low-information images (--verbose lists them)\n"
        "\n"
        "Group 1: 2 images, largest distance 0\n"
        "----------------------------------------\n"
        "Distance 0: photos/2.png\n"
        "Distance 0: photos/more/copy.png\n"
        "\n"
        "Summary\n"
        "----------------------------------------\n"
        "Images compared: 5\n"
        "Groups: 1\n"
        "Images in groups: 2\n"
        "Removable if each group keeps one: 1 (16.7% of 6)\n"
        "Low-information: 1\n"
        "Not read: 0\n"
    )
    assert (done.stderr, done.returncode) == ("", 0)


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help(flag: str) -> None:
    done = run(DUPLICATES, flag)
    assert done.stdout.startswith("Usage: ")
    assert done.returncode == 0


def test_several_directories_are_one_collection() -> None:
    done = run(DUPLICATES, "photos", "photos/more", "--format", "json")
    document = json.loads(done.stdout)
    assert document["source"]["paths"] == ["photos", "photos/more"]
    (group,) = document["groups"]
    assert [member["path"] for member in group["members"]] == [
        "photos/2.png",
        "photos/more/copy.png",
    ]


def test_options_reach_the_search() -> None:
    assert "Groups: 0\n" in run(DUPLICATES, "photos", "-r", "--exclude", "more").stdout
    assert "Group 1: 5 images" in run(DUPLICATES, "photos", "-r", "--near-threshold", "64").stdout
    limited = run(DUPLICATES, "photos", "-r", "--max-pixels", "1600")
    assert "[!] Could not read 5 images" in limited.stdout


@needs_posix
def test_links_are_followed_when_asked() -> None:
    os.symlink("photos", "link")
    assert "Found 6 images in ." in run(DUPLICATES, ".", "-r").stdout
    done = run(DUPLICATES, "link", "-r", "--follow-symlinks")
    assert "Distance 0: link/more/copy.png\n" in done.stdout


def test_files_hold_what_stdout_shows() -> None:
    names = ["a.txt", "a.json", "a.csv"]
    done = run(
        DUPLICATES, "photos", "-r", "--verbose", *[w for n in names for w in ("--output", n)]
    )
    assert Path("a.txt").read_text() == done.stdout
    for format in ("json", "csv"):
        shown = run(DUPLICATES, "photos", "-r", "--format", format).stdout
        assert Path(f"a.{format}").read_text() == shown
    assert [row["path"] for row in csv.DictReader(io.StringIO(Path("a.csv").read_text()))] == [
        "photos/2.png",
        "photos/more/copy.png",
        "photos/red.png",
    ]


def test_the_same_images_give_the_same_bytes() -> None:
    outputs = {
        run(DUPLICATES, "photos", "-r", "--format", "json", *options).stdout
        for options in (["--jobs", "1"], ["--jobs", "3"], ["--no-cache"], [], [])
    }
    assert len(outputs) == 1


class TestFailures:
    @pytest.fixture(autouse=True)
    def broken(self, photos: None) -> None:
        Path("photos/broken.png").write_bytes(b"broken")
        claim_size(Path("photos/huge.png"), 50_000, 50_000)

    def test_they_are_counted_and_named_when_asked(self) -> None:
        brief = run(DUPLICATES, "photos")
        assert "[!] Could not read 2 images (--verbose lists them)\n" in brief.stdout
        assert brief.stdout.endswith("Not read: 2\n")
        assert brief.returncode == 0
        full = run(DUPLICATES, "photos", "--verbose")
        assert "    photos/broken.png: not an image in a format that memscan opens\n" in full.stdout
        assert "    photos/red.png\n" in full.stdout
        assert "photos/broken.png" not in brief.stdout

    @pytest.mark.parametrize(
        ("options", "code"),
        [
            ([], 0),
            (["--max-failures", "2"], 0),
            (["--max-failures", "1"], 3),
            (["--fail-on-duplicates"], 3),
            (["--fail-on-duplicates", "--max-failures", "2"], 0),
            (["--fail-on-duplicates", "-r"], 1),
        ],
    )
    def test_exit_codes(self, options: list[str], code: int) -> None:
        done = run(DUPLICATES, "photos", *options)
        assert done.returncode == code
        assert ("the scan is incomplete" in done.stderr) == (code == 3)
        assert done.stdout


def test_the_gate_lets_a_clean_collection_pass() -> None:
    assert run(DUPLICATES, "photos", "--fail-on-duplicates").returncode == 0
    assert run(DUPLICATES, "photos", "-r", "--fail-on-duplicates").returncode == 1


def test_quiet_prints_what_needs_attention() -> None:
    assert run(DUPLICATES, "photos", "--quiet").stdout == ""
    assert "Group 1" in run(DUPLICATES, "photos", "-r", "--quiet").stdout
    Path("photos/broken.png").write_bytes(b"broken")
    assert "Could not read 1 images" in run(DUPLICATES, "photos", "--quiet").stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "Missing argument 'DIR...'"),
        (["nowhere"], "nowhere: there is no such file or directory"),
        ([""], "an empty path was given as a directory"),
        (["photos", "--near-threshold", "65"], "Invalid value for '--near-threshold'"),
        (["photos", "--output", "a.jsonl"], "a.jsonl: the name of an output must end in one of"),
        (["photos", "--format", "jsonl"], "Invalid value for '--format'"),
        (["photos", "--jobs", "0"], "Invalid value for '--jobs'"),
        (["\x1b[31m"], r"\x1b[31m: there is no such file"),
    ],
)
def test_unusable_input_ends_with_one_sentence_and_2(arguments: list[str], sentence: str) -> None:
    done = run(DUPLICATES, *arguments)
    assert (done.stdout, done.returncode) == ("", 2)
    assert done.stderr.splitlines()[-1].startswith(f"Error: {sentence}")


def test_an_unwritable_output_ends_with_70_before_the_search() -> None:
    done = run(DUPLICATES, "photos", "--output", "no/where.json")
    assert (done.stdout, done.returncode) == ("", 70)


def test_a_cache_that_is_of_no_use_is_a_warning() -> None:
    Path("file").write_text("no directory")
    done = run(DUPLICATES, "photos", "-r", "--cache-dir", "file/cache")
    assert "Group 1: 2 images" in done.stdout
    assert done.stderr.startswith("Warning: ")
    assert (done.stderr.count("\n"), done.returncode) == (1, 0)


def test_the_cache_serves_the_scan_too() -> None:
    run(DUPLICATES, "photos", "-r", "--cache-dir", "kept")
    assert "Images: 6 " in run(MEMSCAN, "cache", "--cache-dir", "kept", "info").stdout


@needs_posix
def test_hostile_names_are_shown_inert() -> None:
    hostile = os.fsdecode(b"photos/\x1b[31m\n\xff.png")
    shutil.copy("photos/0.png", hostile)
    for format in ("text", "json", "csv"):
        done = run(DUPLICATES, "photos", "--format", format)
        assert done.returncode == 0, done.stderr
        assert "\x1b" not in done.stdout
        assert "\udcff" not in done.stdout
        assert r"\xff.png" in done.stdout


@needs_posix
def test_a_closed_pipe_ends_quietly_and_keeps_the_exit_code() -> None:
    command = " ".join(f"'{word}'" for word in DUPLICATES)
    line = f"{command} photos -r --fail-on-duplicates | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", line], capture_output=True, text=True, env=environment(), check=False
    )
    assert (done.stderr, done.returncode) == ("", 1)
