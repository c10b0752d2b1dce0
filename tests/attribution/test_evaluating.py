from __future__ import annotations

from pathlib import Path
from typing import Any, Sequence

import pytest
from PIL import Image

from memscan.attribution import evaluating
from memscan.attribution.alterations import ALTERATIONS
from memscan.attribution.fingerprints import Found
from memscan.attributions import NEAREST, RATE, SHIPPED, PerformanceReport
from memscan.errors import InputError
from tests.attribution.conftest import SETTINGS
from tests.drawing import save
from tests.fingerprints.generators import draw_into, drawn


def fill(folder: Path, name: str, first: int, real: int = 12, fake: int = 12) -> None:
    draw_into(folder / "0_real", real, first=first)
    draw_into(folder / "1_fake", fake, name, first=first + 500)


@pytest.fixture
def sets(tmp_path: Path) -> Path:
    fill(tmp_path / "sets/alpha", "alpha", 1000)
    fill(tmp_path / "sets/beta", "beta", 2000)
    return tmp_path / "sets"


def evaluate(path: Path, found: Sequence[Found], **options: Any) -> PerformanceReport:
    options = {"robustness": False, **options}
    return evaluating.evaluate(str(path), found, settings=SETTINGS, **options)


def test_each_generators_folder_is_judged_by_its_fingerprint(
    sets: Path, found: list[Found]
) -> None:
    report = evaluate(sets, found)
    assert [(one.generator, one.search) for one in report.performances] == [
        ("alpha", False),
        ("alpha", True),
        ("beta", False),
        ("beta", True),
    ]
    for one in report.performances:
        assert (one.real, one.fake) == (12, 12)
        assert one.auc.value == 1
        rules = {each.rule: each for each in one.judged}
        assert list(rules) == ([] if one.search else [SHIPPED]) + [NEAREST, RATE]
        assert rules[NEAREST].mean.value == 1
        assert rules[RATE].fake.value == 1
    assert report.warnings == ()


def test_one_folder_is_judged_by_every_fingerprint(sets: Path, found: list[Found]) -> None:
    report = evaluate(sets / "alpha", found, rate=0.1)
    alpha, _, beta, _ = report.performances
    assert (alpha.generator, beta.generator) == ("alpha", "beta")
    assert alpha.auc.value == 1
    assert 0.1 < beta.auc.value < 0.9


def test_what_alterations_leave_is_measured_with_and_without_the_search(
    sets: Path, found: list[Found]
) -> None:
    report = evaluate(sets / "alpha", found[:1], robustness=True, rate=0.1)
    plain, searched = (
        {each.alteration: each for each in one.survivals} for one in report.performances
    )
    assert list(plain) == list(searched) == list(ALTERATIONS)
    for one, survivals in zip(report.performances, (plain, searched)):
        assert survivals["none"].auc == one.auc
        assert survivals["none"].mean == next(e.mean for e in one.judged if e.rule == NEAREST)
        assert survivals["shift by 8 px"].mean.value == 1
        assert survivals["JPEG 75"].mean.value < 0.7
    assert plain["shift by 1 px"].auc.value < 0.3
    assert searched["shift by 1 px"].mean.value == 1


def test_thresholds_can_come_from_other_real_images(sets: Path, found: list[Found]) -> None:
    real = draw_into(sets.parent / "real", 30, first=9000)
    report = evaluate(sets, found, calibrate=[str(sets.parent / "real")])
    assert report.calibrated is not None
    assert report.calibrated.images == len(real)
    assert all(one.judged[-1].rule == RATE for one in report.performances)


def test_a_real_image_has_no_part_in_its_own_threshold_by_whatever_path(
    sets: Path, found: list[Found]
) -> None:
    own, again = (str(sets / place) for place in ("alpha/0_real", "beta/../alpha/0_real"))
    reports = [
        evaluate(sets / "alpha", found, rate=0.1, calibrate=[path]).performances
        for path in (own, again)
    ]
    assert reports[0] == reports[1]


def test_too_few_real_images_are_said_and_not_hidden(sets: Path, found: list[Found]) -> None:
    report = evaluate(sets / "alpha", found)
    assert "needs 20 real images, and there are 12" in report.warnings[0]
    assert all(RATE not in [each.rule for each in one.judged] for one in report.performances)


def test_real_images_that_are_alike_give_no_threshold_and_a_warning(
    tmp_path: Path, found: list[Found]
) -> None:
    fill(tmp_path / "set", "alpha", 0, real=1)
    for seed in range(20):
        save(Image.new("RGB", (64, 64), (seed, 0, 9)), tmp_path / f"set/0_real/plain{seed}.png")
    report = evaluate(tmp_path / "set", found)
    assert report.warnings == (
        "half of the real images or more have the same score: no threshold is at the rate",
    )
    assert all(RATE not in [each.rule for each in one.judged] for one in report.performances)


def test_a_confound_of_file_formats_is_said(tmp_path: Path, found: list[Found]) -> None:
    fill(tmp_path / "set", "alpha", 0, real=0)
    (tmp_path / "set/0_real").mkdir()
    for seed in range(12):
        drawn(seed).save(tmp_path / f"set/0_real/{seed}.png", "JPEG")
    drawn(50).save(tmp_path / "set/0_real/50.png")
    report = evaluate(tmp_path / "set", found, rate=0.1)
    assert "real images are 12 JPEG, 1 PNG and generated ones 12 PNG" in report.warnings[0]


def test_folders_that_are_not_there_are_refused(tmp_path: Path, found: list[Found]) -> None:
    fill(tmp_path / "sets/gamma", "gamma", 0, 2, 2)
    with pytest.raises(InputError, match="must hold the folders 0_real and 1_fake"):
        evaluate(tmp_path, found)
    with pytest.raises(InputError, match="must hold the folders 0_real and 1_fake"):
        evaluate(tmp_path / "nothing", found)
    with pytest.raises(InputError, match=r"as one of its folders \(gamma\); there are alpha, beta"):
        evaluate(tmp_path / "sets", found)
    fill(tmp_path / "sets/alpha", "alpha", 0, 2, 2)
    report = evaluate(tmp_path / "sets", found)
    assert "folders gamma, which are left out" in report.warnings[0]


def test_folders_of_one_image_and_of_none(tmp_path: Path, found: list[Found]) -> None:
    fill(tmp_path / "one", "alpha", 0, 1, 1)
    report = evaluate(tmp_path / "one", found[:1])
    nearest = report.performances[1].judged[0]
    assert (nearest.rule, nearest.mean.value) == (NEAREST, 0)
    assert report.performances[0].auc.value == 1
    (tmp_path / "none/0_real").mkdir(parents=True)
    (tmp_path / "none/1_fake").mkdir()
    with pytest.raises(InputError, match="0_real: no images here"):
        evaluate(tmp_path / "none", found)


def test_the_same_inputs_give_an_equal_report(sets: Path, found: list[Found]) -> None:
    reports = [
        evaluating.evaluate(
            str(sets / "beta"), found, rate=0.1, settings=SETTINGS._replace(jobs=jobs)
        )
        for jobs in (1, 2)
    ]
    assert reports[0] == reports[1]
