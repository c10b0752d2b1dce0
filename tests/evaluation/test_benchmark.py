from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Sequence

import imagehash
import numpy as np
import pytest
from PIL import Image

from memscan.errors import InputError
from memscan.evaluation import benchmark, detectors, gallery
from memscan.evaluation.describing import MOST_PIXELS, open_rgb
from memscan.evaluation.edits import EDITS, key
from memscan.evaluation.pairs import halve
from memscan.evaluation.request import Request
from memscan.protocols import Origin
from memscan.reports.evaluation import render
from memscan.scorecard import Basis, Scorecard
from tests.drawing import picture, save

EDIT_NAMES = ("jpeg-50", "mirrored", "crop-off-10", "noise-15")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for seed in range(12):
        save(picture(seed), tmp_path / f"photos/{seed:02}.png")
    return tmp_path / "photos"


def evaluate(folder: Path, **options: Any) -> Scorecard:
    request = {key: options.pop(key) for key in ("seed", "jobs", "detectors") if key in options}
    options.setdefault("edits", EDIT_NAMES)
    return benchmark.evaluate_edits(folder, Request(**request), **options)


def without_times(card: Scorecard) -> str:
    return render(dataclasses.replace(card, times={}), "json")


class TestDetectors:
    IMAGES = tuple(picture(seed, (150, 100)) for seed in range(6))

    @pytest.mark.parametrize(
        ("name", "hash"),
        [
            ("phash", imagehash.phash),
            ("dhash", imagehash.dhash),
            ("phash-256", lambda image: imagehash.phash(image, hash_size=16)),
        ],
    )
    def test_distances_are_those_of_imagehash(self, name: str, hash: Any) -> None:
        (detector,) = detectors.choose([name])
        targets, sources = self.IMAGES[:4], self.IMAGES[1:]
        found = detector.distances(
            detector.describe_targets(targets), detector.describe_sources(sources)
        )
        wanted = [[hash(target) - hash(source) for source in sources] for target in targets]
        assert found.dtype == np.float32
        assert found.tolist() == wanted
        bits = hash(targets[0]).hash.size
        assert detector.bytes_per_source() * 8 == bits

    def test_unknown_names_are_told_the_known_ones(self) -> None:
        with pytest.raises(InputError, match="sscd: no such detector; there are phash, "):
            detectors.choose(["phash", "sscd"])
        with pytest.raises(InputError, match="phash: given twice"):
            detectors.choose(["phash", "phash"])
        with pytest.raises(InputError, match="no detector was given"):
            detectors.choose([])

    def test_a_detector_can_be_plugged_in(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Corner:
            name, description, default_threshold = "corner", "three numbers", 2.5
            origin = Origin()

            def describe_sources(self, images: Sequence[Image.Image]) -> detectors.Rows:
                return np.array([image.getpixel((0, 0)) for image in images], np.float32)

            def describe_targets(self, images: Sequence[Image.Image]) -> detectors.Rows:
                return np.stack([self.describe_sources(images)] * 2, axis=1)

            def distances(
                self, targets: detectors.Rows, sources: detectors.Rows
            ) -> detectors.Distances:
                both = np.abs(targets[:, None] - sources[None, :, None]).mean(axis=3)
                return np.asarray(both.min(axis=2), np.float32)

            def paired(
                self, targets: detectors.Rows, sources: detectors.Rows
            ) -> detectors.Distances:
                return np.diag(self.distances(targets, sources))

            def bytes_per_source(self) -> int:
                return 12

        monkeypatch.setitem(detectors.KNOWN, "corner", Corner)
        card = evaluate(folder, detectors=("corner",), edits=("jpeg-95", "mirrored"))
        (found,) = card.detectors
        assert (found.name, found.bytes_per_source) == ("corner", 12)
        assert [edit.scores.found > 3 for edit in found.edits] == [True, False]


def test_the_scores_are_those_of_a_loop(folder: Path) -> None:
    """Every image opened, edited and hashed once more, with imagehash alone."""
    card = evaluate(folder, seed=4)
    paths = sorted(folder.iterdir())
    reported = [path for path, own in zip(paths, halve(np.arange(12), 4)) if not own]
    images = [Image.open(path).convert("RGB") for path in reported]
    sources = [imagehash.phash(image) for image in images]
    (detector,) = card.detectors
    for edit, scored in zip((e for e in EDITS if e.name in EDIT_NAMES), detector.edits):
        found = 0
        for row, image in enumerate(images):
            target = imagehash.phash(edit.of(image, key(image, 4)))
            distances = [target - source for source in sources]
            own = distances.pop(row)
            found += own <= 5 and own < min(distances)
        assert (scored.name, scored.scores.found, scored.scores.wanted) == (edit.name, found, 6)
    assert (card.basis, card.calibration, card.reported) == (Basis.EDITS, 6, 6)
    assert card.unrelated_pairs == 4 * 6 * 5


def test_any_number_of_workers_and_any_run_gives_the_same_bytes(folder: Path) -> None:
    cards = [evaluate(folder, jobs=jobs, detectors=("phash", "dhash")) for jobs in (1, 3, None, 1)]
    assert len({without_times(card) for card in cards}) == 1
    assert len(set(map(len, (card.times for card in cards)))) == 1
    assert cards[0] == cards[1]
    assert without_times(evaluate(folder, seed=1)) != without_times(cards[0])


def test_an_edit_is_the_same_whatever_others_are_evaluated(folder: Path) -> None:
    def of(card: Scorecard, name: str) -> Any:
        return next(edit for edit in card.detectors[0].edits if edit.name == name)

    alone = evaluate(folder, edits=("noise-15",))
    assert of(evaluate(folder), "noise-15").scores.found == of(alone, "noise-15").scores.found


def test_images_that_cannot_be_read_are_failures(folder: Path) -> None:
    whole = evaluate(folder)
    (folder / "zz.png").write_bytes(b"broken")
    card = evaluate(folder)
    assert [Path(failure.path).name for failure in card.failures] == ["zz.png"]
    assert card.found == 13
    assert card.detectors == whole.detectors


def test_a_limit_draws_images_by_the_seed(folder: Path) -> None:
    card = evaluate(folder, limit=6)
    assert (card.calibration, card.reported, card.ignored) == (3, 3, 6)
    assert without_times(card) == without_times(evaluate(folder, limit=6))
    assert evaluate(folder, limit=99).ignored == 0


def test_too_few_images_are_refused(folder: Path) -> None:
    with pytest.raises(InputError, match="needs four images that can be read, here are 3"):
        evaluate(folder, limit=3)


def test_progress_reaches_the_last_image(folder: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    request = Request(progress=lambda *step: seen.append(step))
    benchmark.evaluate_edits(folder, request, edits=("mirrored",))
    assert seen == [("images", done, 12) for done in range(1, 13)]


def test_images_become_rgb_of_a_megapixel(tmp_path: Path) -> None:
    large = save(picture(1, (2000, 1500)), tmp_path / "large.png")
    image = open_rgb(large, 10**7)
    assert image.mode == "RGB"
    assert 0.99 * MOST_PIXELS < image.width * image.height <= MOST_PIXELS
    for mode in ("L", "RGBA", "CMYK", "1", "P"):
        shown = save(picture(1, mode=mode), tmp_path / f"{mode}.tif")
        assert open_rgb(shown, 10**7).mode == "RGB"
    deep = Image.fromarray(np.full((9, 9), 257 * 7, np.uint16))
    assert open_rgb(save(deep, tmp_path / "deep.png"), 10**7).getpixel((0, 0)) == (7, 7, 7)


def test_misses_are_shown_as_they_were_compared(folder: Path) -> None:
    card = evaluate(folder, edits=("mirrored", "jpeg-95"))
    (miss,) = card.detectors[0].misses
    assert miss.edit == "mirrored"
    drawn = gallery.pictures(card, 10**7, 1)
    with Image.open(miss.path) as original:
        mirrored = original.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    assert drawn[miss.path, "mirrored"].tobytes() == mirrored.tobytes()
    assert (miss.other, "") in drawn
    Path(miss.path).unlink()
    assert (miss.path, "mirrored") not in gallery.pictures(card, 10**7, 1)


class TestLists:
    @pytest.fixture(autouse=True)
    def versions(self, folder: Path) -> None:
        for seed in range(12):
            picture(seed).resize((60, 40)).save(folder / f"{seed:02}.jpg", quality=60)

    def write(self, folder: Path, *lines: str) -> Path:
        path = folder / "list.csv"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    def test_pairs_are_judged_without_edits(self, folder: Path) -> None:
        right = [f"{n:02}.jpg,{n:02}.png,1" for n in range(12)]
        wrong = [f"{n:02}.jpg,{n + 1 - 2 * (n % 2):02}.png,0" for n in range(12)]
        path = self.write(folder, "path_a,path_b,label", *right, *wrong)
        card = benchmark.evaluate_pairs(path)
        (detector,) = card.detectors
        assert (card.basis, card.found) == (Basis.PAIRS, 24)
        assert card.calibration == card.reported == 12
        assert card.unrelated_pairs == 6
        assert (detector.edits, detector.misses) == ((), ())
        assert (detector.overall.found, detector.overall.wanted) == (6, 6)
        assert detector.overall.auc is not None
        assert detector.overall.auc.value == 1
        assert detector.false_positive_fits[0].threshold is not None

    def test_pairs_may_say_which_half_they_are_in(self, folder: Path) -> None:
        splits = ["val"] * 5 + ["test"] * 6 + ["train"]
        lines = [f"{n:02}.jpg,{n:02}.png,1,{splits[n]}" for n in range(12)]
        lines.append("00.jpg,05.png,0,test")  # an image of either half
        card = benchmark.evaluate_pairs(self.write(folder, "path_a,path_b,label,split", *lines))
        assert (card.found, card.calibration, card.reported, card.ignored) == (24, 10, 13, 2)
        assert card.detectors[0].overall.wanted == 6
        assert card.unrelated_pairs == 1
        path = self.write(folder, "path_a,path_b,label,split", "00.jpg,00.png,1,val")
        with pytest.raises(InputError, match="no pair is left to report"):
            benchmark.evaluate_pairs(path)

    def test_pairs_that_hang_together_are_all_reported(self, folder: Path) -> None:
        lines = [f"00.jpg,{n:02}.png,{int(n == 0)}" for n in range(12)]
        card = benchmark.evaluate_pairs(self.write(folder, "path_a,path_b,label", *lines))
        assert (card.calibration, card.reported, card.unrelated_pairs) == (0, 13, 11)
        assert card.detectors[0].overall.true_positives == ()

    def test_pairs_of_broken_images_are_left_out_and_the_images_told(self, folder: Path) -> None:
        (folder / "00.jpg").write_bytes(b"broken")
        lines = ["00.jpg,00.png,1", "01.jpg,01.png,1", "02.jpg,gone.png,0"]
        card = benchmark.evaluate_pairs(self.write(folder, "path_a,path_b,label", *lines))
        assert {Path(failure.path).name for failure in card.failures} == {"00.jpg", "gone.png"}
        assert card.detectors[0].overall.wanted == 1
        path = self.write(folder, "path_a,path_b,label", "00.jpg,00.png,1")
        with pytest.raises(InputError, match="no pair is left to report"):
            benchmark.evaluate_pairs(path)

    def test_identities_are_looked_for_in_their_half(self, folder: Path) -> None:
        splits = ["val"] * 5 + ["test"] * 6 + ["train"]
        lines = [f"{n:02}.{kind},{n},{splits[n]}" for n in range(12) for kind in ("png", "jpg")]
        card = benchmark.evaluate_identities(self.write(folder, "path,id,split", *lines))
        assert (card.calibration, card.reported, card.ignored) == (10, 12, 2)
        overall = card.detectors[0].overall
        assert (overall.found, overall.wanted) == (12, 12)
        assert card.unrelated_pairs == 12 * 10

    def test_without_splits_half_of_the_identities_are_drawn(self, folder: Path) -> None:
        lines = [f"{n:02}.{kind},{n}" for n in range(12) for kind in ("png", "jpg")]
        card = benchmark.evaluate_identities(self.write(folder, "path,id", *lines))
        assert (card.calibration, card.reported) == (12, 12)
        assert card.detectors[0].overall.wanted == 12

    def test_a_list_without_a_pair_to_report_is_refused(self, folder: Path) -> None:
        path = self.write(folder, "path,id,split", "00.png,1,val", "01.png,1,test")
        with pytest.raises(InputError, match="no pair is left to report"):
            benchmark.evaluate_identities(path)
