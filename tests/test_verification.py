from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image, ImageOps

from memscan import verification
from memscan.records import Finding, Match, Reason, Thresholds, Verdict, View
from memscan.verification import verify
from tests.drawing import picture, save

WHOLE = View()


def finding(
    tmp_path: Path,
    target: Image.Image,
    source: Image.Image,
    distance: int,
    view: View = WHOLE,
    reasons: tuple[Reason, ...] = (),
) -> Finding:
    paths = save(target, tmp_path / "target.png"), save(source, tmp_path / "source.png")
    borderline = (Reason.BORDERLINE,) if 5 < distance <= 10 else ()
    return Finding(
        paths[0],
        0,
        Verdict.DISTINCT if distance > 5 else Verdict.NEAR_DUPLICATE,
        (*borderline, *reasons),
        (Match(paths[1], 0, distance, view),),
    )


def verified(found: Finding, level: str = "training") -> Finding:
    (result,) = verify([found], Thresholds(), level)
    return result


SAME, OTHER = picture(1, (300, 200)), picture(2, (300, 200))


def test_a_candidate_that_the_pixels_confirm_is_a_near_duplicate(tmp_path: Path) -> None:
    result = verified(finding(tmp_path, SAME.rotate(2), SAME, 8))
    assert result.verdict is Verdict.NEAR_DUPLICATE
    assert result.reasons == (Reason.VERIFIED,)
    assert not result.review
    assert result.is_copy
    assert result.matches[0].similarity is not None
    assert result.matches[0].similarity > verification.CONFIRMED


def test_one_that_they_contradict_is_under_review(tmp_path: Path) -> None:
    result = verified(finding(tmp_path, OTHER, SAME, 8))
    assert result.verdict is Verdict.DISTINCT
    assert result.reasons == (Reason.BORDERLINE, Reason.UNVERIFIED)


def test_whole_images_that_are_close_stay_what_plain_calls_them(tmp_path: Path) -> None:
    result = verified(finding(tmp_path, OTHER, SAME, 4))
    assert result.verdict is Verdict.NEAR_DUPLICATE
    assert result.reasons == (Reason.UNVERIFIED,)


def test_another_view_that_is_close_by_chance_is_no_copy(tmp_path: Path) -> None:
    result = verified(finding(tmp_path, OTHER, SAME, 4, View("mirrored", "square")))
    assert result.verdict is Verdict.DISTINCT
    assert result.review


def test_the_images_are_compared_as_they_met(tmp_path: Path) -> None:
    square = ImageOps.mirror(SAME.crop((50, 0, 250, 200)))
    met = verified(finding(tmp_path, square, SAME, 8, View("mirrored", "square")))
    assert met.reasons == (Reason.VERIFIED,)
    assert verified(finding(tmp_path, square, SAME, 8)).reasons != (Reason.VERIFIED,)


def test_plain_shows_the_similarity_and_judges_by_distance_alone(tmp_path: Path) -> None:
    result = verified(finding(tmp_path, SAME.rotate(2), SAME, 8), "plain")
    assert result.verdict is Verdict.DISTINCT
    assert result.reasons == (Reason.BORDERLINE,)
    assert result.matches[0].similarity is not None


@pytest.mark.parametrize("distance", [12, 30])
def test_what_is_distinct_is_not_read_again(
    tmp_path: Path, distance: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verification, "_read", None)
    found = finding(tmp_path, SAME, SAME, distance)
    assert verified(found) == found


def test_flat_images_stay_as_they_are(tmp_path: Path) -> None:
    flat = Image.new("L", (40, 40))
    found = finding(tmp_path, flat, flat, 4, reasons=(Reason.LOW_INFORMATION,))
    assert verified(found) == found


@pytest.mark.parametrize("name", ["target.png", "source.png"])
def test_an_image_that_is_gone_meanwhile_changes_nothing(tmp_path: Path, name: str) -> None:
    found = finding(tmp_path, SAME, SAME, 8)
    (tmp_path / name).unlink()
    assert verified(found) == found
