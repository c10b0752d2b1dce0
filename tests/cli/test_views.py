"""Copies that are mirrored or cropped, as a user finds them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import ImageOps

from tests.cli.running import DETECT, run
from tests.drawing import picture, save

pytestmark = pytest.mark.usefixtures("work")

SCAN = ["--source", "training_data", "-r", "--target"]


@pytest.fixture(autouse=True)
def copies(work: Path) -> None:
    image = picture(0, (300, 200))
    save(image, Path("training_data/class_A/img_0.png"))
    save(ImageOps.mirror(image), Path("copies/mirrored.png"))
    save(image.rotate(90, expand=True), Path("copies/turned.png"))
    save(ImageOps.mirror(image.crop((50, 0, 250, 200))), Path("copies/square.png"))
    save(ImageOps.expand(image, 20, "white"), Path("copies/framed.png"))


def found(level: str) -> dict[str, Any]:
    report = run(DETECT, *SCAN, "copies", "--views", level, "--format", "json")
    findings = json.loads(report.stdout)["findings"]
    return {Path(item["target"]).stem: item for item in findings}


def test_plain_hints_at_what_it_does_not_count() -> None:
    done = run(DETECT, *SCAN, "copies/mirrored.png")
    assert done.stdout.endswith(
        "Verdict: Distinct (No Evidence of Memorization)\n"
        "Note: mirrored, the target matches training_data/class_A/img_0.png at distance 0 "
        "(--views training counts this)\n"
    )
    turned = run(DETECT, *SCAN, "copies/turned.png").stdout
    assert "Note: turned by 270, the target matches " in turned
    assert "(--views thorough counts this)\n" in turned
    assert "Note" not in run(DETECT, *SCAN, "generated/identical.png").stdout
    assert "Note" not in run(DETECT, *SCAN, "generated/other.png").stdout


def test_each_level_finds_more_and_names_the_view() -> None:
    plain, training, thorough = map(found, ("plain", "training", "thorough"))
    assert {item["verdict"] for item in plain.values()} == {"Distinct"}
    assert plain["mirrored"]["hints"][0]["view"] == "mirrored"
    copied = {name for name, item in training.items() if item["verdict"] != "Distinct"}
    assert copied == {"mirrored", "square"}
    assert training["mirrored"]["matches"][0]["view"] == "mirrored"
    assert training["square"]["matches"][0]["view"] == "mirrored, square"
    assert training["square"]["matches"][0]["similarity"] > 0.9
    assert training["turned"]["hints"][0]["view"] == "turned by 270"
    assert {item["verdict"] for item in thorough.values()} <= {"Identical", "Near-Duplicate"}
    assert thorough["framed"]["matches"][0]["view"] == "without its border"


def test_the_view_stands_in_text_and_gates() -> None:
    done = run(
        DETECT, *SCAN, "copies/mirrored.png", "--views", "training", "--fail-on", "identical"
    )
    assert done.stdout.endswith(
        "File: training_data/class_A/img_0.png\n"
        "Distance: 0\n"
        "View: mirrored\n"
        "Verdict: Identical (Statistically Identical Images)\n"
    )
    assert done.returncode == 1


def test_a_warm_cache_gives_the_same() -> None:
    assert found("thorough") == found("thorough")
    assert found("training") == found("training")


def test_a_baseline_knows_a_copy_by_its_source_whatever_the_view() -> None:
    scan = [*SCAN, "copies/square.png", "--views", "training", "--baseline", "accepted.json"]
    assert run(DETECT, *scan, "--update-baseline").returncode == 0
    assert run(DETECT, *scan, "--fail-on", "review").returncode == 0
    assert run(DETECT, *SCAN, "copies/mirrored.png", *scan[4:], "--fail-on", "review").returncode


def test_a_source_is_ranked_by_its_own_hash_whatever_the_view() -> None:
    done = run(DETECT, *SCAN, "copies", "--views", "thorough", "--format", "json")
    report = json.loads(done.stdout)
    (copied,) = report["copied"]
    whole = run(DETECT, *SCAN, "training_data/class_A/img_0.png", "--format", "json").stdout
    assert copied["hash"] == json.loads(whole)["findings"][0]["hash"]
    assert (copied["same_hash"], len(copied["targets"])) == (1, 4)


def test_fast_finds_the_same(work: Path) -> None:
    for seed in range(6):
        picture(seed, (900, 700)).save(f"training_data/large_{seed}.jpg", quality=95)
    image = ImageOps.mirror(picture(3, (900, 700)).crop((100, 0, 800, 700)))
    save(image, Path("copies/large.png"))
    exact = run(DETECT, *SCAN, "copies/large.png", "--views", "training").stdout
    fast = run(DETECT, *SCAN, "copies/large.png", "--views", "training", "--fast").stdout
    assert "View: mirrored, square\n" in exact
    assert fast == exact
