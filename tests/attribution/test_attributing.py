from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any, Sequence

import numpy as np
import pytest
from PIL import Image

from memscan.attribution import attributing
from memscan.attribution.fingerprints import Found
from memscan.attribution.reading import Seen, Settings
from memscan.attributions import AttributionReport, Weakness
from memscan.errors import InputError
from memscan.fingerprints.thresholds import Calibration
from memscan.reports.attribution import wording
from memscan.sources.directories import Selection
from tests.attribution.conftest import SETTINGS
from tests.drawing import save
from tests.fingerprints.generators import SIDE, draw_into, drawn

REAL = 25


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Targets of two known generators, an unknown one, and real ones; and real images besides."""
    for name in ("alpha", "beta", "gamma"):
        draw_into(tmp_path / "targets" / name, 4, name, first=100)
    draw_into(tmp_path / "targets/real", 4, first=200)
    draw_into(tmp_path / "real", REAL, first=500)
    return tmp_path


def attribute(folder: Path, found: Sequence[Found], **options: Any) -> AttributionReport:
    settings = Settings(Selection(recursive=True), jobs=options.pop("jobs", None))
    return attributing.attribute([str(folder / "targets")], found, settings=settings, **options)


def decisions(report: AttributionReport) -> dict[str, set[str | None]]:
    """The generators that the images of each folder are attributed to, where the grid lies."""
    found: dict[str, set[str | None]] = {}
    for one in report.attributions:
        folder = os.path.basename(os.path.dirname(one.path))
        found.setdefault(folder, set()).add(one.generator)
    return found


OWN: dict[str, set[str | None]] = {
    "alpha": {"alpha"},
    "beta": {"beta"},
    "gamma": {None},
    "real": {None},
}


@pytest.mark.parametrize("search", [False, True])
def test_each_image_is_attributed_to_its_generator_or_to_none_of_these(
    folder: Path, found: list[Found], search: bool
) -> None:
    options = {"calibrate": [str(folder / "real")], "search": search}
    report = attribute(folder, found, **options)
    assert decisions(report) == OWN
    assert report.search is search
    assert report.calibrated is not None
    assert (report.calibrated.images, report.calibrated.needed) == (REAL, 19)
    for one in report.attributions:
        assert one.p_value is not None
        assert (one.p_value <= 0.05) == bool(one.named)
        above = {
            each.name
            for each, score in zip(report.generators, one.scores)
            if score > (each.threshold if one.phase is None else each.moved_threshold or 0)
        }
        assert above == set(one.named)
    assert all(not one.named for one in report.attributions if "/real/" in one.path)
    if not search:
        assert report.moved == 0
        assert all(one.moved_threshold is None for one in report.generators)


def test_without_real_images_nearest_mean_decides_and_a_warning_says_so(
    folder: Path, found: list[Found]
) -> None:
    report = attribute(folder, found)
    assert decisions(report) == OWN
    assert (report.calibrated, report.search) == (None, False)
    assert [one.threshold for one in report.generators] == pytest.approx([0.03, 0.03])
    assert "nothing is known of how many real images" in report.warnings[0]
    for one in report.attributions:
        for name, score, margin in zip(("alpha", "beta"), one.scores, one.margins):
            assert margin == pytest.approx((score - 0.03) / 0.03)
            assert (name in one.named) == (score > 0.03)


def test_the_search_finds_images_that_were_moved(folder: Path, found: list[Found]) -> None:
    for seed in range(4):
        whole = drawn(seed, "alpha", (SIDE + 8, SIDE + 8))
        save(whole.crop((1, 0, SIDE + 1, SIDE)), folder / f"targets/moved/{seed}.png")
    calibrate = [str(folder / "real")]
    report = attribute(folder, found, calibrate=calibrate)
    moved = [one for one in report.attributions if "/moved/" in one.path]
    assert [(one.named[0], one.phase) for one in moved] == [("alpha", (0, 7))] * 4
    assert not any(one.generator for one in moved)  # some generator with such a grid
    plain = attribute(folder, found, calibrate=calibrate, search=False)
    assert not any("alpha" in one.named for one in plain.attributions if "/moved/" in one.path)


@pytest.mark.parametrize(
    ("place", "score", "phase", "generator"),
    [
        ((0, 0), 0.2, None, None),
        ((0, 0), 0.5, (0, 0), "alpha"),  # 0.5 deviations as it lies, 4 among the phases
        ((0, 0), 3.0, None, "alpha"),  # by far more in deviations among the phases
        ((1, 2), 0.5, (1, 2), None),
        ((1, 2), 3.0, (1, 2), None),
    ],
)
def test_what_lies_as_in_training_was_not_moved(
    found: list[Found],
    place: tuple[int, int],
    score: float,
    phase: tuple[int, int] | None,
    generator: str | None,
) -> None:
    surfaces = np.zeros((1, 8, 8))
    surfaces[0][place] = score
    calibration = Calibration(
        0.05, np.array([0, 0.3]), np.array([1, 0.05]), np.array([1.0, 2.0]), 2.0
    )
    rule = attributing.Rule([found[0].fingerprint], search=True, calibration=calibration)
    one = attributing.decided(Seen("a.png", surfaces, "PNG", (64, 64)), rule)
    assert (one.phase, one.generator) == (phase, generator)
    assert one.is_moved == (generator is None and phase is not None)
    said = [*wording.remarks(one), wording.decision(one)]
    assert any("0 px down and 0 px" in sentence for sentence in said) is False


def test_a_search_needs_real_images(folder: Path, found: list[Found]) -> None:
    with pytest.raises(InputError, match="needs --calibrate"):
        attribute(folder, found, search=True)


@pytest.mark.parametrize("rate", [0.001, 0.03])
def test_a_rate_that_so_few_images_cannot_vouch_for_is_refused(
    folder: Path, found: list[Found], rate: float
) -> None:
    needed = {0.001: 999, 0.03: 33}[rate]
    with pytest.raises(InputError, match=f"needs at least {needed} real images") as raised:
        attribute(folder, found, calibrate=[str(folder / "real")], rate=rate)
    least = float(str(raised.value).rsplit(" ", 1)[1])
    assert attribute(folder, found, calibrate=[str(folder / "real")], rate=least).calibrated


@pytest.mark.parametrize("rate", [0.0, 1.0, -1.0, float("nan")])
def test_what_is_no_rate_is_refused(folder: Path, found: list[Found], rate: float) -> None:
    for calibrate in ([], [str(folder / "real")]):
        with pytest.raises(InputError, match="between 0 and 1"):
            attribute(folder, found, calibrate=calibrate, rate=rate)


def test_a_rate_for_which_no_folder_is_large_enough_is_refused(
    folder: Path, found: list[Found]
) -> None:
    with pytest.raises(InputError, match="--rate must be at least 1e-06"):
        attribute(folder, found, calibrate=[str(folder / "real")], rate=1e-300)


def test_one_real_image_is_too_few_for_any_rate(folder: Path, found: list[Found]) -> None:
    told = r"needs at least 3 real images, and --calibrate has 1; give more of them$"
    with pytest.raises(InputError, match=told):
        attribute(folder, found, calibrate=[str(folder / "real/500.png")], rate=0.5)


def test_real_images_without_any_difference_are_refused(folder: Path, found: list[Found]) -> None:
    for number in range(20):
        save(Image.new("RGB", (64, 64), "red"), folder / f"red/{number}.png")
    with pytest.raises(InputError, match="all have the same score"):
        attribute(folder, found, calibrate=[str(folder / "red")])


def test_two_generators_above_their_thresholds_are_both_named(
    folder: Path, found: list[Found]
) -> None:
    both = drawn(1, "alpha")
    other = drawn(1, "beta")
    real = drawn(1)
    summed = [
        Image.fromarray(
            (_array(both)[:, :] + _array(other) - _array(real)).clip(0, 255).astype("uint8")
        )
    ]
    save(summed[0], folder / "both/0.png")
    report = attributing.attribute(
        [str(folder / "both")],
        found,
        calibrate=[str(folder / "real")],
        search=False,
        settings=SETTINGS,
    )
    one = report.attributions[0]
    assert set(one.named) == {"alpha", "beta"}
    assert one.is_ambiguous
    greatest = max(zip(one.margins, ("alpha", "beta")))[1]
    assert one.generator == greatest == one.named[0]
    plain = attribute(folder, found, calibrate=[str(folder / "real")]).attributions
    assert not any(each.is_ambiguous for each in plain if each.phase is None)


def _array(image: Image.Image) -> Any:
    import numpy as np

    return np.asarray(image, np.int16)


def test_weak_evidence_is_said_by_what_a_file_holds(folder: Path, found: list[Found]) -> None:
    targets = folder / "weak"
    targets.mkdir()
    drawn(1, "alpha").save(targets / "a.png", "JPEG")
    drawn(1, "alpha").save(targets / "b.jpg", "PNG")
    drawn(1, "alpha", (68, 72)).save(targets / "c.png")
    drawn(1, "alpha", (48, 64)).save(targets / "d.png")
    Image.new("RGB", (64, 64), "blue").save(targets / "e.png")
    report = attributing.attribute([str(targets)], found, settings=SETTINGS)
    assert [(one.format, one.weaknesses) for one in report.attributions] == [
        ("JPEG", (Weakness.LOSSY,)),
        ("PNG", ()),
        ("PNG", (Weakness.SIZE,)),
        ("PNG", (Weakness.SMALL,)),
        ("PNG", (Weakness.BLANK,)),
    ]
    assert report.attributions[4].generator is None
    assert [sentence[:30] for sentence in report.warnings[1:]] == [
        "1 of 5 targets are compressed ",
        "1 of 5 targets have a side tha",
        "1 of 5 targets are smaller tha",
    ]


def test_real_images_of_another_kind_of_file_are_warned_of(
    folder: Path, found: list[Found]
) -> None:
    for seed in range(REAL):
        path = folder / f"photographs/{seed}.jpg"
        path.parent.mkdir(exist_ok=True)
        drawn(seed).save(path, quality=95)
    report = attribute(folder, found, calibrate=[str(folder / "photographs")])
    assert "100% of the real images of --calibrate and 0% of the targets" in report.warnings[0]
    assert not attribute(folder, found, calibrate=[str(folder / "real")]).warnings


def test_real_images_among_the_targets_are_warned_of(folder: Path, found: list[Found]) -> None:
    targets = [str(folder / "real/../real/500.png"), str(folder / "targets")]
    report = attributing.attribute(
        targets, found, calibrate=[str(folder / "real")], settings=SETTINGS
    )
    assert "real images of --calibrate that are also targets: 1" in report.warnings
    assert not any("also targets" in one for one in attribute(folder, found).warnings)


def test_what_cannot_be_read_is_a_failure_and_nothing_more(
    folder: Path, found: list[Found]
) -> None:
    (folder / "targets/alpha/broken.png").write_bytes(b"broken")
    (folder / "real/broken.png").write_bytes(b"broken")
    report = attribute(folder, found, calibrate=[str(folder / "real")])
    assert [os.path.basename(one.path) for one in report.failures] == ["broken.png"]
    assert len(report.attributions) == 16
    assert report.calibrated is not None
    assert len(report.calibrated.failures) == 1


def test_archives_are_read_as_anywhere(folder: Path, found: list[Found]) -> None:
    with zipfile.ZipFile(folder / "some.zip", "w") as archive:
        archive.write(folder / "targets/beta/100.png", "b.png")
        archive.write(folder / "targets/real/200.png", "a.png")
        archive.writestr("broken.png", b"broken")
    report = attributing.attribute(
        [str(folder / "some.zip")], found, calibrate=[str(folder / "real")], settings=SETTINGS
    )
    assert [one.generator for one in report.attributions] == [None, "beta"]
    assert report.attributions[1].path == f"zip://b.png::{folder / 'some.zip'}"
    assert len(report.failures) == 1
    assert report.targets[0].found == 3


def test_the_report_is_the_same_for_any_number_of_workers(folder: Path, found: list[Found]) -> None:
    options = {"calibrate": [str(folder / "real")]}
    reports = [attribute(folder, found, jobs=jobs, **options) for jobs in (1, 3)]
    assert reports[0] == reports[1]
    paths = [one.path for one in reports[0].attributions]
    assert paths == sorted(paths, key=os.fsencode)


def test_targets_without_images_are_refused(folder: Path, found: list[Found]) -> None:
    (folder / "empty").mkdir()
    with pytest.raises(InputError, match="no images here"):
        attributing.attribute([str(folder / "empty")], found, settings=SETTINGS)
    with pytest.raises(InputError, match="no images here"):
        attribute(folder, found, calibrate=[str(folder / "empty")])
    (folder / "empty/a.png").write_bytes(b"broken")
    with pytest.raises(InputError, match="none of the 1 images here can be read"):
        attributing.attribute([str(folder / "empty")], found, settings=SETTINGS)
    (folder / "hashes.npy").write_bytes(b"")
    with pytest.raises(InputError, match="needs images"):
        attributing.attribute([str(folder / "hashes.npy")], found, settings=SETTINGS)
