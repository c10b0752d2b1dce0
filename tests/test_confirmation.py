from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from memscan import confirmation, detect, verdicts
from memscan.detectors.cards import Cuts
from memscan.errors import InputError
from memscan.learned import LearnedEncoder
from memscan.networks import Networks
from memscan.records import Finding, Level, Reason, Thresholds, Verdict, View
from tests.drawing import picture, save
from tests.networks import Grey, card

HASH = Thresholds(5, 10)


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A training set, and a target of each distance of the hash."""
    monkeypatch.chdir(tmp_path)
    for seed in range(6):
        save(picture(seed), tmp_path / f"train/{seed}.png")
    save(picture(0), tmp_path / "made/a.png")
    save(picture(1).rotate(2), tmp_path / "made/b.png")
    save(picture(99), tmp_path / "made/e.png")
    save(Image.new("RGB", (30, 30), "gray"), tmp_path / "made/flat.png")
    return tmp_path


def verifier(score: float, calibrated: bool = True) -> Any:
    """A network that gives every pair the same score."""

    class Says(Grey):
        def paired(self, targets: Any, sources: Any) -> Any:
            return np.full(len(targets), score, np.float32)

    one = card("lcmem", Cuts(0.9, 0.5))
    return Says(one if calibrated else dataclasses.replace(one, calibration=None))


def finding_of(distance: int, *reasons: Reason) -> Finding:
    (found,) = detect("made/b.png", "train").findings
    match = dataclasses.replace(found.matches[0], distance=distance)
    verdict = verdicts.judge(distance, HASH)
    return dataclasses.replace(found, verdict=verdict, reasons=reasons, matches=(match,))


IDENTICAL, NEAR, BORDERLINE, DISTINCT = 0, 4, 8, 20


@pytest.mark.usefixtures("work")
@pytest.mark.parametrize(
    ("distance", "score", "calibrated", "verdict", "reasons"),
    [
        (BORDERLINE, 0.95, True, Verdict.NEAR_DUPLICATE, (Reason.VERIFIED,)),
        (BORDERLINE, 0.90, True, Verdict.NEAR_DUPLICATE, (Reason.VERIFIED,)),
        (BORDERLINE, 0.70, True, Verdict.DISTINCT, (Reason.BORDERLINE,)),
        (BORDERLINE, 0.10, True, Verdict.DISTINCT, (Reason.BORDERLINE, Reason.UNVERIFIED)),
        (NEAR, 0.95, True, Verdict.NEAR_DUPLICATE, ()),
        (NEAR, 0.10, True, Verdict.NEAR_DUPLICATE, (Reason.UNVERIFIED,)),
        (IDENTICAL, 0.10, True, Verdict.IDENTICAL, (Reason.UNVERIFIED,)),
        (BORDERLINE, 0.95, False, Verdict.DISTINCT, (Reason.BORDERLINE, Reason.UNCALIBRATED)),
        (BORDERLINE, 0.10, False, Verdict.DISTINCT, (Reason.BORDERLINE, Reason.UNCALIBRATED)),
        (BORDERLINE, 0.70, False, Verdict.DISTINCT, (Reason.BORDERLINE,)),
        (NEAR, 0.10, False, Verdict.NEAR_DUPLICATE, (Reason.UNCALIBRATED,)),
        (NEAR, 0.95, False, Verdict.NEAR_DUPLICATE, ()),
        (DISTINCT, 0.95, True, Verdict.DISTINCT, ()),
    ],
)
def test_what_a_second_look_does(
    distance: int, score: float, calibrated: bool, verdict: Verdict, reasons: tuple[Reason, ...]
) -> None:
    before = (Reason.BORDERLINE,) if distance == BORDERLINE else ()
    given = finding_of(distance, *before)
    (found,) = confirmation.confirm([given], HASH, verifier(score, calibrated))
    assert (found.verdict, found.reasons) == (verdict, reasons)
    seen = found.matches[0].confirmation
    assert seen == (None if distance == DISTINCT else pytest.approx(score))
    is_copy = verdicts.reaches(found, Level.NEAR_DUPLICATE)
    assert is_copy == (verdict is not Verdict.DISTINCT)


@pytest.mark.usefixtures("work")
def test_what_an_uncalibrated_detector_found_is_not_confirmed() -> None:
    uncalibrated = Networks(
        LearnedEncoder(Grey(card(calibration=None, cuts=Cuts(0.99, 0.5)))), verifier(0.95)
    )
    found = detect("made/b.png", "train", networks=uncalibrated).findings[0]
    assert (found.verdict, found.reasons) == (Verdict.DISTINCT, (Reason.UNCALIBRATED,))
    assert found.matches[0].confirmation == pytest.approx(0.95)
    calibrated = Networks(LearnedEncoder(Grey(card(cuts=Cuts(0.99, 0.5)))), verifier(0.95))
    found = detect("made/b.png", "train", networks=calibrated).findings[0]
    assert (found.verdict, found.reasons) == (Verdict.NEAR_DUPLICATE, (Reason.VERIFIED,))


@pytest.mark.usefixtures("work")
def test_only_candidates_are_scored() -> None:
    network = Grey(card("lcmem"))
    report = detect("made", "train", networks=Networks(None, network), top_k=3)
    scored = {
        (finding.target, match.source): match.confirmation
        for finding in report.findings
        for match in finding.matches
        if match.confirmation is not None
    }
    close = {
        (finding.target, match.source)
        for finding in report.findings
        for match in finding.matches
        if match.distance <= 10 and Reason.LOW_INFORMATION not in finding.reasons
    }
    assert set(scored) == close
    assert ("made/a.png", "train/0.png") in close
    assert sum(network.seen) == sum(1 for _ in {target for target, _ in close}) + len(close)
    assert scored["made/a.png", "train/0.png"] == 1.0
    assert report.verifier is not None
    assert report.detector is None


def test_a_pair_is_scored_in_the_views_in_which_it_met(work: Path) -> None:
    mirrored = picture(2).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    save(mirrored, work / "made/m.png")
    networks = Networks(None, Grey(card("lcmem")))
    (found,) = detect("made/m.png", "train", networks=networks, views="training").findings
    assert found.matches[0].view == View("mirrored")
    assert found.matches[0].confirmation == pytest.approx(1, abs=1e-4)


def test_an_image_that_is_gone_has_no_score(work: Path) -> None:
    given = finding_of(BORDERLINE, Reason.BORDERLINE)
    (work / "train/1.png").unlink()
    (found,) = confirmation.confirm([given], HASH, verifier(0.95))
    assert found == given


@pytest.mark.usefixtures("work")
def test_scores_that_are_no_numbers_are_refused() -> None:
    given = finding_of(BORDERLINE, Reason.BORDERLINE)
    with pytest.raises(InputError, match="tiny: the network gives scores that are not finite"):
        confirmation.confirm([given], HASH, verifier(float("nan")))


@pytest.mark.usefixtures("work")
def test_the_caller_sees_how_far_it_is() -> None:
    seen: list[tuple[str, int, int]] = []
    given = [finding_of(NEAR), finding_of(DISTINCT), finding_of(IDENTICAL)]
    confirmation.confirm(given, HASH, verifier(0.95), progress=lambda *args: seen.append(args))
    assert seen == [("candidate pairs", 1, 2), ("candidate pairs", 2, 2)]


@pytest.mark.usefixtures("work")
def test_the_score_of_one_pair() -> None:
    network = Grey(card())
    assert confirmation.score(network, "made/a.png", "train/0.png") == 1.0
    assert confirmation.score(network, "made/a.png", "train/1.png") < 0.9
    Path("broken.png").write_bytes(b"broken")
    with pytest.raises(InputError, match=r"broken\.png: "):
        confirmation.score(network, "made/a.png", "broken.png")
    with pytest.raises(InputError, match=r"gone\.png: "):
        confirmation.score(network, "gone.png", "made/a.png")
