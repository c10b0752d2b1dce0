from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memscan.errors import InputError
from memscan.evaluation.probes import contest, labelled, read_labels
from memscan.probes import ProbeReport
from tests.reports.probe_reports import report

VALUES = st.lists(st.integers(-5, 5).map(float), min_size=4, max_size=30)


def slow_auc(scores: list[float], truths: list[bool]) -> float:
    own = [score for score, truth in zip(scores, truths) if truth]
    others = [score for score, truth in zip(scores, truths) if not truth]
    return sum((a > b) + (a == b) / 2 for a in own for b in others) / (len(own) * len(others))


def slow_recall(scores: list[float], truths: list[bool]) -> float:
    """The greatest share of remembered images from a score on that at most 1 % of others reach."""
    own = [score for score, truth in zip(scores, truths) if truth]
    others = [score for score, truth in zip(scores, truths) if not truth]
    return max(
        sum(score >= cut for score in own) / len(own)
        for cut in [*scores, max(scores) + 1]
        if sum(score >= cut for score in others) <= 0.01 * len(others)
    )


@given(VALUES, st.integers(0, 10))
def test_the_figures_are_those_of_the_definition(scores: list[float], seed: int) -> None:
    truths = [bool(one) for one in np.random.default_rng(seed).integers(0, 2, len(scores))]
    truths[:2] = True, False
    found = contest({"iip": scores}, truths).qualities["iip"]
    assert found.auc.value == pytest.approx(slow_auc(scores, truths))
    assert found.recall.value == pytest.approx(slow_recall(scores, truths))


def test_one_in_a_hundred_others_may_reach_the_cut() -> None:
    others = [*range(100)]
    scores = [*map(float, others), 98.5, 99.5, 97.5]
    truths = [False] * 100 + [True] * 3
    found = contest({"iip": scores}, truths).qualities["iip"]
    assert found.recall.value == pytest.approx(2 / 3)  # 99 of the others is let pass, 98 is not
    assert found.recall.value == pytest.approx(slow_recall(scores, truths))


def test_a_better_method_is_ahead_and_an_equal_one_is_not() -> None:
    random = np.random.default_rng(0)
    truths = [number < 60 for number in range(360)]
    good = random.normal(2.0 * np.array(truths), 1.0)
    scores = {
        "iip": good.tolist(),
        "same": (good + random.normal(0, 0.05, 360)).tolist(),
        "noise": random.normal(0, 1, 360).tolist(),
    }
    found = contest(scores, truths, seed=1)
    assert (found.remembered, found.others) == (60, 300)
    assert [lead.baseline for lead in found.leads] == ["same", "noise"]
    same, noise = found.leads
    assert same.auc.low is not None
    assert same.auc.high is not None
    assert same.auc.low <= 0 <= same.auc.high
    assert noise.auc.low is not None
    assert noise.auc.low > 0.2
    assert noise.recall.value > 0
    difference = found.qualities["iip"].auc.value - found.qualities["noise"].auc.value
    assert noise.auc.value == pytest.approx(difference)
    assert contest(scores, truths, seed=1) == found


def test_a_method_that_is_not_there_leads_nothing() -> None:
    found = contest({"tcnp": [1.0, 2.0], "loss": [1.0, 2.0]}, [False, True])
    assert found.leads == ()
    found = contest({"a": [1.0, 2.0], "b": [1.0, 2.0]}, [False, True], method="a", baselines=["b"])
    assert [(lead.method, lead.baseline) for lead in found.leads] == [("a", "b")]


@pytest.mark.parametrize("truths", [[True, True], [False, False]])
def test_images_of_one_kind_are_refused(truths: list[bool]) -> None:
    with pytest.raises(ValueError, match="remembered images and others"):
        contest({"iip": [1.0, 2.0]}, truths)


@pytest.fixture
def made(tmp_path: Path) -> ProbeReport:
    return report(6, folder=str(tmp_path / "targets"))


def listed(path: Path, rows: list[str]) -> str:
    path.write_text("\n".join(["path,memorised", *rows]) + "\n")
    return str(path)


def test_labels_are_found_by_the_real_path(tmp_path: Path, made: ProbeReport) -> None:
    (tmp_path / "lists").mkdir()
    rows = [f"../targets/image_{number:04d}.png,{int(number % 3 == 0)}" for number in range(6)]
    path = listed(tmp_path / "lists/labels.csv", [*rows, "../targets/gone.png,TRUE"])
    found = labelled(made, read_labels(path))
    assert found.contest is not None
    assert (found.contest.remembered, found.contest.others) == (2, 4)
    assert list(found.contest.qualities) == ["iip", "tcnp", "loss"]
    assert found.warnings == (f"{path}: 1 of its images are not among the targets measured",)
    assert dataclasses.replace(found, contest=None, warnings=()) == made


def test_labels_of_images_in_archives_are_found_by_their_uri(tmp_path: Path) -> None:
    path = listed(tmp_path / "labels.csv", ["zip://x.zip::a.png,1", "zip://x.zip::b.png,0"])
    labels = read_labels(path)
    assert labels.remembered == {"zip://x.zip::a.png": True, "zip://x.zip::b.png": False}


def test_labels_of_one_kind_are_refused(tmp_path: Path, made: ProbeReport) -> None:
    path = listed(tmp_path / "labels.csv", ["targets/image_0000.png,1", "targets/gone.png,0"])
    with pytest.raises(InputError, match="1 of the 1 targets that it names are memorised"):
        labelled(made, read_labels(path))


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (["a.png,maybe"], "line 2: memorised must be 1 or 0, not 'maybe'"),
        ([",1"], "line 2: the path is empty"),
        (["a.png,1", "./a.png,0"], "line 3: this image has the other label above"),
        (["a.png,1", "b.png,true"], "all of its images have one label"),
        ([], "no line below the first"),
    ],
)
def test_other_lists_are_refused(tmp_path: Path, rows: list[str], says: str) -> None:
    with pytest.raises(InputError, match=says):
        read_labels(listed(tmp_path / "labels.csv", rows))
