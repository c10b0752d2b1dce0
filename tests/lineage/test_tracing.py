from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from memscan.attribution.reading import Settings
from memscan.errors import InputError
from memscan.evidence.areas import area
from memscan.fingerprints import correlation, fingerprint
from memscan.fingerprints.residuals import RESIDUALS
from memscan.kinship import Kind, LineageReport
from memscan.lineage import tracing
from memscan.records import Stage
from memscan.sources.directories import Selection
from tests.lineage.generated import SIDE, image, pattern, write_all, write_fingerprint, write_images

FAMILY = {
    "base": pattern(1),
    "tuned": (0.8 * pattern(1) + 0.6 * pattern(3)).astype(np.float32),
    "other": pattern(2),
}


@pytest.fixture
def family(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model, one that was made from it, and another."""
    monkeypatch.chdir(tmp_path)
    write_all(tmp_path, FAMILY)
    return tmp_path


def trace(**options: Any) -> LineageReport:
    options = {"real": ["real"], "settings": Settings(), **options}
    return tracing.trace(["fingerprints"], "images", **options)


def kinds(report: LineageReport) -> dict[tuple[str, str], Kind]:
    return {(one.first, one.second): one.kind for one in report.relations}


def test_a_descendant_is_related_and_a_stranger_is_not(family: Path) -> None:
    report = trace()
    assert kinds(report) == {
        ("base", "other"): Kind.NOT_SHOWN,
        ("base", "tuned"): Kind.RELATED,
        ("other", "tuned"): Kind.NOT_SHOWN,
    }
    assert report.residuals == ("own",)
    assert (report.real_read, [model.read for model in report.models]) == (30, [16, 16, 16])
    assert (report.failures, report.warnings) == ((), ())


def test_each_cell_is_the_area_of_plain_correlations(family: Path) -> None:
    report = trace(residuals=["laplacian", "wiener"])
    one = fingerprint.read("fingerprints/tuned.dif.npz")
    assert one.mean_fake < one.mean_real  # so that scores must be turned

    wanted = correlation.standardised(one.pattern)

    def scores(folder: str, residual: str) -> npt.NDArray[np.float64]:
        found = []
        for path in sorted(Path(folder).iterdir()):
            pixels = np.asarray(Image.open(path), np.float32) / np.float32(255)
            left = correlation.standardised(RESIDUALS[residual](pixels))
            found.append(-(left * wanted).mean(dtype=np.float64))
        return np.array(found)

    for residual in ("laplacian", "wiener"):
        expected = area(scores("images/base", residual), scores("real", residual))
        assert report.cell("tuned", "base").areas[residual] == expected


def test_rows_and_columns_may_lack_their_counterpart(family: Path) -> None:
    os.rename("images/other", "images/unknown")
    report = trace()
    assert kinds(report) == {("base", "tuned"): Kind.RELATED}
    assert len(report.cells) == 9
    assert report.warnings == (
        "other: a fingerprint without a folder of images",
        "unknown: images without a fingerprint",
    )


def test_real_images_beside_the_models_are_taken_together(family: Path) -> None:
    for name in FAMILY:
        os.rename(f"images/{name}", f"images/{name}.fake")
        os.mkdir(f"images/{name}")
        os.rename(f"images/{name}.fake", f"images/{name}/1_fake")
    os.rename("real", "images/tuned/0_real")
    write_images(Path("images/other/0_real"), np.zeros((SIDE, SIDE, 3), np.float32), 5, 50)
    report = trace(real=[])
    assert [(one.path, one.found) for one in report.real] == [
        ("images/other/0_real", 5),
        ("images/tuned/0_real", 30),
    ]
    assert report.real_read == 35
    assert kinds(report)["base", "tuned"] is Kind.RELATED
    assert trace(real=["images/other/0_real"]).real_read == 5


def test_bad_images_are_failures_and_change_nothing_else(family: Path) -> None:
    before = trace()
    Path("images/base/broken.png").write_bytes(b"broken")
    Path("real/empty.png").write_bytes(b"")
    report = trace()
    assert [(one.path, one.stage) for one in report.failures] == [
        ("real/empty.png", Stage.DECODE),
        ("images/base/broken.png", Stage.DECODE),
    ]
    assert report.cells == before.cells
    assert report.models[0].source.found == report.models[0].read + 1


def test_one_image_and_few_images_decide_nothing(family: Path) -> None:
    for path in sorted(Path("images/base").iterdir())[1:]:
        path.unlink()
    report = trace()
    assert kinds(report)["base", "tuned"] is Kind.UNDECIDED
    assert report.relations[1].reason.startswith("base has too few images (1, with 30 real ones)")
    assert kinds(report)["other", "tuned"] is Kind.NOT_SHOWN


def test_the_number_of_workers_changes_nothing(family: Path) -> None:
    assert trace(settings=Settings(jobs=1)) == trace(settings=Settings(jobs=3))


def test_progress_counts_the_images_of_each_folder_by_an_inert_name(family: Path) -> None:
    os.rename("images/other", "images/\x1b[31mother")
    told: list[tuple[str, int, int]] = []
    trace(settings=Settings(progress=lambda *seen: told.append(seen)))
    assert [one for one in told if one[1] == one[2]] == [
        ("real images", 30, 30),
        ("\\x1b[31mother images", 16, 16),
        ("base images", 16, 16),
        ("tuned images", 16, 16),
    ]


def test_fingerprints_of_several_sizes_are_each_compared_with_the_middle(family: Path) -> None:
    added = pattern(5)[:32, :32]
    write_fingerprint(Path("fingerprints"), "small", added)
    moved = np.zeros((SIDE, SIDE, 3), np.float32)
    moved[8:40, 8:40] = added
    write_images(Path("images/small"), moved, 16, 700)
    report = trace()
    assert report.cell("small", "small").areas["own"].value > 0.95
    assert kinds(report)["base", "tuned"] is Kind.RELATED


def test_small_and_compressed_images_are_told_of(family: Path) -> None:
    for path in Path("images/other").iterdir():
        path.unlink()
    for seed in range(4):
        image(seed, pattern(2), (40, 60)).save(f"images/other/{seed}.jpg")
    small = "4 of 4 images are smaller than a fingerprint (48 pixels), and less is seen in them"
    assert trace().warnings == (
        f"other: {small}",
        "other: 100% of its images and 0% of the real ones are compressed with loss; what "
        "compression leaves could pass for a fingerprint, or hide one",
    )
    for path in Path("real").iterdir():
        Image.open(path).save(path.with_suffix(".jpg"), quality=95)
        path.unlink()
    warnings = trace().warnings
    assert warnings[0].startswith("base: 0% of its images and 100% of the real ones are compressed")
    assert "other: 100% of its images are compressed with loss, which hides much" in warnings


def test_published_fingerprints_have_no_residual_of_their_own_so_two_must_agree(
    family: Path,
) -> None:
    learned = fingerprint.read("fingerprints/base.dif.npz")
    published = dataclasses.replace(learned, made="published")
    assert tracing.required([published, published]) == ("laplacian", "wiener")
    assert tracing.required([published, learned]) == ("own",)
    for one in (*FAMILY,):
        path = f"fingerprints/{one}.dif.npz"
        read = dataclasses.replace(fingerprint.read(path), made="published")
        fingerprint.write(path, read)
    report = trace()
    assert report.residuals == ("laplacian", "wiener")
    assert kinds(report)["base", "other"] is not Kind.RELATED
    assert trace(residuals=["wiener", "wiener"]).residuals == ("wiener",)


def test_both_residuals_must_agree(family: Path) -> None:
    """A pattern that the Laplacian hides is seen by the other residual alone."""
    both = trace(residuals=["laplacian", "wiener"], least=0.6)
    for relation in both.relations:
        seen = [
            min(both.cell(*names).sure.values()) >= 0.6
            for names in (
                (relation.first, relation.second),
                (relation.second, relation.first),
            )
        ]
        assert (relation.kind is Kind.RELATED) == all(seen)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"residuals": ["sobel"]}, "sobel: no such residual; there are laplacian, wiener, own"),
        ({"least": 0.4}, "the least area must lie between 0.5 and 1"),
        ({"real": ["nowhere"]}, "nowhere: there is no such file or directory"),
        ({"real": []}, "images: no model here has a folder 0_real; name real images by --real"),
        ({"settings": Settings(jobs=0)}, "jobs must lie between 1 and 1024"),
    ],
)
def test_what_makes_no_sense_is_refused(
    family: Path, options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(InputError) as caught:
        trace(**options)
    assert str(caught.value).startswith(sentence)


def test_a_model_without_a_readable_image_is_refused(family: Path) -> None:
    for path in Path("images/base").iterdir():
        path.write_bytes(b"broken")
    with pytest.raises(InputError, match="images/base: none of the 16 images here can be read"):
        trace()


def test_a_damaged_fingerprint_is_refused_by_name(family: Path) -> None:
    Path("fingerprints/zero.dif.npz").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"^fingerprints/zero\.dif\.npz: is no fingerprint"):
        trace()


def test_selection_is_followed(family: Path) -> None:
    os.makedirs("images/base/more")
    os.rename("images/base/100.png", "images/base/more/100.png")
    assert trace().models[0].read == 15
    assert trace(settings=Settings(Selection(recursive=True))).models[0].read == 16
