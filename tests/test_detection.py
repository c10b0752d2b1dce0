from __future__ import annotations

import dataclasses
import multiprocessing
import os
import random
import time
from pathlib import Path
from typing import Any, Sequence

import imagehash
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import memscan
from memscan import (
    Cache,
    HashError,
    InputError,
    ReadError,
    Reason,
    Stage,
    Verdict,
    decode,
    detect,
    hash_image,
    hashing,
)
from memscan.intake import Intake
from memscan.recipe import hash_decoded
from memscan.table import HashTable
from tests.drawing import claim_size, needs_posix, picture, save, shipped_photographs


@pytest.fixture
def train(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for seed in range(6):
        save(picture(seed), tmp_path / f"train/{seed}.png")
    return tmp_path / "train"


def plain_loop(target: str, sources: list[str]) -> tuple[int, str]:
    """The oracle: what a user checks with a few lines of imagehash."""
    wanted = imagehash.phash(Image.open(target))
    pairs = [(int(wanted - imagehash.phash(Image.open(path))), path) for path in sources]
    return min(pairs, key=lambda pair: (pair[0], os.fsencode(pair[1])))


def edited(image: Image.Image, seed: int) -> Image.Image:
    """The image after an edit that moves its hash a little, or a lot."""
    choice = random.Random(seed)
    edit = choice.randrange(4)
    if edit == 0:
        return image.resize((max(1, image.width // 2), max(1, image.height // 2)))
    if edit == 1:
        return image.rotate(choice.uniform(-3, 3))
    if edit == 2:
        return image.crop((3, 3, image.width - 2, image.height - 1))
    return image


@pytest.mark.filterwarnings("ignore:Palette images with Transparency", "ignore::ResourceWarning")
def test_file_and_distance_are_those_of_the_plain_loop(tmp_path: Path) -> None:
    sources, targets = tmp_path / "sources", tmp_path / "targets"
    originals = [Image.open(path).convert("RGB") for path in shipped_photographs()]
    originals += [picture(seed) for seed in range(10)]
    for number, image in enumerate(originals):
        image.thumbnail((300, 300))
        save(image, sources / f"{number}.png")
        save(edited(image, number), targets / f"{number}.jpg")
    report = detect(targets, sources)
    source_paths = [str(path) for path in sources.iterdir()]
    assert len(report.findings) == len(originals)
    for finding in report.findings:
        distance, path = plain_loop(finding.target, source_paths)
        assert (finding.distance, finding.matches[0].source) == (distance, path)
        assert finding.hash == int(str(imagehash.phash(Image.open(finding.target))), 16)


@settings(deadline=None, max_examples=25)
@given(seeds=st.lists(st.integers(0, 5), min_size=1, max_size=12), jobs=st.integers(1, 8))
def test_the_number_of_jobs_does_not_change_the_report(
    tmp_path_factory: pytest.TempPathFactory, seeds: list[int], jobs: int
) -> None:
    folder = tmp_path_factory.mktemp("sources")
    for number, seed in enumerate(seeds):
        save(picture(seed, (32, 32)), folder / f"{number}.png")
    (folder / "broken.png").write_bytes(b"broken")
    target = folder / "0.png"
    assert detect(target, folder, jobs=jobs, top_k=5) == detect(target, folder, jobs=1, top_k=5)


def test_of_equal_distances_the_first_path_bytewise_wins(train: Path) -> None:
    for name in ("b/x.png", "B/x.png", "b-x.png", "b.png", "é.png"):
        save(picture(0), train / name)
    report = detect(train / "0.png", train, recursive=True, top_k=6, exclude_self=True)
    names = [os.path.relpath(match.source, train) for match in report.findings[0].matches]
    assert names[:5] == ["B/x.png", "b-x.png", "b.png", "b/x.png", "é.png"]


def test_findings_are_in_the_order_of_the_targets(train: Path) -> None:
    save(picture(8), train.parent / "generated/z.png")
    save(picture(9), train.parent / "generated/A.png")
    report = detect(["train/4.png", "generated", "train/1.png"], "train")
    assert [finding.target for finding in report.findings] == [
        "train/4.png",
        "generated/A.png",
        "generated/z.png",
        "train/1.png",
    ]


@pytest.mark.usefixtures("train")
def test_one_target_given_twice_is_one_finding() -> None:
    report = detect(["train/4.png", "./train/4.png", "train"], "train")
    assert len(report.findings) == 6


@pytest.mark.usefixtures("train")
def test_matches_are_in_rising_distance_and_no_more_than_there_are() -> None:
    (finding,) = detect("train/3.png", "train", top_k=50).findings
    distances = [match.distance for match in finding.matches]
    assert distances == sorted(distances)
    assert len(distances) == 6


@pytest.mark.usefixtures("train")
def test_a_target_in_the_source_is_named_and_can_be_left_out() -> None:
    report = detect(os.path.abspath("train/3.png"), "train")
    assert report.targets_in_source == (os.path.abspath("train/3.png"),)
    assert report.findings[0].verdict is Verdict.IDENTICAL

    alone = detect("train/3.png", "train", exclude_self=True)
    assert alone.targets_in_source == ()
    assert alone.findings[0].verdict is Verdict.DISTINCT
    assert "train/3.png" not in [match.source for match in alone.findings[0].matches]


@pytest.mark.usefixtures("train")
def test_each_target_leaves_out_itself_only() -> None:
    report = detect("train", "train", exclude_self=True, top_k=9)
    for finding in report.findings:
        assert sorted([finding.target, *(match.source for match in finding.matches)]) == sorted(
            other.target for other in report.findings
        )


@pytest.mark.usefixtures("train")
def test_a_source_that_is_only_the_target_itself_is_an_error() -> None:
    with pytest.raises(InputError, match="holds no other image"):
        detect("train/3.png", "train/3.png", exclude_self=True)


@pytest.mark.usefixtures("train")
class TestRefusals:
    def test_missing_paths(self) -> None:
        with pytest.raises(InputError, match=r"no\.png: there is no such file"):
            detect("no.png", "train")
        with pytest.raises(InputError, match="nowhere: there is no such file"):
            detect("train/0.png", "nowhere")

    def test_nothing_given(self) -> None:
        with pytest.raises(InputError, match="no target"):
            detect([], "train")
        with pytest.raises(InputError, match="no source"):
            detect("train/0.png", [])

    def test_an_empty_source_tells_how_many_images_lie_deeper(self) -> None:
        with pytest.raises(InputError, match=r"no images here, but 6 in its subdirectories"):
            detect("train/0.png", ".")
        os.mkdir("empty")
        with pytest.raises(InputError, match=r"empty: no images here$"):
            detect("train/0.png", "empty", recursive=True)

    def test_a_second_source_that_is_empty_is_an_error_too(self) -> None:
        os.mkdir("empty")
        with pytest.raises(InputError, match="empty: no images here"):
            detect("train/0.png", ["train", "empty"])

    def test_thresholds_in_the_wrong_order(self) -> None:
        with pytest.raises(InputError, match="threshold"):
            detect("train/0.png", "train", near_threshold=11)

    @pytest.mark.parametrize("jobs", [0, -1, 10**20])
    def test_an_impossible_number_of_jobs(self, jobs: int) -> None:
        with pytest.raises(InputError, match="jobs must lie between"):
            detect("train/0.png", "train", jobs=jobs)

    def test_a_list_of_no_matches(self) -> None:
        with pytest.raises(InputError, match="top_k"):
            detect("train/0.png", "train", top_k=0)

    def test_a_source_without_one_readable_image(self) -> None:
        Path("bad").mkdir()
        Path("bad/1.png").write_bytes(b"no")
        Path("bad/2.png").write_bytes(b"")
        with pytest.raises(InputError, match=r"bad: none of the 2 images .*1\.png: not an image"):
            detect("train/0.png", "bad")
        with pytest.raises(InputError, match=r"^bad/2\.png: the file is empty$"):
            detect("train/0.png", "bad/2.png")

    def test_a_single_target_that_cannot_be_read(self) -> None:
        Path("bad.png").write_bytes(b"no")
        with pytest.raises(InputError, match=r"bad\.png: not an image"):
            detect("bad.png", "train")


def test_whatever_cannot_be_read_is_a_failure(train: Path) -> None:
    (train / "empty.png").touch()
    (train / "text.jpg").write_text("text")
    (train / "broken.png").symlink_to("nowhere")
    claim_size(train / "bomb.png", 60_000, 60_000)
    Image.new("LAB", (9, 9)).save(train / "lab.tif")
    Image.new("1", (100_000_000, 1)).save(train / "wide.png")
    os.truncate(save(picture(1), train / "cut.png"), 500)
    report = detect("train", "train")
    assert report.found == 13
    assert report.hashed == 6
    assert [
        (os.path.basename(failure.path), failure.stage) for failure in report.source_failures
    ] == [
        ("bomb.png", Stage.DECODE),
        ("broken.png", Stage.READ),
        ("cut.png", Stage.DECODE),
        ("empty.png", Stage.DECODE),
        ("lab.tif", Stage.HASH),
        ("text.jpg", Stage.DECODE),
        ("wide.png", Stage.HASH),
    ]
    assert report.target_failures == report.source_failures
    assert report.failures == report.target_failures, "a file that fails twice is one failure"
    assert len(report.findings) == 6


@pytest.mark.usefixtures("train")
def test_the_other_targets_survive_one_that_cannot_be_read() -> None:
    Path("bad.png").write_bytes(b"no")
    report = detect(["bad.png", "train/0.png"], "train")
    assert [failure.path for failure in report.target_failures] == ["bad.png"]
    assert [finding.target for finding in report.findings] == ["train/0.png"]
    assert report.named_failures == report.target_failures


def test_a_target_is_named_under_any_spelling(train: Path) -> None:
    (train / "bad.png").write_bytes(b"no")
    (train / "worse.png").write_bytes(b"no")
    report = detect(["train", "./train/bad.png"], "train")
    assert len(report.target_failures) == 2
    assert [failure.path for failure in report.named_failures] == ["train/bad.png"]


def test_an_image_that_vanishes_during_the_scan_is_a_failure(train: Path) -> None:
    def remove(phase: str, done: int, total: int) -> None:
        if phase == "targets":
            (train / "4.png").unlink()

    report = detect("train/0.png", "train", progress=remove)
    (failure,) = report.failures
    assert (failure.path, failure.stage) == ("train/4.png", Stage.READ)
    assert report.found == 6


class TestLowInformation:
    @pytest.fixture(autouse=True)
    def flat(self, train: Path) -> None:
        save(Image.new("RGB", (64, 64), "white"), train / "white.png")
        save(Image.new("RGB", (80, 20), "navy"), train.parent / "navy.png")

    def test_a_flat_pair_is_identical_and_under_review(self) -> None:
        (finding,) = detect("navy.png", "train").findings
        assert finding.verdict is Verdict.IDENTICAL
        assert finding.matches[0].source == "train/white.png"
        assert finding.reasons == (Reason.LOW_INFORMATION,)

    def test_a_flat_target_is_under_review_whatever_its_verdict(self) -> None:
        (finding,) = detect("navy.png", "train/0.png").findings
        assert finding.verdict is Verdict.DISTINCT
        assert finding.reasons == (Reason.LOW_INFORMATION,)

    def test_a_flat_source_does_not_touch_other_targets(self) -> None:
        (finding,) = detect("train/0.png", "train").findings
        assert finding.reasons == ()

    def faint(self, train: Path) -> None:
        """A copy that keeps the hash, with too little contrast to rest a verdict on."""
        faint = picture(0, mode="L").point(lambda value: 120 + value // 85)
        save(faint, train / "-faint.png")
        (train / "0.png").rename("target.png")

    def test_a_pair_with_a_faint_source_is_under_review(self, train: Path) -> None:
        self.faint(train)
        (finding,) = detect("target.png", "train", distinct_threshold=20).findings
        assert finding.matches[0].source == "train/-faint.png"
        assert Reason.LOW_INFORMATION in finding.reasons

    def test_unless_the_image_itself_is_in_the_source_too(self, train: Path) -> None:
        self.faint(train)
        close = detect("target.png", "train", distinct_threshold=20).findings[0].distance
        save(picture(0).rotate(1), train / "turned.png")
        report = detect(
            "target.png", "train", near_threshold=max(int(close), 8), distinct_threshold=20
        )
        (finding,) = report.findings
        assert finding.reasons == ()

    def test_the_target_itself_does_not_count_as_that_image(self, train: Path) -> None:
        self.faint(train)
        save(picture(0), train / "0.png")
        (finding,) = detect(
            "train/0.png", "train", distinct_threshold=20, exclude_self=True
        ).findings
        assert finding.reasons[-1:] == (Reason.LOW_INFORMATION,)


def test_a_borderline_finding_is_under_review(train: Path) -> None:
    for angle in range(1, 45):
        save(picture(0).rotate(angle), train.parent / "turned.png")
        (finding,) = detect("turned.png", "train").findings
        assert (finding.reasons == (Reason.BORDERLINE,)) == (6 <= finding.distance <= 10)
        if finding.distance > 10:
            break
    assert angle > 2


@pytest.mark.usefixtures("train")
def test_one_pattern_may_be_given_as_it_is() -> None:
    assert detect("train/0.png", "train", exclude="[1-5].png").found == 1


@needs_posix
@pytest.mark.usefixtures("train")
def test_progress_is_reported_from_the_calling_thread() -> None:
    calls: list[tuple[str, int, int]] = []
    detect("train/0.png", "train", progress=lambda *call: calls.append(call))
    assert calls == [("targets", 1, 1), *(("source", done, 6) for done in range(1, 7))]


def scan(folder: str) -> int:
    return len(detect(f"{folder}/0.png", folder, jobs=2).findings)


def test_it_works_in_a_spawned_process(train: Path) -> None:
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        assert pool.apply(scan, [str(train)]) == 1


class TestHashImage:
    def test_of_a_file_and_of_an_image(self, train: Path) -> None:
        expected = int(str(imagehash.phash(picture(0))), 16)
        assert hash_image(train / "0.png") == expected
        assert hash_image(str(train / "0.png")) == expected
        assert hash_image(picture(0)) == expected

    def test_errors_are_typed(self, train: Path) -> None:
        with pytest.raises(ReadError):
            hash_image(train / "no.png")
        with pytest.raises(memscan.DecodeError, match="more than 9 pixels"):
            hash_image(train / "0.png", max_pixels=9)
        with pytest.raises(HashError):
            hash_image(Image.new("LAB", (4, 4)))

    def test_an_image_that_is_not_decoded_yet_fails_with_the_same_errors(self, train: Path) -> None:
        os.truncate(train / "0.png", 500)
        with Image.open(train / "0.png") as image, pytest.raises(memscan.DecodeError):
            hash_image(image)


class TestFast:
    """Verdicts, reasons and distances up to the distinct threshold are those of the exact scan."""

    @staticmethod
    def essence(report: memscan.Report) -> list[object]:
        return [
            (
                finding.target,
                finding.verdict,
                finding.reasons,
                [match for match in finding.matches if match.distance <= 10],
            )
            for finding in report.findings
        ]

    @pytest.fixture
    def photographs(self, tmp_path: Path) -> Path:
        """Large JPEG sources, and targets that are edits of them."""
        images = []
        for path in shipped_photographs():
            with Image.open(path) as opened:
                images.append(opened.convert("RGB"))
        images += [picture(seed) for seed in range(10)]
        for number, image in enumerate(images):
            large = image.resize((1100, 900), Image.Resampling.BICUBIC)
            large.save(tmp_path / f"{number}.jpg", quality=90)
            os.makedirs(tmp_path / "targets", exist_ok=True)
            for turn in range(4):
                edited(image, 4 * number + turn).save(
                    tmp_path / f"targets/{number}_{turn}.jpg", quality=(10, 50, 90, 95)[turn]
                )
        return tmp_path

    @pytest.mark.filterwarnings("ignore:Palette images with Transparency")
    def test_it_judges_as_the_exact_scan(self, photographs: Path) -> None:
        exact = detect(photographs / "targets", photographs, top_k=3)
        fast = detect(photographs / "targets", photographs, top_k=3, fast=True)
        assert self.essence(fast) == self.essence(exact)
        assert len(exact.findings) > 120
        assert {finding.verdict for finding in exact.findings} == set(Verdict)
        assert "decode=fast" in fast.encoder

    @pytest.mark.filterwarnings("ignore:Palette images with Transparency")
    def test_the_error_is_within_the_margin(self, photographs: Path) -> None:
        for path in photographs.glob("*.jpg"):
            exact, fast = (
                hash_decoded([decode.open_image(str(path), fast=fast)])[0].words[0]
                for fast in (False, True)
            )
            assert bin(exact ^ fast).count("1") < hashing.FAST_ERROR

    def test_a_candidate_whose_fast_hash_is_off_is_found(
        self, train: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A fast decoder that turns as many bits as the margin allows."""
        original = Intake.hash_files

        def blurred(
            self: Intake, paths: Sequence[str], phase: str, *, fast: bool = False, **options: Any
        ) -> tuple[HashTable, tuple[memscan.Failure, ...]]:
            table, failures = original(self, paths, phase, fast=fast, **options)
            wrong = np.uint64(0b111111 if fast else 0)
            return dataclasses.replace(table, hashes=table.hashes ^ wrong), failures

        monkeypatch.setattr(Intake, "hash_files", blurred)
        exact = detect("train/3.png", "train")
        assert exact.findings == detect("train/3.png", "train", fast=True).findings

    def test_a_candidate_that_vanishes_is_a_failure(self, train: Path) -> None:
        save(picture(0), train.parent / "target.png")

        def remove(phase: str, done: int, total: int) -> None:
            if (phase, done) == ("source", 6):
                (train / "0.png").unlink()

        report = detect("target.png", "train", fast=True, progress=remove)
        assert [failure.path for failure in report.failures] == ["train/0.png"]
        assert (report.found, report.hashed) == (6, 5)

    def test_fast_and_exact_hashes_do_not_mix_in_the_cache(self, photographs: Path) -> None:
        time.sleep(0.03)
        plain = detect(photographs / "targets", photographs)
        with Cache(str(photographs / "cache")) as cache:
            detect(photographs / "targets", photographs, fast=True, cache=cache)
            assert detect(photographs / "targets", photographs, cache=cache) == plain
