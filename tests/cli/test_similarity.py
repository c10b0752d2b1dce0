from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from memscan.detectors.opening import open_detector
from tests.cli.running import MEMSCAN, run
from tests.detectors import networks
from tests.detectors.small import lcmem_in, needs_diffusers
from tests.drawing import picture, save

SIMILARITY = [*MEMSCAN, "similarity"]
PLACES = ("--target", "generated", "--source", "training_data", "-r")


@pytest.fixture
def weights(work: Path) -> list[str]:
    """A network in ONNX that sees differences of colours, and how the command is told of it."""
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    networks.write_onnx(work / "model.onnx")
    taken = {"width": 16, "height": 16, "channels": 3, "standardised": True}
    cuts = {"duplicate": 0.9, "similar": 0.5}
    networks.write_card(work / "model.onnx", input=taken, cuts=cuts)
    half = picture(2)
    half.paste(picture(50).crop((0, 0, 32, 64)), (0, 0))
    save(half, work / "generated/half.png")
    (work / "generated/broken.png").write_bytes(b"broken")
    return ["--detector", "encoder", "--weights", "model.onnx"]


def test_scores_that_are_no_cosines_are_compared(work: Path) -> None:
    needs_diffusers()
    lcmem_in(work / "network")
    chosen = ("--detector", "lcmem", "--weights", "network/model.safetensors")
    done = run(SIMILARITY, *PLACES, *chosen, "--output", "m.npz", "--format", "json")
    assert done.returncode == 0, done.stderr
    with np.load("m.npz") as matrix:
        names, scores = [matrix[side].tolist() for side in ("targets", "sources")], matrix["scores"]
    detector = open_detector("network/model.safetensors", device="cpu")
    rows, columns = (
        detector.embed(np.stack([detector.prepare(Image.open(name)) for name in side]))
        for side in names
    )
    assert scores == pytest.approx(detector.scores(rows, columns), abs=1e-5)
    assert np.ptp(scores) > 0.01


def test_the_output_byte_for_byte(weights: list[str]) -> None:
    done = run(SIMILARITY, *PLACES, *weights, "--top", "2")
    assert done.stdout == (
        "Comparing by encoder (a tiny network)...\n"
        "[+] Found 5 target images in generated\n"
        "[!] Could not read 1 images (--verbose lists them)\n"
        "[+] Found 6 source images in training_data\n"
        "\n"
        "Most alike\n"
        "----------------------------------------\n"
        " 1.000 duplicate  generated/identical.png\n"
        "                  training_data/class_A/img_0.png\n"
        " 0.821 similar    generated/half.png\n"
        "                  training_data/class_A/img_2.png\n"
        "and 2 other targets (--top shows more, JSON has all)\n"
        "\n"
        "Cuts                           card\n"
        "----------------------------------------\n"
        "Similar from                  0.500\n"
        "Duplicate from                0.900\n"
        "Different pairs                  19\n"
        "Similar pairs                     4\n"
        "Duplicate pairs                   1\n"
        "Different targets                 1\n"
        "Similar targets                   2\n"
        "Duplicate targets                 1\n"
        "\n"
        "Summary\n"
        "----------------------------------------\n"
        "Targets: 4, sources: 6\n"
        "Targets with a duplicate: 1 (25.0%, 95% interval 0.6% to 80.6%)\n"
        "Targets with a similar source or a duplicate: 3 (75.0%, 95% interval 19.4% to 99.4%)\n"
        "Classes are by the cuts of the card.\n"
        "They are not calibrated: a class is a reason to look, and no verdict.\n"
        "Not read: 1\n"
    )
    assert (done.stderr, done.returncode) == ("", 0)


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help(flag: str) -> None:
    done = run(SIMILARITY, flag)
    assert done.stdout.startswith("Usage: ")
    assert done.returncode == 0


def test_a_labelled_report_byte_for_byte(weights: list[str], work: Path) -> None:
    rows = ["path_a,path_b,label,ssim,split"]
    for split in ("val", "test"):
        rows += [
            f"generated/identical.png,training_data/class_A/img_0.png,duplicate,1,{split}",
            f"generated/near.jpg,training_data/class_B/img_1.png,duplicate,0.9,{split}",
            f"generated/half.png,training_data/class_A/img_2.png,similar,0.5,{split}",
            f"generated/other.png,training_data/class_A/img_2.png,different,0,{split}",
        ]
    (work / "labels.csv").write_text("\n".join(rows) + "\n")
    done = run(SIMILARITY, *PLACES, *weights, "--labels", "labels.csv", "--top", "0")
    assert done.stderr == ""
    assert done.stdout[done.stdout.index("Cuts ") :] == (
        "Cuts                           card     fitted\n"
        "----------------------------------------\n"
        "Similar from                  0.500      0.553\n"
        "Duplicate from                0.900      0.910\n"
        "Different pairs                  19         19\n"
        "Similar pairs                     4          4\n"
        "Duplicate pairs                   1          1\n"
        "Different targets                 1          1\n"
        "Similar targets                   2          2\n"
        "Duplicate targets                 1          1\n"
        "\n"
        "4 labelled pairs               card     fitted\n"
        "----------------------------------------\n"
        "Macro F1                      0.778      0.778\n"
        "Different: precision          1.000      1.000\n"
        "Different: recall             1.000      1.000\n"
        "Similar: precision            0.500      0.500\n"
        "Similar: recall               1.000      1.000\n"
        "Duplicate: precision          1.000      1.000\n"
        "Duplicate: recall             0.500      0.500\n"
        "Mean absolute error of SSIM: 0.203\n"
        "Spearman's correlation with SSIM: 0.800\n"
        "Fitted on 4 other pairs.\n"
        "\n"
        "Summary\n"
        "----------------------------------------\n"
        "Targets: 4, sources: 6\n"
        "Targets with a duplicate: 1 (25.0%, 95% interval 0.6% to 80.6%)\n"
        "Targets with a similar source or a duplicate: 3 (75.0%, 95% interval 19.4% to 99.4%)\n"
        "Classes are by the fitted cuts.\n"
        "Not read: 1\n"
    )


def test_outputs_are_written_and_their_size_is_said(weights: list[str], work: Path) -> None:
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    outputs = ("--output", "m.npz", "--output", "m.parquet")
    done = run(SIMILARITY, *PLACES, *weights, *outputs, "--heat-maps", "heat", "--top", "2")
    assert done.stderr == (
        "m.npz: 4 targets x 6 sources are 24 scores, about 96 bytes\n"
        "m.parquet: 4 targets x 6 sources are 24 scores, about 144 bytes\n"
        "heat: 2 pairs were drawn; index.html shows them\n"
    )
    with np.load(work / "m.npz") as matrix:
        assert matrix["scores"].shape == (4, 6)
    assert sorted(path.name for path in (work / "heat").iterdir()) == [
        "0001.png",
        "0002.png",
        "index.html",
        "index.json",
    ]
    with Image.open(work / "heat/0001.png") as image:
        assert image.width == 664
    about = (
        "Classes are by the cuts of the card. "
        "They are not calibrated: a class is a reason to look, and no verdict."
    )
    assert json.loads((work / "heat/index.json").read_text())["about_classes"] == about
    assert f"<p>{about}</p>" in (work / "heat/index.html").read_text()


def test_json_has_all_targets(weights: list[str]) -> None:
    done = run(SIMILARITY, *PLACES, *weights, "--format", "json", "--top", "0")
    document = json.loads(done.stdout)
    assert [(one["target"], one["class"]) for one in document["nearest"]] == [
        ("generated/half.png", "similar"),
        ("generated/identical.png", "duplicate"),
        ("generated/near.jpg", "similar"),
        ("generated/other.png", "different"),
    ]
    assert document["judged_by"] == "card"
    assert document["summary"]["targets"] == 4
    assert document["failures"][0]["path"] == "generated/broken.png"


def test_a_calibration_of_which_nobody_noted_the_settings(weights: list[str], work: Path) -> None:
    card = json.loads((work / "model.json").read_text())
    card["sha256"] = hashlib.sha256((work / "model.onnx").read_bytes()).hexdigest()
    card["calibration"] = {
        "rate": 1e-3,
        "observed": 1e-3,
        "recall": 0.9,
        "positives": 10,
        "negatives": 1000,
    }
    (work / "model.json").write_text(json.dumps(card))
    done = run(SIMILARITY, *PLACES, *weights)
    assert done.returncode == 0, done.stderr
    assert (
        "Warning: model.json: counts as not calibrated: an earlier memscan did not note for which "
        "input and cuts the calibration is; run memscan calibrate again\n"
    ) in done.stderr
    assert "They are not calibrated" in done.stdout


def test_what_cannot_be_done_is_refused_before_any_work(weights: list[str], work: Path) -> None:
    full = run(SIMILARITY, *PLACES, *weights, "--heat-maps", "generated")
    assert full.stderr.startswith("Error: generated: not empty")
    suffix = run(SIMILARITY, *PLACES, *weights, "--output", "m.csv")
    assert suffix.stderr == (
        "Error: m.csv: the name of an output must end in one of .npz, .parquet\n"
    )
    kind = run(SIMILARITY, *PLACES, "--detector", "lcmem", "--weights", "model.onnx")
    assert "encoder" in kind.stderr
    missing = run(SIMILARITY, *PLACES, "--detector", "encoder")
    assert (
        missing.stderr
        == "Error: --detector encoder needs --weights FILE whose card says that it is encoder\n"
    )
    empty = run(SIMILARITY, "--target", "generated", "--source", "heat", *weights)
    maps = run(SIMILARITY, *PLACES, *weights, "--heat-maps", "heat", "--heat-by", "layercam")
    assert maps.stderr.startswith("Error: heat maps by layercam need feature maps, which only deep")
    assert not (work / "heat").exists()
    for done in (full, suffix, kind, missing, empty, maps):
        assert (done.stdout, done.returncode) == ("", 2)


def test_images_that_cannot_be_read_are_named_and_counted(weights: list[str]) -> None:
    done = run(SIMILARITY, *PLACES, *weights, "--verbose", "--max-failures", "0")
    assert "    generated/broken.png: " in done.stdout
    assert "--max-failures allows 0" in done.stderr
    assert done.returncode == 3


def test_targets_among_the_sources_are_told_of(weights: list[str]) -> None:
    itself = ("--target", "training_data", "--source", "training_data", "-r", *weights)
    done = run(SIMILARITY, *itself)
    assert done.stderr.startswith("Warning: targets that lie in the source match themselves: 6")
    done = run(SIMILARITY, *itself, "--exclude-self")
    assert done.stderr == ""
