"""Learned detectors on the command line, with a network of a few lines of numpy."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import NamedTuple

import pytest

from memscan.cli import memscan
from memscan.cli.process import ExitCode, run_command
from tests.cli.running import DETECT, MEMSCAN, run
from tests.drawing import picture, save
from tests.networks import card, weights

SCAN = ("detect", "--target", "generated", "--source", "training_data", "-r", "--no-cache")


class Done(NamedTuple):
    code: int
    out: str
    error: str


@pytest.fixture
def learned(work: Path) -> Path:
    """The working directory, with weights of every kind."""
    save(picture(2).rotate(3), work / "generated/turned.png")
    weights(work / "deepssim.safetensors", card())
    weights(work / "raw.safetensors", card(calibration=None))
    weights(work / "lcmem.safetensors", card("lcmem"), b"others")
    weights(work / "mine.onnx", card("encoder"))
    return work


def here(capsysbinary: pytest.CaptureFixture[bytes], *arguments: str) -> Done:
    """Run a command in this process, where weights open as the tests want."""
    code = run_command(memscan, arguments)
    out, error = capsysbinary.readouterr()
    return Done(code, out.decode(), error.decode())


pytestmark = pytest.mark.usefixtures("grey_networks", "learned")
Capture = pytest.CaptureFixture[bytes]


@pytest.mark.parametrize(
    ("kind", "file"), [("deepssim", "deepssim.safetensors"), ("encoder", "mine.onnx")]
)
def test_a_scan_by_a_learned_detector(capsysbinary: Capture, kind: str, file: str) -> None:
    done = here(capsysbinary, *SCAN, "--detector", kind, "--weights", file)
    assert (done.code, done.error) == (0, "")
    assert f"[+] Compared by {kind} tiny (weights sha256 " in done.out
    assert "Score: 1.0000\nVerdict: Identical" in done.out
    assert "bit" not in done.out


def test_the_gate(capsysbinary: Capture) -> None:
    gate = (*SCAN, "--quiet", "--detector", "deepssim", "--fail-on")
    for file, level, code in (
        ("deepssim.safetensors", "identical", ExitCode.REFUSED),
        ("deepssim.safetensors", "near-duplicate", ExitCode.REFUSED),
        ("raw.safetensors", "near-duplicate", ExitCode.DONE),
        ("raw.safetensors", "review", ExitCode.REFUSED),
    ):
        assert here(capsysbinary, *gate, level, "--weights", file).code == code, (file, level)


def test_a_card_that_was_edited_after_its_calibration(capsysbinary: Capture, learned: Path) -> None:
    edited = learned / "deepssim.json"
    edited.write_text(edited.read_text().replace('"fit": "stretch"', '"fit": "pad"'))
    chosen = ("--detector", "deepssim", "--weights", "deepssim.safetensors")
    sentence = (
        "deepssim.json: counts as not calibrated: the input, the cuts or another setting was "
        "changed since the calibration; run memscan calibrate again"
    )
    scan = here(capsysbinary, *SCAN, *chosen, "--format", "json", "--fail-on", "near-duplicate")
    assert (scan.code, scan.error) == (ExitCode.DONE, f"Warning: {sentence}\n")
    document = json.loads(scan.out)
    assert document["warnings"] == [sentence]
    assert document["detector"]["calibration"] is None
    images = ("generated/identical.png", "training_data/class_A/img_0.png")
    pair = here(capsysbinary, "compare", *images, *chosen)
    assert (pair.code, pair.error) == (ExitCode.DONE, f"Warning: {sentence}\n")
    assert "not calibrated" in pair.out


def test_candidates_of_a_hash_are_confirmed(capsysbinary: Capture) -> None:
    verify = ("--verify", "lcmem", "--weights", "lcmem.safetensors", "--format", "json")
    done = here(capsysbinary, *SCAN, "--distinct-threshold", "20", *verify)
    document = json.loads(done.out)
    assert document["detector"] is None
    assert document["verifier"]["kind"] == "lcmem"
    assert document["options"]["weights"] == ["lcmem.safetensors"]
    found = {item["target"]: item for item in document["findings"]}
    assert found["generated/identical.png"]["matches"][0]["confirmation"] == 1.0
    assert isinstance(found["generated/identical.png"]["distance"], int)
    assert found["generated/turned.png"]["reasons"] == ["verified"]
    assert found["generated/turned.png"]["verdict"] == "Near-Duplicate"
    assert "confirmation" not in found["generated/other.png"]["matches"][0]


def test_both_at_once_in_every_format(capsysbinary: Capture) -> None:
    both = ("--detector", "deepssim", "--verify", "lcmem")
    files = ("--weights", "lcmem.safetensors", "--weights", "deepssim.safetensors")
    for format in ("text", "json", "jsonl", "csv", "junit"):
        done = here(capsysbinary, *SCAN, *both, *files, "--format", format)
        assert (done.code, done.error) == (0, ""), format
        assert "0.0000" in done.out or '"distance": 0.0' in done.out or ",0.0," in done.out
    rows = csv.DictReader(
        io.StringIO(here(capsysbinary, *SCAN, *both, *files, "--format", "csv").out)
    )
    scores = {row["target"]: (row["score"], row["confirmation"]) for row in rows}
    assert scores["generated/identical.png"] == ("1.0", "1.0")


def test_the_report_says_how_to_scan_again(capsysbinary: Capture, learned: Path) -> None:
    pytest.importorskip("jinja2", reason="the extra 'report' is not installed")
    asked = ("--detector", "encoder", "--trust-weights", "--weights", "mine.onnx")
    assert here(capsysbinary, *SCAN, *asked, "--output", "audit.html").code == 0
    page = (learned / "audit.html").read_text()
    assert (
        "memscan detect --target generated --source training_data --recursive --trust-weights "
        "--weights mine.onnx --detector encoder</code>"
    ) in page


def test_a_baseline_of_a_detector(capsysbinary: Capture) -> None:
    scan = (*SCAN, "--quiet", "--detector", "deepssim", "--weights", "deepssim.safetensors")
    kept = ("--baseline", "accepted.json", "--fail-on", "review")
    made = here(capsysbinary, *scan, *kept, "--update-baseline")
    assert made.code == 0
    assert "pairs were added to the baseline accepted.json\n" in made.error
    assert not made.error.startswith("0 ")
    assert here(capsysbinary, *scan, *kept).code == 0
    by_hash = here(capsysbinary, *SCAN, *kept)
    assert by_hash.code == ExitCode.UNUSABLE_INPUT
    assert "a baseline made with the weights of" in by_hash.error
    other = here(capsysbinary, *scan[:-1], "raw.safetensors", *kept)
    assert other.code == 0  # the same bytes of weights, whatever the card says


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--detector", "deepssim"], "--detector deepssim needs --weights FILE"),
        (["--weights", "mine.onnx"], "mine.onnx: weights of the kind encoder, not asked for"),
        (["--detector", "deepssim", "--hash", "phash"], "--detector and --hash exclude each other"),
        (["--detector", "lcmem"], "'lcmem' is not one of"),
        (["--verify", "deepssim"], "'deepssim' is not"),
    ],
)
def test_what_does_not_fit_is_one_sentence(
    capsysbinary: Capture, arguments: list[str], sentence: str
) -> None:
    done = here(capsysbinary, *SCAN, *arguments)
    assert (done.code, done.out) == (ExitCode.UNUSABLE_INPUT, "")
    assert sentence in done.error
    assert "Traceback" not in done.error


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        (["--fast"], "Error: fast decoding was measured for phash only, not for deepssim\n"),
        (["--hash-column", "h"], "Error: a column of hashes is compared by a hash, "),
        (["--near-threshold", "4"], "Error: thresholds in bits are for hashes; "),
    ],
)
def test_what_a_detector_does_not_do(
    capsysbinary: Capture, option: list[str], sentence: str
) -> None:
    given = ("--detector", "deepssim", "--weights", "deepssim.safetensors")
    done = here(capsysbinary, *SCAN, *given, *option)
    assert done.code == ExitCode.UNUSABLE_INPUT
    assert done.error.startswith(sentence)
    assert done.error.count("\n") == 1


class TestCompare:
    """One pair."""

    def test_the_score_of_a_calibrated_detector(self, capsysbinary: Capture) -> None:
        pair = ("generated/identical.png", "training_data/class_A/img_0.png")
        asked = ("--detector", "lcmem", "--weights", "lcmem.safetensors")
        done = here(capsysbinary, "compare", *pair, *asked)
        assert done.out == (
            "A: generated/identical.png\n"
            "B: training_data/class_A/img_0.png\n"
            "Detector: lcmem tiny (weights sha256 01db91d06032)\n"
            "Score: 1.0000\n"
            "Cuts: duplicate from 0.9, similar from 0.6\n"
            "Class: duplicate\n"
            "The detector is calibrated: at the cut of duplicates 0.0005 of 20,000 unrelated pairs "
            "passed (0.001 was asked for) and 0.9 of 100 right ones\n"
        )

    def test_the_score_of_another(self, capsysbinary: Capture) -> None:
        pair = ("generated/other.png", "training_data/class_A/img_0.png")
        asked = ("--detector", "deepssim", "--weights", "raw.safetensors")
        done = here(capsysbinary, "compare", *pair, *asked)
        assert done.out.endswith(
            "Class: different\n"
            "The detector is not calibrated, so what it finds is worth a review and no more\n"
        )

    def test_what_does_not_fit(self, capsysbinary: Capture) -> None:
        pair = ("compare", "generated/other.png", "broken.png")
        asked = ("--detector", "deepssim", "--weights", "raw.safetensors")
        for arguments, sentence in (
            (asked, "broken.png: "),
            (("--hash", "pdq", *asked), "--detector and --hash exclude each other"),
            (asked[2:], "raw.safetensors: weights of the kind deepssim, not asked for"),
        ):
            done = here(capsysbinary, *pair, *arguments)
            assert done.code == ExitCode.UNUSABLE_INPUT
            assert sentence in done.error


BLOCKER = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "onnxruntime", "safetensors", "diffusers"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocker())
"""


class TestWithoutTorch:
    """The base install has none of it."""

    @pytest.mark.parametrize(
        ("kind", "file", "option"),
        [
            ("deepssim", "deepssim.safetensors", "--detector"),
            ("lcmem", "lcmem.safetensors", "--verify"),
        ],
    )
    def test_one_sentence_names_the_extra(
        self, learned: Path, kind: str, file: str, option: str
    ) -> None:
        (learned / "blocked").mkdir()
        (learned / "blocked/sitecustomize.py").write_text(BLOCKER)
        site = {"PYTHONPATH": f"{learned / 'blocked'}:{Path(__file__).parents[2]}"}
        done = run(MEMSCAN, *SCAN, option, kind, "--weights", file, env=site)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("Error: this needs torch, which is not installed: pip")
        assert "'memscan[learned]'" in done.stderr
        assert done.stderr.count("\n") == 1
        assert run(MEMSCAN, *SCAN, env=site).returncode == 0

    @pytest.mark.parametrize(
        "statement",
        [
            "import memscan; memscan.detect",
            "from memscan.cli import memscan; memscan(['detect', '--help'], standalone_mode=False)",
            "from memscan.cli import memscan; memscan(['compare', '-h'], standalone_mode=False)",
            f"from memscan.cli import memscan; memscan({list(SCAN)!r}, standalone_mode=False)",
        ],
    )
    def test_a_plain_scan_loads_none_of_it(self, statement: str) -> None:
        code = (
            f"import sys; {statement}\n"
            "heavy = {'torch', 'onnxruntime', 'diffusers', 'safetensors', 'faiss'}\n"
            "sys.exit(', '.join(sorted(heavy & set(sys.modules))) or 0)"
        )
        done = run([MEMSCAN[0], "-c", code])
        assert (done.returncode, done.stderr) == (0, "")


def test_detect_py_takes_the_options_too() -> None:
    asked = ("--target", "generated", "--source", "training_data", "-r", "--detector", "deepssim")
    done = run(DETECT, *asked)
    assert done.returncode == 2
    assert "--detector deepssim needs --weights FILE" in done.stderr
