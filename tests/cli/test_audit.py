"""Many targets judged as a whole: summary, holdout, baseline, JUnit."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from PIL import Image

from memscan.baseline import Accepted, Baseline
from memscan.cli import detect as detect_command
from tests.cli.running import DETECT, run
from tests.drawing import picture, save

pytestmark = pytest.mark.usefixtures("work")

AUDIT = ["--target", "generated", "--source", "training_data", "-r"]
GATE = [*AUDIT, "--fail-on", "near-duplicate"]
BASELINE = ["--baseline", "accepted.json"]


def document(*arguments: str) -> Any:
    done = run(DETECT, *arguments, "--format", "json")
    return json.loads(done.stdout)


class TestSummary:
    def test_counts_rate_and_ranking(self) -> None:
        shutil.copy("generated/near.jpg", "generated/near_again.jpg")
        Path("generated/broken.png").write_bytes(b"broken")
        shutil.copy("training_data/class_A/img_0.png", "training_data/same.png")
        done = run(DETECT, *AUDIT)
        assert done.stdout.endswith(
            "\nSummary\n"
            "----------------------------------------\n"
            "Targets: 4 (1 Identical, 2 Near-Duplicate, 1 Distinct)\n"
            "Memorisation rate: 3 of 4: 75 % (95 % confidence interval 19.4 % to 99.4 %)\n"
            "Most copied training images:\n"
            "    2 targets: training_data/class_B/img_1.png\n"
            "    1 target: training_data/class_A/img_0.png "
            "(its hash stands 2 times in the source)\n"
            "Not read: 1 target, 0 source images\n"
        )

    def test_nothing_found_has_an_upper_bound(self) -> None:
        for seed in range(100, 120):
            save(picture(seed), Path(f"clean/{seed}.png"))
        done = run(DETECT, "--target", "clean", "--source", "training_data", "-r")
        assert "Memorisation rate: 0 of 20: at most 16.8 % with 95 % confidence\n" in done.stdout

    def test_one_target_has_none(self) -> None:
        done = run(DETECT, "--target", "generated/near.jpg", *AUDIT[2:])
        assert "Summary" not in done.stdout

    def test_flat_targets_are_no_evidence_and_not_counted(self) -> None:
        done = run(DETECT, "--target", "flat", "--source", "flat/source")
        assert "To review: 1 (1 low-information)\n" in done.stdout
        save(Image.new("RGB", (50, 50), "blue"), Path("flat/blue.png"))
        done = run(DETECT, "--target", "flat", "--source", "flat/source")
        assert "To review: 2 (2 low-information)\n" in done.stdout
        assert "Memorisation rate: 0 of 2: at most 84.2 % with 95 % confidence\n" in done.stdout

    def test_the_chance_level_stands_in_every_finding(self) -> None:
        for seed in range(300):
            save(picture(1000 + seed, (24, 16)), Path(f"training_data/more/{seed}.png"))
        found = document(*AUDIT)
        by_name = {os.path.basename(item["target"]): item for item in found["findings"]}
        assert by_name["identical.png"]["chance_basis"] == "extrapolated"
        assert by_name["identical.png"]["expected_by_chance"] < 0.01
        assert by_name["other.png"]["chance_basis"] == "observed"
        assert by_name["other.png"]["expected_by_chance"] > 0.01
        assert sum(point["observed"] for point in found["curve"]) == 3 * 306
        shown = run(DETECT, *AUDIT, "--verbose").stdout
        assert "Expected by chance: " in shown
        assert "(extrapolated)" in shown


class TestHoldout:
    def test_two_rates_side_by_side(self) -> None:
        for seed in range(3):
            save(picture(50 + seed), Path(f"never_seen/{seed}.png"))
        picture(50).resize((60, 40)).save("generated/chance.png")
        done = run(DETECT, *AUDIT, "--holdout", "never_seen")
        assert "[+] Found 3 images held out in never_seen\n" in done.stdout
        assert (
            "Memorisation rate: 2 of 4: 50 % (95 % confidence interval 6.8 % to 93.2 %)\n"
            "Rate against the holdout: 1 of 4: 25 % (95 % confidence interval 0.63 % to 80.6 %)\n"
            "Difference: 2 of the targets copy the source alone, 1 the holdout alone "
            "(exact McNemar test, p = 1)\n"
        ) in done.stdout
        holdout = document(*AUDIT, "--holdout", "never_seen")["holdout"]
        assert (holdout["copies"], holdout["only_source"], holdout["only_holdout"]) == (1, 2, 1)
        assert holdout["paths"] == ["never_seen"]

    def test_it_changes_no_finding(self) -> None:
        with_holdout = document(*AUDIT, "--holdout", "training_data")
        assert with_holdout["findings"] == document(*AUDIT)["findings"]
        assert with_holdout["holdout"]["p_value"] == 1

    def test_its_failures_are_rows(self) -> None:
        shutil.copytree("training_data", "never_seen")
        Path("never_seen/bad.png").write_bytes(b"bad")
        found = document(*AUDIT, "--holdout", "never_seen")
        assert [failure["path"] for failure in found["failures"]] == ["never_seen/bad.png"]
        assert run(DETECT, *AUDIT, "--holdout", "never_seen", "--max-failures", "0").returncode == 3

    @pytest.mark.parametrize("path", ["nowhere", "broken.png", ""])
    def test_an_unusable_one_ends_with_2(self, path: str) -> None:
        done = run(DETECT, *AUDIT, "--holdout", path)
        assert done.returncode == 2
        assert done.stdout == ""


class TestBaseline:
    def test_what_was_accepted_passes_the_gate(self) -> None:
        assert run(DETECT, *GATE).returncode == 1
        update = run(DETECT, *GATE, *BASELINE, "--update-baseline")
        assert update.returncode == 0
        assert update.stderr == "2 pairs were added to the baseline accepted.json\n"
        later = run(DETECT, *GATE, *BASELINE)
        assert later.returncode == 0
        assert later.stdout == update.stdout
        assert later.stdout.count("Accepted: by the baseline\n") == 2
        assert "Accepted by the baseline: 2\n" in later.stdout
        assert "Memorisation rate: 2 of 3" in later.stdout

    def test_a_new_copy_trips_it(self) -> None:
        run(DETECT, *AUDIT, *BASELINE, "--update-baseline")
        save(picture(4), Path("generated/new.png"))
        done = run(DETECT, *GATE, *BASELINE, "--format", "json")
        assert done.returncode == 1
        new = [item for item in json.loads(done.stdout)["findings"] if not item["accepted"]]
        assert [os.path.basename(item["target"]) for item in new] == ["new.png", "other.png"]

    def test_the_same_source_met_closer_trips_it(self) -> None:
        run(DETECT, *AUDIT, *BASELINE, "--update-baseline")
        entries = json.loads(Path("accepted.json").read_text())
        for entry in entries["accepted"]:
            entry["target_hash"] = "any"
        Path("accepted.json").write_text(json.dumps(entries))
        assert run(DETECT, *GATE, *BASELINE).returncode == 0
        shutil.copy("training_data/class_B/img_1.png", "generated/near.png")
        assert run(DETECT, *GATE, *BASELINE).returncode == 1

    def test_low_information_is_never_accepted_for_any_target(self) -> None:
        flat = ["--target", "flat/target.png", "--source", "flat/source", "--fail-on", "review"]
        assert run(DETECT, *flat, *BASELINE, "--update-baseline").returncode == 0
        assert run(DETECT, *flat, *BASELINE).returncode == 0
        entries = json.loads(Path("accepted.json").read_text())
        entries["accepted"][0]["target_hash"] = "any"
        Path("accepted.json").write_text(json.dumps(entries))
        assert run(DETECT, *flat, *BASELINE).returncode == 1

    def test_quiet_passes_over_what_is_accepted(self) -> None:
        run(DETECT, *AUDIT, *BASELINE, "--update-baseline")
        assert run(DETECT, *AUDIT, *BASELINE, "--quiet").stdout == ""

    def test_a_broken_one_ends_before_the_scan(self) -> None:
        Path("accepted.json").write_text("{")
        done = run(DETECT, "--target", "nowhere", "--source", "training_data", *BASELINE)
        assert done.returncode == 2
        assert done.stderr.startswith("Error: accepted.json: not a baseline, it is not JSON")
        assert len(done.stderr.splitlines()) == 1

    def test_a_missing_one_is_no_empty_one(self) -> None:
        done = run(DETECT, *GATE, *BASELINE)
        assert done.returncode == 2
        assert "accepted.json: there is no such baseline" in done.stderr

    def test_an_update_needs_a_file_that_can_be_written(self) -> None:
        assert run(DETECT, *AUDIT, "--update-baseline").returncode == 2
        done = run(DETECT, *AUDIT, "--baseline", "no/where.json", "--update-baseline")
        assert done.returncode == 70
        assert done.stdout == ""


class TestBaselineIsSafe:
    """Nothing is accepted that was not shown, and nothing that was accepted is lost."""

    @pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the system has no /dev/full")
    def test_a_report_that_cannot_be_written_accepts_nothing(self) -> None:
        os.symlink("/dev/full", "full.json")
        done = run(DETECT, *AUDIT, *BASELINE, "--update-baseline", "--output", "full.json")
        assert done.returncode == 70
        assert not os.path.exists("accepted.json")

    def test_a_target_that_cannot_be_read_accepts_nothing(self) -> None:
        done = run(DETECT, *AUDIT, "--target", "broken.png", *BASELINE, "--update-baseline")
        assert done.returncode == 2
        assert not os.path.exists("accepted.json")

    @pytest.mark.parametrize("name", ["accepted.json", "link.json"])
    def test_it_is_no_output(self, name: str) -> None:
        run(DETECT, *AUDIT, *BASELINE, "--update-baseline")
        before = Path("accepted.json").read_text()
        os.symlink("accepted.json", "link.json")
        done = run(DETECT, *AUDIT, *BASELINE, "--output", name)
        assert done.returncode == 2
        assert "given as the baseline and as an output" in done.stderr
        assert Path("accepted.json").read_text() == before

    def test_a_flat_target_is_accepted_once_and_for_all(self) -> None:
        scan = ["--target", "flat/target.png", "--source", "training_data", "-r", *BASELINE]
        assert run(DETECT, *scan, "--update-baseline", "--fail-on", "review").returncode == 0
        assert run(DETECT, *scan, "--fail-on", "review").returncode == 0

    def test_what_another_scan_accepted_meanwhile_is_kept(self) -> None:
        baseline = Baseline("accepted.json", (Accepted(1, 0, None),))
        Path("accepted.json").write_text(Baseline("", (Accepted(2, 0, None, "theirs"),)).text())
        detect_command._write_baseline(baseline)
        entries = Baseline.read("accepted.json").entries
        assert [entry.source_hash for entry in entries] == [1, 2]

    @pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="the system has no /dev/zero")
    def test_a_device_is_none(self) -> None:
        done = run(DETECT, *AUDIT, "--baseline", "/dev/zero")
        assert done.returncode == 2
        assert "not a regular file" in done.stderr


def test_the_failures_of_a_holdout_are_named_in_every_format() -> None:
    shutil.copytree("training_data", "never_seen")
    Path("never_seen/bad.png").write_bytes(b"bad")
    outputs = ["a.txt", "a.json", "a.jsonl", "a.csv", "a.xml"]
    run(
        DETECT,
        *(*AUDIT, "--holdout", "never_seen"),
        *(word for name in outputs for word in ("--output", name)),
    )
    assert all("never_seen/bad.png" in Path(name).read_text() for name in outputs)
    assert "0 source images, 1 held-out image\n" in Path("a.txt").read_text()


def test_junit_has_a_case_for_each_target() -> None:
    Path("generated/broken.png").write_bytes(b"broken")
    assert run(DETECT, *GATE, "--max-failures", "9", "--output", "audit.xml").returncode == 1
    cases = {
        os.path.basename(case.get("name", "")): [child.tag for child in case]
        for case in ElementTree.parse("audit.xml").iter("testcase")
    }
    assert cases == {
        "broken.png": ["error"],
        "identical.png": ["failure"],
        "near.jpg": ["failure"],
        "other.png": ["system-out"],
    }
    run(DETECT, *AUDIT, "--fail-on", "identical", "--output", "audit.xml")
    assert len(list(ElementTree.parse("audit.xml").iter("failure"))) == 1


def test_several_formats_come_of_one_run() -> None:
    outputs = [f"audit{suffix}" for suffix in (".xml", ".json", ".csv", ".jsonl", ".txt")]
    done = run(DETECT, *AUDIT, *(word for name in outputs for word in ("--output", name)))
    assert done.returncode == 0
    assert all(os.path.getsize(name) for name in outputs)
