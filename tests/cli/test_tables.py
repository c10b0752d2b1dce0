"""Scans against tables of hashes that ``memscan index`` made."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from memscan import detect, hashing
from tests.cli.running import DETECT, MEMSCAN, run

pytest.importorskip("pyarrow", reason="the extra parquet is not installed")

pytestmark = pytest.mark.usefixtures("work")


@pytest.fixture(autouse=True)
def table(work: Path) -> None:
    index("table.parquet")


def index(output: str, *options: str) -> None:
    done = run(MEMSCAN, "index", "training_data", "-r", "--output", output, *options)
    assert done.returncode == 0, done.stderr


def scanned(*arguments: str) -> dict[str, Any]:
    done = run(DETECT, "--target", "generated", *arguments, "--format", "json", "--top-k", "2")
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


KEPT = ("findings", "copied", "curve", "failures", "summary")


def test_a_table_gives_what_its_images_give() -> None:
    images, hashes = (
        scanned("--source", "training_data", "-r"),
        scanned("--source", "table.parquet"),
    )
    assert {key: hashes[key] for key in KEPT} == {key: images[key] for key in KEPT}
    assert hashes["source"]["found"] == hashes["source"]["hashed"] == 6


def test_without_its_images_only_the_pixels_are_missing() -> None:
    whole = scanned("--source", "table.parquet")
    shutil.rmtree("training_data")
    alone = scanned("--source", "table.parquet")
    for finding, other in zip(whole["findings"], alone["findings"]):
        for match, found in zip(finding["matches"], other["matches"]):
            assert found == {**match, "similarity": None}


@pytest.mark.parametrize("hash", ["phash", "pdq"])
def test_views_and_other_hashes(hash: str) -> None:
    options = ("--hash", hash, "--views", "training")
    index("views.parquet", *options)
    images = scanned("--source", "training_data", "-r", *options)
    hashes = scanned("--source", "views.parquet", *options)
    assert {key: hashes[key] for key in KEPT} == {key: images[key] for key in KEPT}


def test_a_table_beside_images_and_a_part_alone() -> None:
    part = next(Path("table.parquet").glob("part-*.parquet"))
    shutil.copytree("training_data/class_B", "more")
    both = scanned("--source", str(part), "--source", "more")
    assert both["source"]["found"] == 9
    assert len({match["source"] for item in both["findings"] for match in item["matches"]}) > 3


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--hash", "dhash"], "its algorithm is phash-64, but this scan's is dhash-64"),
        (["--views", "training"], "it has no hashes of 13 views that this scan compares"),
    ],
)
def test_hashes_made_in_another_way_are_refused(arguments: list[str], sentence: str) -> None:
    done = run(DETECT, "--target", "generated", "--source", "table.parquet", *arguments)
    assert (done.stdout, done.returncode) == ("", 2)
    assert sentence in done.stderr


def test_other_versions_of_libraries_bring_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = {**hashing.library_versions(), "imagehash": "4.9.9"}
    monkeypatch.setattr(hashing, "library_versions", lambda: versions)
    (warning,) = detect("generated", "table.parquet").warnings
    assert warning.startswith("table.parquet: made with imagehash ")
    assert warning.endswith("this is imagehash 4.9.9; distances can differ by a bit or two")


def test_a_damaged_table_is_one_sentence() -> None:
    part = next(Path("table.parquet").glob("part-*.parquet"))
    part.write_bytes(part.read_bytes()[:-7])
    done = run(DETECT, "--target", "generated", "--source", "table.parquet")
    assert (done.stdout, done.returncode) == ("", 2)
    assert len(done.stderr.splitlines()) == 1
    assert str(part) in done.stderr


def test_a_target_cannot_be_hashes() -> None:
    done = run(DETECT, "--target", "table.parquet", "--source", "training_data", "-r")
    assert (done.stdout, done.returncode) == ("", 2)
    assert done.stderr == ("Error: table.parquet: a target needs images, and this holds hashes\n")


class TestCluster:
    @pytest.fixture(autouse=True)
    def ray(self) -> None:
        pytest.importorskip("ray", reason="the extra ray is not installed")

    def test_it_finds_what_this_machine_finds(self) -> None:
        shutil.copytree("training_data", "more")
        done = run(MEMSCAN, "index", "more", "-r", "--output", "more.parquet")
        assert done.returncode == 0, done.stderr
        tables = ("--source", "table.parquet", "--source", "more.parquet")
        held_out = ("--holdout", "more.parquet")
        local = scanned(*tables, *held_out)
        assert scanned(*tables, *held_out, "--engine", "ray") == local

    def test_a_part_that_cannot_be_searched_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for number in range(3):
            shutil.copytree("training_data/class_A", f"sources/{number}")
            run(MEMSCAN, "index", f"sources/{number}", "--output", f"t{number}.parquet")
        tables = [f"t{number}.parquet" for number in range(3)]
        done = run(MEMSCAN, "index", "merge", *tables, "--output", "merged.parquet")
        assert done.returncode == 0, done.stderr
        part = sorted(Path("merged.parquet").glob("part-*.parquet"))[0]
        data = bytearray(part.read_bytes())
        middle = data.find(b"tar") if b"tar" in data else 40
        data[4:middle] = bytes(middle - 4)  # pages, not the footer
        part.write_bytes(bytes(data))
        done = run(
            DETECT, "--target", "generated", "--source", "merged.parquet", "--engine", "ray",
            "--verbose",
        )  # fmt: skip
        assert done.returncode == 3
        assert str(part) in done.stdout


def test_a_cluster_wants_a_table() -> None:
    pytest.importorskip("ray", reason="the extra ray is not installed")
    done = run(DETECT, "--target", "generated", "--source", "generated", "--engine", "ray")
    assert (done.stdout, done.returncode) == ("", 2)
    assert "generated: a cluster searches tables of hashes, which this is not" in done.stderr


def test_images_beside_their_table_count_once() -> None:
    index("pdq.parquet", "--hash", "pdq")
    both = ["--source", "training_data", "-r", "--source", "pdq.parquet", "--hash", "pdq"]
    found = scanned(*both)
    alone = scanned("--source", "training_data", "-r", "--hash", "pdq")
    assert {key: found[key] for key in KEPT} == {key: alone[key] for key in KEPT}
    assert found["source"]["found"] == found["source"]["hashed"] == 6
    part = next(Path("table.parquet").glob("part-*.parquet"))
    twice = scanned("--source", "table.parquet", "--source", str(part))
    assert twice["source"]["hashed"] == 6


def test_a_target_is_known_in_a_table_under_another_spelling() -> None:
    target = "./training_data/class_A/img_0.png"
    done = run(DETECT, "--target", target, "--source", "table.parquet")
    assert "match themselves: 1, first" in done.stderr
    own = run(DETECT, "--target", target, "--source", "table.parquet", "--exclude-self")
    assert own.stderr == ""
    assert "Verdict: Distinct" in own.stdout


def test_a_part_is_no_image() -> None:
    part = str(next(Path("table.parquet").glob("part-*.parquet")))
    done = run(DETECT, "--target", part, "--source", "training_data", "-r")
    assert done.stderr == f"Error: {part}: a target needs images, and this holds hashes\n"
    for source in (part, "table.parquet"):
        made = run(MEMSCAN, "index", source, "--output", "again.parquet")
        assert (made.stdout, made.returncode) == ("", 2)
        assert made.stderr == f"Error: {source}: index needs images, and this holds hashes\n"


def test_secrets_of_urls_stay_out_of_tables() -> None:
    url = "https://user:SECRET@127.0.0.1:1/x.tar?sig=SECRET"
    for command in (
        [*MEMSCAN, "index", url, "--output", "again.parquet"],
        [*DETECT, "--target", "generated", "--source", url, "--engine", "ray"],
    ):
        done = run(command)
        assert done.returncode == 2
        assert "SECRET" not in done.stdout + done.stderr
    assert not Path("again.parquet").exists()


def test_warnings_of_a_holdout_are_told() -> None:
    Path("held.csv").write_text("phash\n" + "0123456789abcdef\n")
    scan = ["--target", "generated", "--source", "table.parquet", "--holdout", "held.csv"]
    assert "held.csv: hashes of other software" in run(DETECT, *scan).stderr
    assert "held.csv: hashes of" in run(MEMSCAN, "duplicates", "held.csv").stderr
    pair = run(MEMSCAN, "compare", "generated/near.jpg", "held.csv")
    assert "held.csv: hashes of" in pair.stderr
