"""Scans by hashes other than pHash of 64 bits."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import imagehash
import numpy as np
import pytest
from PIL import Image, ImageOps

from memscan import pdq
from tests.cli.running import DETECT, MEMSCAN, run
from tests.drawing import picture, save

pytestmark = pytest.mark.usefixtures("work")

SCAN = ["--source", "training_data", "-r", "--target"]
every_other = pytest.mark.parametrize("name", ["dhash", "phash-256", "pdq"])


@every_other
def test_verdicts(name: str) -> None:
    picture(1).save("generated/near.jpg", quality=60)
    done = run(DETECT, *SCAN, "generated", "--hash", name, "--format", "json")
    report = json.loads(done.stdout)
    verdicts = {Path(item["target"]).stem: item["verdict"] for item in report["findings"]}
    assert verdicts == {"identical": "Identical", "near": "Near-Duplicate", "other": "Distinct"}
    assert report["options"]["hash"] == name
    assert report["tool"]["encoder"].startswith(f"{name}-" if name != "phash-256" else name)
    assert {item["chance_basis"] for item in report["findings"]} == {"no-model"}
    assert report["curve"] == []


def test_every_digit_of_a_long_hash_is_shown() -> None:
    target = "generated/identical.png"
    words, quality = pdq.pdq(Image.open(target))
    expected = "".join(f"{word:016x}" for word in words)
    scan = [*SCAN, target, "--hash", "pdq"]
    (finding,) = json.loads(run(DETECT, *scan, "--format", "json").stdout)["findings"]
    assert (finding["hash"], finding["quality"]) == (expected, quality)
    assert finding["matches"][0]["hash"] == expected
    (row,) = csv.DictReader(io.StringIO(run(DETECT, *scan, "--format", "csv").stdout))
    assert (row["target_hash"], row["source_hash"], row["quality"]) == (
        expected,
        expected,
        str(quality),
    )
    text = run(DETECT, *scan, "--verbose").stdout
    assert f"Quality of the target's hash: {quality} of 100\n" in text
    assert "Expected by chance: unknown (no-model)\n" in text


def test_opposite_images_are_nearly_256_bits_apart() -> None:
    grey = np.asarray(picture(5, (64, 64), "L")).astype(int)
    save(Image.fromarray(grey.astype(np.uint8)), Path("one/image.png"))
    save(Image.fromarray((255 - grey).astype(np.uint8)), Path("two/image.png"))
    scan = ["--target", "one/image.png", "--source", "two", "--hash", "phash-256"]
    done = run(DETECT, *scan, "--format", "json")
    (finding,) = json.loads(done.stdout)["findings"]
    hashes = [imagehash.phash(Image.open(f"{x}/image.png"), hash_size=16) for x in ("one", "two")]
    assert finding["distance"] == hashes[0] - hashes[1] > 250  # the mean keeps its sign
    assert finding["verdict"] == "Distinct"


@every_other
def test_views_and_hints(name: str) -> None:
    image = picture(0, (300, 200))
    save(image, Path("training_data/class_A/img_0.png"))
    save(ImageOps.mirror(image), Path("copies/mirrored.png"))
    plain = run(DETECT, *SCAN, "copies/mirrored.png", "--hash", name).stdout
    assert "Verdict: Distinct" in plain
    assert "Note: mirrored, the target matches training_data/class_A/img_0.png" in plain
    seen = run(DETECT, *SCAN, "copies/mirrored.png", "--hash", name, "--views", "training").stdout
    assert "View: mirrored\nVerdict: Distinct" not in seen
    assert "View: mirrored\nVerdict: " in seen


def test_low_quality_is_low_information() -> None:
    done = run(DETECT, "--target", "flat/target.png", "--source", "flat/source", "--hash", "pdq")
    assert "Verdict: Identical" in done.stdout
    assert "Review: low-information" in done.stdout


def test_a_baseline_belongs_to_its_hash() -> None:
    scan = [*SCAN, "generated", "--hash", "pdq", "--baseline", "accepted.json"]
    assert run(DETECT, *scan, "--update-baseline").returncode == 0
    assert json.loads(Path("accepted.json").read_text())["hash"] == "pdq"
    assert run(DETECT, *scan, "--fail-on", "near-duplicate").returncode == 0
    assert run(DETECT, *scan[:-2], "--fail-on", "near-duplicate").returncode == 1
    other = run(DETECT, *SCAN, "generated", "--hash", "dhash", "--baseline", "accepted.json")
    assert other.returncode == 2
    assert other.stderr == ("Error: accepted.json: a baseline made with --hash pdq, not dhash\n")


def test_thresholds_of_the_hash_and_of_the_user() -> None:
    scan = [*SCAN, "generated/near.jpg", "--hash", "pdq", "--format", "json"]
    usual = json.loads(run(DETECT, *scan).stdout)["tool"]["thresholds"]
    assert usual["near"] > 10
    given = run(DETECT, *scan, "--near-threshold", "0", "--distinct-threshold", "200")
    assert json.loads(given.stdout)["tool"]["thresholds"] == {"near": 0, "distinct": 200}
    assert json.loads(given.stdout)["findings"][0]["reasons"] == ["borderline"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--hash", "sha1"], "Invalid value for '--hash': 'sha1' is not one of"),
        (["--hash", "pdq", "--fast"], "fast decoding was measured for phash only, not for pdq"),
        (["--distinct-threshold", "65"], "the near threshold (5) must not be greater than the dis"),
        (["--hash", "pdq", "--near-threshold", "257"], "Invalid value for '--near-threshold'"),
    ],
)
def test_what_cannot_be_done(arguments: list[str], sentence: str) -> None:
    done = run(DETECT, *SCAN, "generated/near.jpg", *arguments)
    assert (done.stdout, done.returncode) == ("", 2)
    assert done.stderr.splitlines()[-1].startswith(f"Error: {sentence}")


def test_a_page_and_a_plot_of_long_hashes() -> None:
    pytest.importorskip("jinja2", reason="the extra report is not installed")
    pytest.importorskip("matplotlib", reason="the extra report is not installed")
    outputs = ["--output", "report.html", "--output", "report.json"]
    assert run(DETECT, *SCAN, "generated", "--hash", "pdq", *outputs).returncode == 0
    assert "of 256, in which the perceptual hashes" in Path("report.html").read_text("utf-8")
    assert run(MEMSCAN, "plot", "report.json", "--output", "report.svg").returncode == 0


def test_compare() -> None:
    a, b = "generated/near.jpg", "training_data/class_B/img_1.png"
    done = run(MEMSCAN, "compare", a, b, "--hash", "dhash")
    one, other = (imagehash.dhash(Image.open(path)) for path in (a, b))
    assert done.stdout.startswith(f"A: {one} {a}\nB: {other} {b}\nDistance: {one - other}\n")
