from __future__ import annotations

import csv
from pathlib import Path
from typing import Sequence

import numpy as np
import pytest

from memscan.detectors import classes
from memscan.errors import InputError
from memscan.intake import Intake
from memscan.learned import LearnedEncoder
from memscan.likeness import LikenessReport
from memscan.records import Stage
from memscan.similarity import collecting, comparing
from memscan.similarity.collecting import Collections
from memscan.sources.directories import Selection
from tests.detectors.pooled import Pooled
from tests.drawing import picture, save


@pytest.fixture(autouse=True)
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight sources, and of each a copy, a half of it and another picture as targets."""
    monkeypatch.chdir(tmp_path)
    for seed in range(8):
        image = picture(seed)
        save(image, Path(f"train/{seed}.png"))
        save(image, Path(f"gen/{seed}-copy.png"))
        save(picture(100 + seed), Path(f"gen/{seed}-other.png"))
        image.paste(picture(200 + seed).crop((0, 0, 48, 64)), (0, 0))
        save(image, Path(f"gen/{seed}-half.png"))


def _collected(targets: str | Sequence[str] = "gen", sources: str = "train") -> Collections:
    encoder = LearnedEncoder(Pooled())
    return collecting.collect(targets, sources, encoder, Selection(), Intake(jobs=2))


def _labels(rows: Sequence[Sequence[object]], *columns: str) -> str:
    with open("labels.csv", "w", newline="") as file:
        csv.writer(file).writerows([("path_a", "path_b", *columns), *rows])
    return "labels.csv"


def _kinds(report: LikenessReport) -> dict[str, str]:
    return {one.target: classes.CLASSES[one.kind] for one in report.nearest}


def test_each_target_has_its_most_alike_source_and_class() -> None:
    Path("gen/9.png").write_bytes(b"broken")
    collections = _collected()
    report = comparing.compare(collections, {})
    assert [one.target for one in report.nearest] == sorted(collections.targets.table.paths)
    for one in report.nearest:
        if "other" not in one.target:
            assert one.source == f"train/{one.target[4]}.png"
    assert _kinds(report)["gen/3-copy.png"] == "duplicate"
    assert _kinds(report)["gen/3-other.png"] == "different"
    assert report.tallies["card"].targets[2] == 8
    assert sum(report.tallies["card"].pairs) == 24 * 8
    assert set(report.tallies) == {"card"}  # the published cuts are for DeepSSIM alone
    assert [(one.path, one.stage) for one in report.target_failures] == [
        ("gen/9.png", Stage.DECODE)
    ]
    assert [one.score for one in report.most_alike] == sorted(
        (one.score for one in report.nearest if one.score is not None), reverse=True
    )


def test_the_matrix_is_that_of_the_report() -> None:
    report = comparing.compare(_collected(), {"m.npz": "npz"})
    with np.load("m.npz") as matrix:
        best = matrix["scores"].max(axis=1).tolist()
        names = matrix["sources"][matrix["scores"].argmax(axis=1)].tolist()
        assert matrix["targets"].tolist() == [one.target for one in report.nearest]
    assert [(one.source, one.score) for one in report.nearest] == list(zip(names, best))


def test_jobs_change_nothing() -> None:
    encoder = LearnedEncoder(Pooled())
    reports = [
        comparing.compare(
            collecting.collect("gen", "train", encoder, Selection(), Intake(jobs=jobs)), {}
        )
        for jobs in (1, 4)
    ]
    assert reports[0] == reports[1]


def test_cuts_are_fitted_on_pairs_that_share_no_image_with_those_reported() -> None:
    rows = [
        (f"gen/{seed}-{kind}.png", f"train/{seed}.png", label)
        for seed in range(8)
        for kind, label in (("copy", "duplicate"), ("half", "similar"), ("other", "different"))
    ]
    rows.append(("gen/none.png", "train/0.png", "similar"))
    path = _labels(rows, "label")
    report = comparing.compare(_collected(), {}, labelled=path)
    labelled = report.labelled
    assert labelled is not None
    assert report.judged_by == "fitted"
    assert (labelled.calibration, labelled.reported, labelled.missing) == (12, 12, 1)
    assert set(labelled.qualities) == set(report.tallies) == {"card", "fitted"}
    assert labelled.qualities["fitted"].macro_f1 > 0.9
    assert (labelled.absolute_error, labelled.rank_correlation) == (None, None)
    assert report == comparing.compare(_collected(), {}, labelled=path)
    assert report != comparing.compare(_collected(), {}, labelled=path, seed=1)


def test_scores_are_compared_with_ssim() -> None:
    collections = _collected()
    detector = collections.encoder.detector
    scores = detector.scores(collections.target_embeddings, collections.source_embeddings)
    names = collections.targets.table.paths
    rows = [
        (name, f"train/{row % 8}.png", scores[row, row % 8] + 0.01 * (-1) ** row, "test")
        for row, name in enumerate(names)
    ]
    rows = [(name, source, min(1, ssim), split) for name, source, ssim, split in rows]
    report = comparing.compare(collections, {}, labelled=_labels(rows, "ssim", "split"))
    assert report.labelled is not None
    assert report.labelled.absolute_error == pytest.approx(0.01, abs=0.002)
    assert report.labelled.rank_correlation == pytest.approx(1, abs=0.1)
    assert report.labelled.calibration == 0
    assert report.judged_by == "card"


def test_a_list_without_pairs_to_report_is_one_sentence() -> None:
    path = _labels([("gen/none.png", "train/0.png", "similar")], "label")
    with pytest.raises(InputError, match=r"labels\.csv: none of its 1 pairs is compared here"):
        comparing.compare(_collected(), {}, labelled=path)
    path = _labels([("gen/0-copy.png", "train/0.png", "similar", "val")], "label", "split")
    with pytest.raises(InputError, match="none of its 1 pairs is left to be reported"):
        comparing.compare(_collected(), {}, labelled=path)


def test_an_image_on_both_sides_is_in_one_half() -> None:
    rows = [(f"train/{seed}.png", f"train/{seed + 1}.png", "similar") for seed in range(7)]
    report = comparing.compare(_collected("train"), {}, labelled=_labels(rows, "label"))
    assert report.labelled is not None
    assert report.labelled.calibration == 0  # all hang together


def test_a_collection_is_compared_with_itself() -> None:
    report = comparing.compare(_collected("train"), {})
    assert len(report.targets_in_source) == 8
    assert all(one.source == one.target for one in report.nearest)
    apart = comparing.compare(_collected("train"), {}, exclude_self=True)
    assert apart.targets_in_source == ()
    assert all(one.source != one.target for one in apart.nearest)
    assert sum(apart.tallies["card"].pairs) == 8 * 7


def test_targets_are_images_and_not_hashes() -> None:
    Path("hashes.csv").write_text("path,hash\na,0123456789abcdef\n")
    with pytest.raises(InputError, match="a target needs images"):
        _collected("hashes.csv")
