from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any, Callable, NamedTuple

import pytest

from memscan.cli import memscan
from memscan.cli.process import run_command
from memscan.detectors import cards
from tests.cli.running import MEMSCAN, run
from tests.detectors.networks import write_card, write_onnx, write_script
from tests.drawing import needs_posix, picture, save

pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

LOOSE = ["--rate", "0.1", "--similar-rate", "0.5"]
IDENTITIES = ["tiny.onnx", "--identities", "list.csv", *LOOSE]


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network, and eight pictures in two sizes, with lists of all of them."""
    monkeypatch.chdir(tmp_path)
    write_onnx(Path("tiny.onnx"))
    lines, pairs = ["path,id"], ["path_a,path_b,label"]
    for seed in range(8):
        for size in (40, 60):
            save(picture(seed, (size, size)), Path(f"photos/{seed}_{size}.png"))
            lines.append(f"photos/{seed}_{size}.png,{seed}")
        for other in range(8):
            pairs.append(f"photos/{seed}_40.png,photos/{other}_60.png,{int(seed == other)}")
    Path("list.csv").write_text("\n".join(lines))
    Path("pairs.csv").write_text("\n".join(pairs))


def card() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(Path("tiny.json").read_text())
    return document


class Done(NamedTuple):
    """What :class:`subprocess.CompletedProcess` says, of a command that ran in this process."""

    stdout: str
    stderr: str
    returncode: int


Calibrate = Callable[..., Done]
Fitted = Callable[..., Any]


@pytest.fixture
def calibrate(capsys: pytest.CaptureFixture[str]) -> Calibrate:
    """Runs the command here, where libraries are loaded once for all tests."""

    def here(*arguments: str) -> Done:
        code = run_command(memscan, ["calibrate", "--weights", *arguments])
        return Done(*capsys.readouterr(), code)

    return here


@pytest.fixture
def fitted(calibrate: Calibrate) -> Fitted:
    """Runs the command, and gives its document."""

    def document(*arguments: str) -> Any:
        done = calibrate(*arguments, "--format", "json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return document


def test_the_cuts_go_into_the_card(calibrate: Calibrate, fitted: Fitted) -> None:
    write_card(Path("tiny.onnx"), training={"by": "somebody"}, architecture={"output": "embedding"})
    before = cards.read("tiny.onnx")
    assert not before.is_calibrated
    done = calibrate(*IDENTITIES)
    assert (done.returncode, done.stderr) == (0, "The cuts stand in tiny.json\n")
    document = fitted(*IDENTITIES, "--dry-run")
    after = card()
    assert after["cuts"] == {
        "duplicate": document["cuts"]["duplicate"]["cut"],
        "similar": document["cuts"]["similar"]["cut"],
    }
    judged = document["cuts"]["duplicate"]["fitted"]
    written = cards.read("tiny.onnx")
    assert after["calibration"] == {
        "rate": 0.1,
        "observed": judged["passed"]["share"],
        "recall": judged["recall"]["share"],
        "positives": 8,
        "negatives": 112,
        "settings": written.settings,
    }
    assert judged["passed"]["count"] == 11
    assert judged["passed"]["high"] > judged["passed"]["share"]
    assert after["sha256"] == hashlib.sha256(Path("tiny.onnx").read_bytes()).hexdigest()
    assert written.is_calibrated
    assert before == dataclasses.replace(
        written, cuts=before.cuts, calibration=None, sha256=before.sha256
    )
    assert sorted(os.listdir()) == ["list.csv", "pairs.csv", "photos", "tiny.json", "tiny.onnx"]


def test_the_table(calibrate: Calibrate) -> None:
    done = calibrate(*IDENTITIES, "--dry-run")
    head, read, columns, duplicate, similar, caveat = done.stdout.splitlines()
    assert head == "Calibrating a tiny network (encoder)..."
    assert read == "[+] Read 16 images"
    assert columns.split() == "cut asked unrelated pairs that pass recall [95 %]".split()
    assert duplicate.startswith("duplicate ")
    assert " 0.1  11 of 112 (0.098, at most 0.17) " in duplicate
    assert duplicate.endswith("100.0 % [63.1, 100.0] of 8")
    assert " 0.5  56 of 112 (0.5, at most 0.6) " in similar
    assert caveat == (
        "The cuts hold for images like these; they are too good if the detector was trained on "
        "any of them."
    )
    assert (done.stderr, done.returncode) == ("", 0)


def test_a_dry_run_writes_nothing(calibrate: Calibrate) -> None:
    before = Path("tiny.json").read_bytes()
    assert calibrate(*IDENTITIES, "--dry-run").returncode == 0
    assert Path("tiny.json").read_bytes() == before


def test_pairs_and_images_are_other_ways(fitted: Fitted) -> None:
    pairs = fitted("tiny.onnx", "--pairs", "pairs.csv", *LOOSE)
    assert pairs["cuts"]["duplicate"]["fitted"]["passed"]["total"] == 56
    assert pairs["cuts"]["duplicate"]["fitted"]["recall"]["total"] == 8
    images = fitted("tiny.onnx", "--images", "photos", *LOOSE, "--exclude", "*_40.png")
    assert images["cuts"]["duplicate"]["fitted"]["passed"]["total"] == 28
    assert images["cuts"]["duplicate"]["fitted"]["recall"]["total"] == 64
    some = ["--edits", "jpeg-50, invert", "--exclude", "*_40.png"]
    edited = fitted("tiny.onnx", "--images", "photos", *LOOSE, *some)
    assert edited["cuts"]["duplicate"]["fitted"]["recall"]["total"] == 16


def test_rows_that_were_kept_apart_are_the_check(calibrate: Calibrate, fitted: Fitted) -> None:
    lines = Path("list.csv").read_text().splitlines()
    split = [f"{line},{'val' if number < 11 else 'test'}" for number, line in enumerate(lines)]
    Path("list.csv").write_text("\n".join(["path,id,split", *split[1:]]))
    document = fitted(*IDENTITIES)["cuts"]["duplicate"]
    assert document["fitted"]["passed"]["total"] == 40
    assert document["check"]["passed"]["total"] == 12
    done = calibrate(*IDENTITIES)
    assert [line.split()[0] for line in done.stdout.splitlines()[3:-1]] == [
        "duplicate",
        "check",
        "similar",
        "check",
    ]


def test_similar_is_ten_times_as_frequent_unless_said_otherwise(fitted: Fitted) -> None:
    document = fitted("tiny.onnx", "--identities", "list.csv", "--rate", "0.02")
    assert document["cuts"]["similar"]["rate"] == pytest.approx(0.2)


def test_torchscript_is_calibrated_on_trust(calibrate: Calibrate) -> None:
    write_script(Path("tiny.pt"))
    arguments = ["tiny.pt", *IDENTITIES[1:]]
    done = calibrate(*arguments)
    assert done.returncode == 2
    assert "--trust-weights" in done.stderr
    trusted = calibrate(*arguments, "--trust-weights")
    assert (trusted.returncode, trusted.stderr) == (0, "The cuts stand in tiny.json\n")


def test_unreadable_images_are_told_and_may_be_too_many(calibrate: Calibrate) -> None:
    Path("photos/3_40.png").write_bytes(b"broken")
    before = Path("tiny.json").read_bytes()
    done = calibrate(*IDENTITIES, "--max-failures", "0", "--verbose")
    assert done.returncode == 3
    assert "photos/3_40.png: " in done.stdout
    assert Path("tiny.json").read_bytes() == before
    done = calibrate(*IDENTITIES)
    assert done.returncode == 0
    assert "[!] Could not read 1 images" in done.stdout
    assert card()["calibration"]["negatives"] == 98


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["tiny.onnx"], "give one of --pairs"),
        (["tiny.onnx", "--pairs", "pairs.csv", "--images", "photos"], "give one of --pairs"),
        (["tiny.onnx", "--pairs", "pairs.csv", "--edits", "invert"], "--edits goes with --images"),
        (["tiny.onnx", "--pairs", "no.csv"], "no.csv: cannot be read"),
        (["tiny.onnx", "--pairs", "list.csv"], "list.csv: the first line must name"),
        (["tiny.onnx", "--images", "photos", "--edits", "no"], "no: no such edit"),
        (["tiny.onnx", "--pairs", "pairs.csv"], "a false-positive rate of 0.0001 needs at least "
         "10,000 unrelated pairs, here are 56"),
        (["tiny.onnx", "--pairs", "pairs.csv", "--rate", "0"], "the false-positive rates must"),
        (["tiny.onnx", "--pairs", "pairs.csv", "--rate", "nan"], "the false-positive rates must"),
        ([*IDENTITIES, "--similar-rate", "0.01"], "the false-positive rates must"),
        ([*IDENTITIES, "--device", "abacus"], "abacus: no such device"),
        (["none.onnx", *IDENTITIES[1:]], "none.json: there is no such card"),
        (["list.csv", *IDENTITIES[1:]], "list.json: there is no such card"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_one_sentence(
    calibrate: Calibrate, arguments: list[str], sentence: str
) -> None:
    before = Path("tiny.json").read_bytes()
    done = calibrate(*arguments)
    assert (done.stdout, done.returncode) == ("", 2)
    assert done.stderr.splitlines()[-1].startswith(f"Error: {sentence}")
    assert Path("tiny.json").read_bytes() == before


@needs_posix
def test_a_card_that_cannot_be_written_ends_with_70_before_any_work(calibrate: Calibrate) -> None:
    if os.geteuid() == 0:
        Path("tiny.json").unlink()
        Path("tiny.json").mkdir()
    else:
        Path("tiny.json").chmod(0o400)
    done = calibrate(*IDENTITIES)
    assert (done.stdout, done.returncode) == ("", 70)


@needs_posix
def test_a_card_behind_a_link_is_replaced_where_it_lies(calibrate: Calibrate) -> None:
    Path("cards").mkdir()
    shutil.move("tiny.json", "cards/real.json")
    Path("tiny.json").symlink_to("cards/real.json")
    assert calibrate(*IDENTITIES).returncode == 0
    assert Path("tiny.json").is_symlink()
    assert "calibration" in json.loads(Path("cards/real.json").read_text())


@needs_posix
def test_hostile_names_are_shown_inert(calibrate: Calibrate) -> None:
    Path(os.fsdecode(b"photos/\x1b[31m\n\xff.png")).write_bytes(b"broken")
    for format in ("text", "json"):
        done = calibrate("tiny.onnx", "--images", "photos", *LOOSE, "--format", format,
                   "--verbose", "--exclude", "*_40.png")  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "\x1b" not in done.stdout
        assert "\udcff" not in done.stdout


def test_a_process_of_its_own() -> None:
    done = run([*MEMSCAN, "calibrate", "--weights"], *IDENTITIES)
    assert (done.returncode, done.stderr) == (0, "The cuts stand in tiny.json\n")
    assert card()["calibration"]["rate"] == 0.1


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help(flag: str) -> None:
    done = run([*MEMSCAN, "calibrate"], flag)
    assert done.stdout.startswith("Usage: ")
    assert done.returncode == 0
