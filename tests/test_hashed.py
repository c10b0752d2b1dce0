"""Tables of hashes in the place of images."""

from __future__ import annotations

from pathlib import Path

import pytest

from memscan import InputError, detect, hash_image, views
from memscan.encoders import KNOWN, PHASH
from memscan.hashed import is_part, load
from tests.drawing import picture, save


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lines = ["path,phash"]
    for seed in range(5):
        path = save(picture(seed), Path(f"train/{seed}.png"))
        lines.append(f"{path},{hash_image(path):016x}")
    Path("hashes.csv").write_text("\n".join([*lines, "bad.png,xyz"]) + "\n")
    picture(1).resize((48, 32)).save("target.jpg", quality=5)


def test_hashes_give_the_matches_that_images_give() -> None:
    by_hashes = detect("target.jpg", "hashes.csv", top_k=5)
    by_images = detect("target.jpg", "train", top_k=5)
    assert by_hashes.findings == by_images.findings
    assert by_hashes.sources[0].found == 6
    assert by_hashes.hashed == 5
    (failure,) = by_hashes.source_failures
    assert failure.path == "bad.png"
    (warning,) = by_hashes.warnings
    assert warning.startswith("hashes.csv: ")


def test_a_target_that_a_table_names_is_left_out() -> None:
    report = detect("train", "hashes.csv", exclude_self=True)
    assert all(finding.matches[0].source != finding.target for finding in report.findings)
    assert all(finding.distance > 0 for finding in report.findings)


def test_hashes_of_others_are_plain_phashes() -> None:
    for encoder, view_set in (
        (KNOWN["pdq"], views.NONE),
        (PHASH, views.of_source("training")),
    ):
        with pytest.raises(InputError, match="--hash phash and --views plain"):
            load("hashes.csv", encoder, view_set)


def test_a_directory_without_a_manifest_is_no_table() -> None:
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    Path("empty.parquet").mkdir()
    with pytest.raises(InputError, match=r"^empty\.parquet"):
        detect("target.jpg", "empty.parquet")


def test_other_files_are_no_parts() -> None:
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    Path("a.parquet").write_bytes(b"PAR1")
    assert not is_part("a.parquet")
    assert not is_part("hashes.csv")
    assert not is_part("missing.parquet")
