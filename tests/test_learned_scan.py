"""Scans by a learned detector, with a network of a few lines of numpy."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from memscan import detect, verdicts
from memscan.baseline import Baseline
from memscan.detectors.cards import Cuts
from memscan.errors import InputError
from memscan.learned import LearnedEncoder
from memscan.networks import Networks
from memscan.records import Basis, Finding, Level, Reason, Verdict
from tests.drawing import picture, save
from tests.networks import Grey, card

LEARNED = Networks(LearnedEncoder(Grey(card())))
UNCALIBRATED = Networks(LearnedEncoder(Grey(card(calibration=None))))


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Training images, and generated ones from a copy to a stranger."""
    monkeypatch.chdir(tmp_path)
    for seed in range(12):
        save(picture(seed), tmp_path / f"train/{seed:02}.png")
    save(picture(0), tmp_path / "made/a.png")
    save(picture(1).rotate(3), tmp_path / "made/b.png")
    save(picture(2).rotate(5), tmp_path / "made/c.png")
    save(picture(3).transpose(Image.Transpose.FLIP_LEFT_RIGHT), tmp_path / "made/d.png")
    save(picture(99), tmp_path / "made/e.png")
    return tmp_path


def score(one: str, other: str) -> float:
    network = Grey(card())
    pixels = [network.prepare(Image.open(path)) for path in (one, other)]
    embedded = [network.embed(each[None]) for each in pixels]
    return float(network.paired(*embedded)[0])


def by_name(findings: Any) -> dict[str, Finding]:
    return {Path(finding.target).stem: finding for finding in findings}


@pytest.mark.usefixtures("work")
def test_the_closest_source_has_the_highest_score() -> None:
    report = detect("made", "train", networks=LEARNED, top_k=3)
    sources = sorted(map(str, Path("train").iterdir()))
    for finding in report.findings:
        expected = sorted((1 - score(finding.target, source), source) for source in sources)[:3]
        assert [match.source for match in finding.matches] == [source for _, source in expected]
        distances = [distance for distance, _ in expected]
        assert [match.distance for match in finding.matches] == pytest.approx(distances, abs=2e-6)


@pytest.mark.usefixtures("work")
def test_cuts_make_verdicts() -> None:
    between = score("made/c.png", "train/02.png")
    above = score("made/b.png", "train/01.png")
    assert between < above
    one = card(cuts=Cuts((between + above) / 2, between - 0.1))
    report = detect("made", "train", networks=Networks(LearnedEncoder(Grey(one))))
    found = by_name(report.findings)
    verdict = {name: (finding.verdict, finding.reasons) for name, finding in found.items()}
    assert verdict == {
        "a": (Verdict.IDENTICAL, ()),
        "b": (Verdict.NEAR_DUPLICATE, ()),
        "c": (Verdict.DISTINCT, (Reason.BORDERLINE,)),
        "d": (Verdict.DISTINCT, ()),
        "e": (Verdict.DISTINCT, ()),
    }
    assert report.copies == 2
    assert [item.source for item in report.copied] == ["train/00.png", "train/01.png"]
    assert report.detector is not None
    assert (report.detector.kind, report.hash_bits) == ("deepssim", 64)


@pytest.mark.usefixtures("work")
def test_a_calibrated_copy_has_an_upper_limit_of_chance() -> None:
    found = by_name(detect("made", "train", networks=LEARNED).findings)
    assert found["a"].chance.basis is Basis.CALIBRATED
    assert found["a"].chance.expected is not None
    # 10 of 20,000 unrelated pairs passed; the true share may be almost twice that.
    assert 12 * 5e-4 < found["a"].chance.expected < 12 * 1e-3
    assert found["e"].chance.basis is Basis.NO_MODEL


@pytest.mark.usefixtures("work")
def test_an_uncalibrated_detector_never_yields_more_than_a_review() -> None:
    for level in ("plain", "training"):
        report = detect("made", "train", networks=UNCALIBRATED, views=level)
        found = by_name(report.findings)
        assert found["a"].reasons[0] is Reason.UNCALIBRATED
        assert found["e"].reasons == ()
        assert {finding.verdict for finding in report.findings} == {Verdict.DISTINCT}
        assert (report.copies, report.copied) == (0, ())
        assert found["a"].chance.expected is None
        assert verdicts.reaches(found["a"], Level.REVIEW)
        assert not verdicts.reaches(found["a"], Level.NEAR_DUPLICATE)
        assert not verdicts.reaches(found["a"], Level.IDENTICAL)
        assert not verdicts.reaches(found["e"], Level.REVIEW)


@pytest.mark.usefixtures("work")
def test_a_calibrated_one_reaches_the_gate() -> None:
    found = by_name(detect("made", "train", networks=LEARNED).findings)
    assert verdicts.reaches(found["a"], Level.IDENTICAL)
    assert not verdicts.reaches(found["e"], Level.REVIEW)


@pytest.mark.usefixtures("work")
def test_views_find_what_is_mirrored() -> None:
    plain = by_name(detect("made", "train", networks=LEARNED).findings)["d"]
    assert (plain.verdict, plain.hints) == (Verdict.DISTINCT, ())
    found = by_name(detect("made", "train", networks=LEARNED, views="training").findings)["d"]
    assert (found.verdict, found.matches[0].view.name) == (Verdict.IDENTICAL, "mirrored")
    assert found.matches[0].source == "train/03.png"


def test_pixels_that_do_not_agree_contradict_a_hash_only(work: Path) -> None:
    """In other views a contradicted hash is no copy; learned detectors look for such copies."""
    save(picture(3).transpose(Image.Transpose.FLIP_LEFT_RIGHT), work / "made/d.png")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("memscan.verification._similarity", lambda *_: 0.0)
        learned = by_name(detect("made", "train", networks=LEARNED, views="training").findings)
        by_hash = by_name(detect("made", "train", views="training").findings)
    assert learned["d"].verdict is Verdict.IDENTICAL
    assert by_hash["d"].verdict is Verdict.DISTINCT


@pytest.mark.usefixtures("work")
def test_what_applies_to_hashes_applies() -> None:
    alone = detect("train", "train", networks=LEARNED, exclude_self=True)
    assert all(finding.distance > 0.1 for finding in alone.findings)
    same = detect("train", "train", networks=LEARNED)
    assert all(finding.distance == 0 for finding in same.findings)
    assert len(same.targets_in_source) == 12
    held = detect("made", "train", networks=LEARNED, holdout="made").holdout
    assert held is not None
    assert (held.copies, held.only_holdout) == (5, 3)


@pytest.mark.usefixtures("work")
def test_any_number_of_jobs_gives_the_same() -> None:
    how: dict[str, Any] = {"networks": LEARNED, "views": "training", "top_k": 2}
    assert detect("made", "train", jobs=1, **how) == detect("made", "train", jobs=4, **how)


class TestFlatImages:
    """What lacks detail is no copy, whatever the score is."""

    def test_a_flat_target_is_no_copy(self, work: Path) -> None:
        save(Image.new("RGB", (40, 40), "red"), work / "made/f.png")
        save(Image.new("RGB", (40, 40), "blue"), work / "train/f.png")
        found = by_name(detect("made", "train", networks=LEARNED).findings)
        assert Reason.LOW_INFORMATION in found["f"].reasons
        assert not found["f"].is_copy

    def test_very_many_close_sources_ask_for_a_review(self, work: Path) -> None:
        loose = Networks(LearnedEncoder(Grey(card(cuts=Cuts(0.9999, -1.0)))))
        found = by_name(detect("made", "train", networks=loose).findings)
        assert Reason.GENERIC_HASH in found["e"].reasons
        assert (
            Reason.GENERIC_HASH
            not in by_name(detect("made", "train", networks=LEARNED).findings)["a"].reasons
        )


class TestTheBaseline:
    """Accepted findings of one detector, by the pHashes that name the images."""

    def accepted(self, networks: Networks, path: str = "accepted.json") -> Baseline:
        assert networks.encoder is not None
        fresh = Baseline(path, (), "phash", 64, networks.encoder.detector.fingerprint)
        return fresh.updated(detect("made", "train", networks=networks, baseline=fresh).findings)

    @pytest.mark.usefixtures("work")
    def test_what_was_accepted_stops_nothing(self) -> None:
        grown = self.accepted(LEARNED)
        Path("accepted.json").write_text(grown.text())
        again = Baseline.read("accepted.json", "phash", 64, grown.detector)
        assert again == dataclasses.replace(grown, entries=again.entries)
        found = by_name(detect("made", "train", networks=LEARNED, baseline=again).findings)
        assert found["a"].accepted
        assert not verdicts.reaches(found["a"], Level.REVIEW)
        assert not found["e"].accepted

    def test_another_source_that_is_as_close_is_news(self, work: Path) -> None:
        grown = self.accepted(LEARNED)
        save(picture(0).rotate(2), work / "train/new.png")
        found = by_name(detect("made", "train", networks=LEARNED, baseline=grown).findings)
        assert not found["a"].accepted

    @pytest.mark.usefixtures("work")
    def test_a_score_that_is_off_by_rounding_is_the_same(self) -> None:
        grown = self.accepted(LEARNED)
        nudged = [dataclasses.replace(e, distance=e.distance + 1e-6) for e in grown.entries]
        farther = [dataclasses.replace(e, distance=e.distance + 1e-2) for e in grown.entries]
        for entries, expected in ((nudged, True), (farther, False)):
            known = dataclasses.replace(grown, entries=tuple(entries))
            found = by_name(detect("made", "train", networks=LEARNED, baseline=known).findings)
            assert found["a"].accepted is expected

    @pytest.mark.usefixtures("work")
    def test_it_belongs_to_its_weights(self) -> None:
        Path("accepted.json").write_text(self.accepted(LEARNED).text())
        with pytest.raises(
            InputError, match=r"made with the weights of 'deepssim:ab.*not the weights of 'other'"
        ):
            Baseline.read("accepted.json", "phash", 64, "other")
        with pytest.raises(InputError, match=r"made with the weights of .*, not a hash"):
            Baseline.read("accepted.json")
        Path("accepted.json").write_text(Baseline("x").text())
        with pytest.raises(InputError, match="made with a hash, not the weights of 'one'"):
            Baseline.read("accepted.json", "phash", 64, "one")

    @pytest.mark.usefixtures("work")
    @pytest.mark.parametrize("distance", ["-0.1", "2.5", '"0"', "true", "NaN"])
    def test_a_distance_that_is_no_score_is_refused(self, distance: str) -> None:
        text = self.accepted(LEARNED).text()
        Path("accepted.json").write_text(
            re.sub(r'"distance": [\d.]+', f'"distance": {distance}', text)
        )
        with pytest.raises(InputError, match="has a distance that is no number from 0 to 2"):
            Baseline.read("accepted.json", "phash", 64, Grey(card()).fingerprint)


@pytest.mark.usefixtures("work")
@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"hash": "pdq"}, "by a hash or by a learned detector, not by both"),
        ({"fast": True}, "measured for phash only, not for deepssim"),
        ({"near_threshold": 3}, "thresholds in bits are for hashes"),
        ({"distinct_threshold": 3}, "thresholds in bits are for hashes"),
        ({"hash_column": "phash"}, "a column of hashes is compared by a hash"),
        ({"engine": "ray"}, "a cluster searches tables of hashes"),
    ],
)
def test_what_only_hashes_have_is_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        detect("made", "train", networks=LEARNED, **options)
