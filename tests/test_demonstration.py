from __future__ import annotations

import os
from pathlib import Path

import pytest

from memscan import InputError, OutputError, Verdict, demonstration, detect

SEEN = {"exact copy", "recompressed", "resized to half"}


def test_a_scan_finds_what_was_planted_and_nothing_else(tmp_path: Path) -> None:
    planted = demonstration.draw(str(tmp_path / "demo"))
    report = detect(
        tmp_path / "demo/generated_images", tmp_path / "demo/training_data", recursive=True
    )
    assert {item.kind for item in planted} > SEEN
    assert report.found == report.hashed == 24
    for item, finding in zip(planted, report.findings):
        assert finding.target == item.path
        if item.kind in SEEN:
            assert finding.verdict is not Verdict.DISTINCT
            assert finding.matches[0].source == item.original
        else:
            assert finding.verdict is Verdict.DISTINCT
        assert not finding.review


def test_the_exact_copy_has_the_pixels_of_its_original(tmp_path: Path) -> None:
    exact = demonstration.draw(str(tmp_path / "demo"))[0]
    (finding,) = detect(exact.path, [str(exact.original)]).findings
    assert finding.verdict is Verdict.IDENTICAL


def test_training_images_are_unlike_each_other(tmp_path: Path) -> None:
    demonstration.draw(str(tmp_path / "demo"))
    training = tmp_path / "demo/training_data"
    report = detect(training, training, recursive=True, exclude_self=True)
    assert min(finding.distance for finding in report.findings) > 10


def test_the_same_is_drawn_every_time(tmp_path: Path) -> None:
    first, second = (demonstration.draw(str(tmp_path / name)) for name in ("one", "two"))
    for one, two in zip(first, second):
        assert Path(one.path).read_bytes() == Path(two.path).read_bytes()


def test_a_directory_in_use_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").touch()
    with pytest.raises(InputError, match="not empty"):
        demonstration.draw(str(tmp_path))
    assert os.listdir(tmp_path) == ["mine.txt"]


def test_a_file_in_the_way_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        demonstration.draw(str(tmp_path / "file"))
