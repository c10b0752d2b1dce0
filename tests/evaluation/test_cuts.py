from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from memscan.detectors import inputs
from memscan.detectors.calibration import Labelled
from memscan.detectors.cards import Card, Cuts, Input
from memscan.detectors.cosines import Cosines
from memscan.detectors.protocol import Embeddings, Pixels
from memscan.errors import HashError, InputError
from memscan.evaluation import cuts
from memscan.evaluation.cuts import Request, fit_edits, fit_identities, fit_pairs
from memscan.evaluation.edits import EDITS
from memscan.evaluation.edits import choose as choose_edits
from memscan.evaluation.embedding import embed
from memscan.records import Stage
from tests.drawing import picture, save

LOOSE = Request(rate=0.1, similar_rate=0.5)


class Thumbnails(Cosines):
    """A detector of 4 x 4 pixels, which needs no network."""

    card = Card("encoder", "thumbnails", Input(4, 4, standardised=True), 48, Cuts(0.5, 0.5))
    fingerprint = "thumbnails"

    def __init__(self) -> None:
        self.batches: list[int] = []

    def prepare(self, image: Image.Image) -> Pixels:
        if image.size == (13, 13):
            raise HashError("unlucky")
        return inputs.prepare(image, self.card.input)

    def embed(self, batch: Pixels) -> Embeddings:
        self.batches.append(len(batch))
        rows: Embeddings = batch.reshape(len(batch), -1)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        return rows


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ten pictures, each in three sizes."""
    for seed in range(10):
        for size in (40, 50, 60):
            save(picture(seed, (size, size)), tmp_path / f"photos/{seed}_{size}.png")
    return tmp_path


def row_of(detector: Thumbnails, path: Path) -> Embeddings:
    with Image.open(path) as image:
        row: Embeddings = detector.embed(detector.prepare(image)[None])[0]
        return row


def listed(folder: Path, lines: list[str]) -> str:
    path = folder / "list.csv"
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def names() -> list[str]:
    return [f"{seed}_{size}" for seed in range(10) for size in (40, 50, 60)]


def test_identities_are_all_pairs_of_a_list(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against the pairs written out one by one, in blocks and in one."""
    lines = ["path,id", *(f"photos/{name}.png,{name[0]}" for name in names())]
    detector = Thumbnails()
    rows = {name: row_of(detector, folder / f"photos/{name}.png") for name in names()}
    scores: dict[bool, list[float]] = {True: [], False: []}
    for one, other in itertools.combinations(names(), 2):
        scores[one[0] == other[0]].append(float(rows[one] @ rows[other]))
    expected = sorted(scores[False])
    for block in (1024, 7):
        monkeypatch.setattr(cuts, "_BLOCK", block)
        fitted = fit_identities(detector, listed(folder, lines), LOOSE)
        recall, passed = fitted.duplicate.fitted.recall, fitted.duplicate.fitted.passed
        assert recall is not None
        assert passed is not None
        assert (recall.total, passed.total) == (30, 405)
        assert passed.count == 40  # a tenth of them
        assert expected[-41] < fitted.duplicate.cut <= expected[-41] + 2e-6
        assert recall.share == 1
        assert fitted.duplicate.check is None
        assert fitted.images == 30
        assert fitted.similar.cut < fitted.duplicate.cut


def test_pairs_are_those_of_the_list(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = list(itertools.combinations(range(7), 2))
    lines = [
        "path_a,path_b,label",
        *(f"photos/{seed}_40.png,photos/{seed}_60.png,1" for seed in range(5)),
        *(f"photos/{one}_40.png,photos/{other}_50.png,0" for one, other in wrong),
    ]
    detector = Thumbnails()
    scores = sorted(
        float(
            row_of(detector, folder / f"photos/{one}_40.png")
            @ row_of(detector, folder / f"photos/{other}_50.png")
        )
        for one, other in wrong
    )
    for block in (8192, 4):
        monkeypatch.setattr(cuts, "_PAIRS", block)
        fitted = fit_pairs(detector, listed(folder, lines), LOOSE)
        assert scores[-3] < fitted.duplicate.cut <= scores[-3] + 2e-6
        recall, passed = fitted.duplicate.fitted.recall, fitted.duplicate.fitted.passed
        assert recall is not None
        assert passed is not None
        assert (recall.total, passed.count, passed.total) == (5, 2, 21)


@pytest.mark.parametrize("kind", ["pairs", "identities"])
def test_splits_part_what_is_fitted_from_the_check(folder: Path, kind: str) -> None:
    """Pictures 0 to 4 are fitted on, 5 to 7 are the check, 8 and 9 are not even read."""
    split = {seed: "val" if seed < 5 else "test" if seed < 8 else "train" for seed in range(10)}
    (folder / "photos/9_40.png").write_bytes(b"broken")
    if kind == "identities":
        lines = ["path,id,split"]
        lines += [f"photos/{name}.png,{name[0]},{split[int(name[0])]}" for name in names()]
        fitted = fit_identities(Thumbnails(), listed(folder, lines), LOOSE)
    else:
        lines = ["path_a,path_b,label,split"]
        for one, other in itertools.combinations(names(), 2):
            if split[int(one[0])] == split[int(other[0])]:
                right, half = int(one[0] == other[0]), split[int(one[0])]
                lines.append(f"photos/{one}.png,photos/{other}.png,{right},{half}")
        fitted = fit_pairs(Thumbnails(), listed(folder, lines), LOOSE)
    judged = fitted.duplicate.fitted
    assert judged.recall is not None
    assert judged.passed is not None
    assert (judged.recall.total, judged.passed.total) == (15, 90)
    check = fitted.duplicate.check
    assert check is not None
    assert check.recall is not None
    assert check.passed is not None
    assert (check.recall.total, check.passed.total) == (9, 27)
    assert (fitted.images, fitted.failures) == (24, ())


def test_edited_images_are_the_right_pairs(folder: Path) -> None:
    fitted = fit_edits(
        Thumbnails(),
        folder / "photos",
        LOOSE,
        edits=["jpeg-30", "mirrored"],
        exclude=("*_40.png", "*_50.png"),
    )
    recall, passed = fitted.similar.fitted.recall, fitted.similar.fitted.passed
    assert recall is not None
    assert passed is not None
    assert (recall.total, passed.total, fitted.images) == (20, 45, 10)
    assert 0.5 <= recall.share < 1  # compression does nothing to a thumbnail, mirroring much


def test_the_edits_by_default_are_edits() -> None:
    assert len(choose_edits(cuts.EDITS)) == len(cuts.EDITS)
    assert {edit.name for edit in choose_edits(cuts.EDITS)} == {*cuts.EDITS}
    assert len(EDITS) > len(cuts.EDITS)


def test_what_cannot_be_read_is_left_out_and_told(folder: Path) -> None:
    (folder / "photos/0_40.png").write_bytes(b"broken")
    save(Image.new("RGB", (13, 13)), folder / "photos/1_40.png")
    (folder / "photos/2_40.png").unlink()
    lines = ["path,id", *(f"photos/{name}.png,{name[0]}" for name in names())]
    fitted = fit_identities(Thumbnails(), listed(folder, lines), LOOSE)
    assert [failure.stage for failure in fitted.failures] == [Stage.DECODE, Stage.HASH, Stage.READ]
    assert fitted.images == 27
    assert fitted.duplicate.fitted.recall is not None
    assert fitted.duplicate.fitted.recall.total == 7 * 3 + 3 * 1


def test_too_few_are_refused_before_any_image_is_read(tmp_path: Path) -> None:
    detector = Thumbnails()
    few = listed(tmp_path, ["path,id", "a.png,1", "b.png,1", "c.png,2"])
    with pytest.raises(InputError, match="needs at least 1,000 unrelated pairs, here are 2"):
        fit_identities(detector, few, Request(1e-3, 1e-2))
    with pytest.raises(InputError, match="no right pair"):
        fit_identities(detector, listed(tmp_path, ["path,id", "a.png,1", "b.png,2"]), LOOSE)
    with pytest.raises(InputError, match="no right pair"):
        fit_pairs(detector, listed(tmp_path, ["path_a,path_b,label", "a,b,0"]), LOOSE)
    only_test = listed(tmp_path, ["path_a,path_b,label,split", "a,b,0,test", "a,c,1,test"])
    with pytest.raises(InputError, match="no right pair"):
        fit_pairs(detector, only_test, LOOSE)
    for seed in range(4):
        save(picture(seed), tmp_path / f"photos/{seed}.png")
    with pytest.raises(InputError, match="needs at least 10,000 unrelated pairs, here are 6"):
        fit_edits(detector, tmp_path / "photos")
    assert detector.batches == []


def test_too_few_that_can_be_read_are_refused(folder: Path) -> None:
    for size in (40, 50, 60):
        for seed in range(1, 10):
            (folder / f"photos/{seed}_{size}.png").write_bytes(b"broken")
    lines = ["path,id", *(f"photos/{name}.png,{name[0]}" for name in names())]
    with pytest.raises(InputError, match="here are 0"):
        fit_identities(Thumbnails(), listed(folder, lines), LOOSE)
    with pytest.raises(InputError, match=r"photos"):
        fit_edits(Thumbnails(), folder / "photos", LOOSE, exclude="0_*")


def test_negatives_as_alike_as_can_be_are_refused(folder: Path) -> None:
    lines = ["path,id", "photos/0_40.png,x", "photos/0_50.png,x"]
    for number in range(4):
        save(picture(0, (40, 40)), folder / f"same{number}.png")
        lines.append(f"same{number}.png,{number}")
    with pytest.raises(InputError, match="are copies among them"):
        fit_identities(Equal(), listed(folder, lines), LOOSE)


class Equal(Thumbnails):
    """To whom all images are one."""

    def embed(self, batch: Pixels) -> Embeddings:
        return np.tile(np.eye(1, 48, dtype=np.float32), (len(batch), 1))


def test_the_number_of_workers_changes_nothing(folder: Path) -> None:
    lines = ["path,id", *(f"photos/{name}.png,{name[0]}" for name in names())]
    path = listed(folder, lines)
    results = [
        fit_identities(Thumbnails(), path, Request(0.1, 0.5, jobs=jobs)) for jobs in (1, 2, 5)
    ]
    assert results[0] == results[1] == results[2]


def test_images_are_embedded_in_batches_with_their_versions(folder: Path) -> None:
    paths = [str(folder / f"photos/{name}.png") for name in names()]
    seen: list[tuple[str, int, int]] = []
    chosen = choose_edits(["mirrored", "invert"])
    detector = Thumbnails()
    embedded = embed(paths, detector, chosen, progress=lambda *told: seen.append(told))
    assert embedded.rows.shape == (30, 3, 48)
    assert sum(detector.batches) == 90
    assert len(detector.batches) < 5
    assert seen[-1] == ("images", 30, 30)
    plain = embed(paths, detector).rows
    np.testing.assert_allclose(embedded.rows[:, :1], plain, atol=1e-6)
    np.testing.assert_allclose(embedded.rows[:, 1:2], -plain, atol=1e-5)
    mirrored = plain.reshape(30, 3, 4, 4)[..., ::-1].reshape(30, 48)
    np.testing.assert_allclose(embedded.rows[:, 2], mirrored, atol=1e-6)
    assert embed([], detector).rows.shape == (0, 1, 48)


def test_a_labelled_tally_starts_empty() -> None:
    assert Labelled().judge(0.0).recall is None
