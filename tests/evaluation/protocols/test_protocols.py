from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import imagehash
import numpy as np
import pytest
from PIL import Image, ImageChops

from memscan.errors import InputError
from memscan.evaluation import robustness as grid
from memscan.evaluation.edits import AS_IS, key
from memscan.evaluation.learned_detectors import Weights
from memscan.evaluation.protocols import alterations, reidentification, robustness, three_classes
from memscan.evaluation.protocols.images import Images
from memscan.evaluation.request import Request
from memscan.protocols import Comparison, Entry
from memscan.reports.protocols import render
from tests.drawing import picture, save
from tests.evaluation.networks import write

FEW = grid.GRID[8:16]


def value(entry: Entry, part: str, column: str) -> float:
    estimate = entry.figures[part][column]
    assert estimate is not None
    return estimate.value


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for seed in range(8):
        save(picture(seed), tmp_path / f"photos/{seed}.png")
    return tmp_path / "photos"


@pytest.fixture
def few_edits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The grid, of small images and without most edits."""
    monkeypatch.setattr(grid, "SIDE", 48)
    monkeypatch.setattr(robustness, "GRID", FEW)


class TestRobustness:
    pytestmark = pytest.mark.usefixtures("few_edits")

    def test_rates_are_those_of_a_loop_over_plain_hashes(self, folder: Path) -> None:
        request = Request(seed=3)
        images = Images.found(folder)
        made = robustness.evaluate_robustness(images, request)
        (entry,) = made.entries
        gathered = images.gather(request, request.chosen())
        opened = [Image.open(path).convert("RGB") for path in gathered.described.paths]
        threshold = entry.thresholds["best F1"]
        assert threshold is not None
        for edit in FEW:
            hits = []
            for row in gathered.halves.reported.tolist():
                edited = edit.of(opened[row], key(opened[row], 3))
                distance = imagehash.phash(edited) - imagehash.phash(opened[row])
                hits.append(distance <= threshold)
            assert value(entry, edit.name, "recall") == pytest.approx(np.mean(hits))
        assert made.parts[0].counts == {"right": 32, "unrelated": 32}
        recalls = [value(entry, edit.name, "recall") for edit in FEW]
        assert value(entry, "pooled", "recall") == pytest.approx(np.mean(recalls))

    def test_an_unrelated_pair_is_never_of_one_identity(self) -> None:
        identities = np.array([0, 0, 0, 1, 2, 2])
        others = robustness._others(identities, [0])
        assert others.shape == (6, 8)
        assert (identities[others] != identities[:, None]).all()
        assert set(others[0].tolist()) == {3, 4, 5}

    def test_thresholds_do_not_see_the_reported_half(self, folder: Path) -> None:
        lines = [f"{n}.png,{n},{'val' if n < 4 else 'test'}" for n in range(8)]
        (folder / "list.csv").write_text("\n".join(["path,id,split", *lines]))
        request = Request(("phash", "mse"))
        one = robustness.evaluate_robustness(Images.listed(folder / "list.csv"), request)
        for n in range(4, 8):
            save(Image.new("RGB", (50, 50), (n, 0, 0)), folder / f"{n}.png")
        other = robustness.evaluate_robustness(Images.listed(folder / "list.csv"), request)
        assert [e.thresholds for e in one.entries] == [e.thresholds for e in other.entries]
        assert [e.figures for e in one.entries] != [e.figures for e in other.entries]

    def test_any_number_of_workers_gives_the_same_bytes(self, folder: Path) -> None:
        texts = {
            render(robustness.evaluate_robustness(Images.found(folder), Request(jobs=jobs)), "json")
            for jobs in (1, 3, None)
        }
        assert len(texts) == 1


class TestReidentification:
    def test_pairs_are_the_next_of_an_identity_and_a_stranger(self) -> None:
        items = np.arange(10, 19)
        identities = np.array([0, 0, 0, 0, 1, 1, 2, 3, 3])
        drawn = reidentification._draw(items, identities, [1])
        owner = dict(zip(items.tolist(), identities.tolist()))
        rows = list(zip(drawn.targets.tolist(), drawn.sources.tolist(), drawn.right.tolist()))
        right = [(target, source) for target, source, is_right in rows if is_right]
        assert right == [(11, 10), (12, 11), (13, 12), (10, 13), (15, 14), (18, 17)]
        strangers = [(target, source) for target, source, is_right in rows if not is_right]
        assert [source for _, source in strangers] == [source for _, source in right]
        assert all(owner[target] != owner[source] for target, source in strangers)

    def test_windows_stand_for_photographs_where_there_are_no_identities(
        self, folder: Path
    ) -> None:
        request = Request(("phash", "mse"))
        made = reidentification.evaluate_reidentification(Images.found(folder), request)
        assert made.parts[0].counts == {"right": 16, "unrelated": 16}
        assert "overlapping parts" in made.images
        assert "Real ones differ more." in made.notes[0]

    def test_identities_of_a_list(self, tmp_path: Path) -> None:
        lines = ["path,id,split"]
        for n in range(12):
            image = picture(n // 3, (96, 64))
            save(ImageChops.offset(image, n % 3, 0), tmp_path / f"{n}.png")
            lines.append(f"{n}.png,{n // 3},{'val' if n < 6 else 'test'}")
        (tmp_path / "list.csv").write_text("\n".join(lines))
        made = reidentification.evaluate_reidentification(Images.listed(tmp_path / "list.csv"))
        (entry,) = made.entries
        assert made.parts[0].counts == {"right": 6, "unrelated": 6}
        assert len(made.notes) == 2
        for column, wanted in (("auc", 1), ("recall", 1), ("fpr", 0), ("fpr_99", 0)):
            assert value(entry, "all", column) == wanted
        assert value(entry, "all", "recall_99") == 1

    def test_a_half_without_two_images_of_an_identity_is_refused(self, tmp_path: Path) -> None:
        splits = ("a,val", "b,val", "c,test", "c,test", "d,test")
        for n in range(5):
            save(picture(n), tmp_path / f"{n}.png")
        lines = [f"{n}.png,{rest}" for n, rest in enumerate(splits)]
        (tmp_path / "list.csv").write_text("\n".join(["path,id,split", *lines]))
        with pytest.raises(InputError, match="the calibration half needs an identity with two"):
            reidentification.evaluate_reidentification(Images.listed(tmp_path / "list.csv"))


@pytest.mark.usefixtures("coarse")
class TestClasses:
    @pytest.fixture
    def made(self, tmp_path: Path, folder: Path) -> Comparison:
        weights = Weights([write(tmp_path / "a.safetensors")])
        request = Request(("ssim", "phash", "mse"), weights=weights)
        return three_classes.evaluate_classes(Images.found(folder), request)

    def test_aligned_ssim_is_right_by_construction_and_misaligned_is_not(
        self, made: Comparison
    ) -> None:
        ssim = made.entries[0]
        assert value(ssim, "aligned", "published_macro_f1") == 1
        assert value(ssim, "aligned", "macro_f1") > 0.6  # fitted on eight pairs of a class
        assert value(ssim, "aligned", "spearman") == pytest.approx(1)
        assert value(ssim, "aligned", "mae") == 0
        assert value(ssim, "misaligned", "mae") > 0.1
        assert value(ssim, "misaligned", "spearman") < 0.95
        assert "by construction" in made.notes[0]

    def test_only_what_estimates_ssim_has_published_cuts(self, made: Comparison) -> None:
        published = {entry.name: "mae" in entry.figures["aligned"] for entry in made.entries}
        assert published == {"ssim": True, "phash": False, "mse": False, "deepssim": True}

    def test_counts_are_the_same_for_both_parts(self, made: Comparison) -> None:
        assert made.parts[0].counts == made.parts[1].counts
        count = len(alterations.ALTERED) + three_classes.UNRELATED
        assert sum(made.parts[0].counts.values()) == 4 * count

    def test_what_a_plain_baseline_does_better_is_computed(self, made: Comparison) -> None:
        names = {(contest.model, contest.baseline) for contest in made.contests}
        assert names == {("deepssim", name) for name in ("ssim", "phash", "mse")}
        for contest in made.contests:
            by_name = {entry.name: entry for entry in made.entries}
            own, other = (
                value(by_name[name], contest.part, "macro_f1")
                for name in (contest.model, contest.baseline)
            )
            assert contest.difference.value == pytest.approx(own - other)

    def test_classes_are_those_of_scikit_learn(self) -> None:
        metrics: Any = pytest.importorskip("sklearn.metrics", reason="scikit-learn is missing")
        random = np.random.default_rng(2)
        found, labels = random.integers(0, 3, (2, 60)).astype(np.int8)
        groups = random.integers(0, 5, 60)
        times = np.concatenate([np.ones((1, 5)), random.integers(1, 3, (4, 5))])
        got = three_classes._quality(found, labels, groups, times)
        for place, row in enumerate(times):
            chosen = np.repeat(np.arange(60), row[groups].astype(int))
            both = (labels[chosen], found[chosen])
            assert got["macro_f1"][place] == pytest.approx(metrics.f1_score(*both, average="macro"))
            recall = metrics.recall_score(*both, average=None)
            assert got["recall_similar"][place] == pytest.approx(recall[1])


class TestAlterations:
    IMAGE = picture(3, (80, 60))

    def test_a_stressed_edit_is_the_stress_test_of_that_edit(self) -> None:
        edit = alterations.ALTERED[1]
        stressed = alterations.stressed(edit, "target")
        calm = dataclasses.replace(stressed, apply=lambda image, _: image)
        lots = key(self.IMAGE, 0)
        assert calm.of(self.IMAGE, lots) == edit.of(self.IMAGE, lots)
        assert stressed.of(self.IMAGE, lots) == stressed.of(self.IMAGE, lots)

    def test_either_side_has_lots_of_its_own(self) -> None:
        sides = [alterations.stressed(AS_IS, side) for side in ("target", "source")]
        found = {
            tuple(side.of(self.IMAGE, (seed, 1)) == self.IMAGE for side in sides)
            for seed in range(12)
        }
        assert (False, False) in found
        assert all(
            sides[0].of(self.IMAGE, (seed, 1)) != sides[1].of(self.IMAGE, (seed, 1))
            for seed in range(4)
        )

    @pytest.mark.parametrize("edit", alterations.TARGETS, ids=lambda edit: edit.name)
    def test_no_alteration_changes_the_size(self, edit: Any) -> None:
        for size in ((80, 60), (1, 1), (3, 90)):
            for seed in range(5):
                made = edit.of(picture(seed, size), (seed, 0))
                assert (made.size, made.mode) == (size, "RGB")

    def test_the_parts_of_a_photograph_overlap(self) -> None:
        for edit in reidentification.WINDOWS:
            assert edit.of(self.IMAGE, (0, 0)).size == (56, 42)
        corner = reidentification.WINDOWS[0].of(self.IMAGE, (0, 0))
        beside = reidentification.WINDOWS[1].of(self.IMAGE, (0, 0))
        assert corner.crop((24, 0, 56, 42)) == beside.crop((0, 0, 32, 42))
        assert reidentification.WINDOWS[0].of(Image.new("RGB", (1, 1)), (0, 0)).size == (1, 1)
