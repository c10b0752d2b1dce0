from __future__ import annotations

import csv
import os
import zipfile
from pathlib import Path
from typing import Any, Sequence

import pytest
from PIL import Image

pytest.importorskip("torch", reason="torch is not installed (extra diffusion)")

import torch

from memscan import csv_lists
from memscan.errors import HashError, InputError
from memscan.evaluation.probes import Labels
from memscan.probes import ProbeOptions, ProbeReport
from memscan.probing.asking import probe
from memscan.records import Stage
from tests.detectors.diffusion import toys

OPTIONS = ProbeOptions(
    steps=40, depth=8, prompts=2, iterations=4, loss_shares=(0.05, 0.1), noises=2
)
MEMORIES, NEW, KNOWN = 4, 5, 99


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Targets of which the first four are remembered, and a reference that is not."""
    monkeypatch.chdir(tmp_path)
    model = toys.mixture(MEMORIES)
    _save("targets/memory", toys.remembered(model, MEMORIES))
    _save("targets/new", toys.unknown(model, NEW, seed=5))
    _save("known/", toys.unknown(model, KNOWN, seed=6))


def _save(prefix: str, latents: torch.Tensor) -> None:
    for number, latent in enumerate(latents):
        path = Path(f"{prefix}{number}.png")
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(toys.png_of(latent))


def _probe(model: toys.Mixture | None = None, **arguments: Any) -> ProbeReport:
    given: dict[str, Any] = {
        "targets": "targets",
        "reference": "known",
        "model": "a toy",
        "options": OPTIONS,
        "batch": 64,
        "pictures": 0,
        **arguments,
    }
    return probe(toys.mixture(MEMORIES) if model is None else model, **given)


def _accused(report: ProbeReport, method: str) -> list[str]:
    return [one.path for one in report.probes if one.methods[method].memorised]


def test_all_methods_tell_what_is_remembered_and_the_report_says_all() -> None:
    Path("targets/broken.png").write_bytes(b"broken")
    report = _probe(pictures=2)
    assert [one.path for one in report.probes] == sorted(
        [f"targets/memory{n}.png" for n in range(MEMORIES)]
        + [f"targets/new{n}.png" for n in range(NEW)]
    )
    memories = [f"targets/memory{n}.png" for n in range(MEMORIES)]
    assert _accused(report, "iip") == _accused(report, "loss") == memories
    assert all(one.methods["tcnp"].p_value <= 0.05 for one in report.probes[:MEMORIES])
    for method in ("iip", "loss", "tcnp"):
        assert len(report.reference_scores[method]) == KNOWN
        threshold = report.thresholds[method]
        assert threshold == max(report.reference_scores[method])
        for one in report.probes:
            measured = one.methods[method]
            assert measured.memorised == (measured.score > threshold)
            assert 1 / 100 <= measured.p_value <= 1
            assert (measured.distance is None) == (measured.magnitude is None) == (method != "iip")
    assert [(one.path, one.stage) for one in report.target_failures] == [
        ("targets/broken.png", Stage.DECODE)
    ]
    scores = {one.path: one.methods["iip"].score for one in report.probes}
    shown = [one.path for one in report.probes if one.pictures is not None]
    assert shown == sorted(sorted(scores, key=scores.__getitem__)[-2:])
    assert (report.model, report.fingerprint) == ("a toy", toys.mixture(MEMORIES).fingerprint)
    assert report.options["depth"] == 8
    assert report.warnings == ()
    assert not report.captioned


def test_a_model_that_remembers_nothing_accuses_hardly_anybody() -> None:
    report = _probe(toys.mixture(0))
    for method in ("iip", "loss", "tcnp"):
        assert len(_accused(report, method)) <= 1


def test_neither_batches_nor_other_targets_change_a_figure() -> None:
    whole = {one.path: one.methods for one in _probe().probes}
    (alone,) = _probe(targets="targets/new3.png", batch=30).probes
    for method, measured in alone.methods.items():
        assert measured.score == pytest.approx(whole[alone.path][method].score, rel=1e-3)
        assert measured.p_value == pytest.approx(whole[alone.path][method].p_value, abs=0.011)


def test_a_small_reference_accuses_nobody_and_says_so() -> None:
    few = [f"known/{n}.png" for n in range(20)]
    report = _probe(reference=few, methods=("loss",))
    assert _accused(report, "loss") == []
    assert report.thresholds == {"loss": None}
    assert min(one.methods["loss"].p_value for one in report.probes) == 1 / 21
    (warning,) = report.warnings
    assert "the reference: 20; with fewer than 99 nothing can be called memorised" in warning


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            {"reference": "known/0.png"},
            "known/0.png: .* measured: 1; .* least 3, and 99",
        ),
        ({"reference": "nothing"}, "nothing: there is no such file"),
        ({"targets": []}, "no target was given"),
        ({"targets": "empty"}, "empty: no images here"),
        ({"targets": "broken"}, "broken: none of the 1 images here can be read"),
        ({"methods": ()}, "no method was given; there are iip, tcnp, loss"),
        ({"methods": ("dif",)}, "dif: no such method"),
        ({"methods": ("iip",), "captions": "list.csv"}, "captions are for the method tcnp"),
        ({"options": ProbeOptions(depth=51)}, "to step 51: there are 50 steps"),
        ({"options": ProbeOptions(steps=2000)}, "trained with 1000 steps"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(arguments: dict[str, Any], sentence: str) -> None:
    Path("empty").mkdir()
    Path("broken").mkdir()
    Path("broken/one.png").write_bytes(b"broken")
    with pytest.raises(InputError, match=sentence):
        _probe(**arguments)


def test_equal_reference_images_count_once_and_targets_among_them_are_told() -> None:
    Path("known/again.png").write_bytes(Path("known/7.png").read_bytes())
    Path("targets/known.png").write_bytes(Path("known/7.png").read_bytes())
    report = _probe(methods=("loss",))
    assert len(report.reference_scores["loss"]) == KNOWN
    again, inside = report.warnings
    assert again == "reference images that are equal to others and do not count: 1"
    assert "reference images as well: 1, such as targets/known.png" in inside


class _Blind(toys.Mixture):
    """Sees nothing in black images."""

    def encode(self, images: Sequence[Image.Image]) -> torch.Tensor:
        latents = super().encode(images)
        return torch.where((latents == -1).all(3, True).all(2, True), torch.nan, latents)


def test_an_image_of_which_the_model_makes_no_number_is_a_failure() -> None:
    Image.new("RGB", (8, 8)).save("targets/black.png")
    toy = toys.mixture(MEMORIES)
    blind = _Blind(toy._means[:MEMORIES].reshape(-1, 8, 8), toy._means[MEMORIES:].reshape(-1, 8, 8))
    report = _probe(blind, measurements="values.jsonl")
    assert [(one.path, one.stage) for one in report.target_failures] == [
        ("targets/black.png", Stage.HASH)
    ]
    assert len(report.probes) == MEMORIES + NEW
    with pytest.raises(InputError, match=r"targets/black.png: no target can be measured \(first"):
        _probe(blind, targets="targets/black.png")


class _Picky(toys.Mixture):
    """Cannot make latents of white images, and has no memory for many."""

    def encode(self, images: Sequence[Image.Image]) -> torch.Tensor:
        if any(image.getpixel((0, 0)) == (255, 255, 255) for image in images):
            raise HashError("too white")
        return super().encode(images)

    def predict(self, latents: torch.Tensor, step: int, embeddings: torch.Tensor) -> torch.Tensor:
        if len(latents) > 32:
            raise torch.cuda.OutOfMemoryError("of 2 GiB")
        return super().predict(latents, step, embeddings)


def test_what_the_model_cannot_take_is_told() -> None:
    Image.new("RGB", (8, 8), "white").save("targets/white.png")
    toy = toys.mixture(MEMORIES)
    picky = _Picky(toy._means[:MEMORIES].reshape(-1, 8, 8), toy._means[MEMORIES:].reshape(-1, 8, 8))
    report = _probe(picky, methods=("loss",), batch=32)
    (failure,) = report.target_failures
    assert (failure.path, failure.stage) == ("targets/white.png", Stage.HASH)
    assert failure.message == "too white"
    with pytest.raises(InputError, match=r"memory of the device is too small: .* \(--batch\)"):
        _probe(picky, methods=("loss",), batch=33)


def test_what_was_measured_is_not_asked_again() -> None:
    model = toys.mixture(MEMORIES)
    first = _probe(model, measurements="values.jsonl")
    calls = model.calls
    assert _probe(model, measurements="values.jsonl") == first
    assert model.calls == calls
    os.unlink("targets/new0.png")
    weighed = ProbeOptions(**{**vars(OPTIONS), "weights": (1.0, 0.0)})
    assert len(_probe(model, measurements="values.jsonl", options=weighed).probes) == 8
    assert model.calls == calls
    others = ProbeOptions(**{**vars(OPTIONS), "depth": 5})
    _probe(model, measurements="values.jsonl", options=others)
    assert model.calls > calls


def test_a_run_that_was_killed_goes_on_with_the_same_result() -> None:
    whole = _probe(measurements="values.jsonl", batch=24)
    content = Path("values.jsonl").read_bytes()
    half = content[: len(content) // 2]
    assert not half.endswith(b"\n")
    Path("values.jsonl").write_bytes(half)
    model = toys.mixture(MEMORIES)
    again = _probe(model, measurements="values.jsonl", batch=24)
    for one, other in zip(again.probes, whole.probes):
        for method in one.methods:
            assert one.methods[method].score == pytest.approx(
                other.methods[method].score, rel=1e-3, abs=1e-3
            )
    fresh = toys.mixture(MEMORIES)
    _probe(fresh, batch=24)
    assert 0 < model.rows < 0.7 * fresh.rows
    assert len(Path("values.jsonl").read_bytes().splitlines()) == len(content.splitlines())


def _archive(path: str) -> None:
    """A memory, a new image, and what is none."""
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("memory0.png", "new0.png"):
            archive.write(f"targets/{name}", name)
        archive.writestr("broken.png", b"broken")


def test_images_in_archives_are_judged_too() -> None:
    _archive("targets.zip")
    report = _probe(targets="targets.zip", pictures=1)
    names = [one.path.rpartition("/")[2].partition("::")[0] for one in report.probes]
    assert names == ["memory0.png", "new0.png"]
    assert [one.methods["iip"].memorised for one in report.probes] == [True, False]
    assert report.probes[0].pictures is not None
    assert len(report.target_failures) == 1


def _labels(memory: str, new: str) -> dict[str, bool]:
    """Of two images, as a list has them."""
    return {csv_lists.real(memory): True, csv_lists.real(new): False}


def _captions(folder: str = ".") -> str:
    rows = [(f"targets/memory{n}.png", f"memory{n}") for n in range(MEMORIES)]
    rows += [(f"targets/new{n}.png", f"kind{n % 4} bamu") for n in range(NEW)]
    rows += [(f"known/{n}.png", f"kind{n % 4} {'dkl'[n % 3]}{n}") for n in range(KNOWN)]
    path = os.path.join(folder, "captions.csv")
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows(
            [("path", "caption"), *((os.path.relpath(one, folder), text) for one, text in rows)]
        )
    return path


def test_with_captions_prompts_are_judged_and_their_words_weighed() -> None:
    report = _probe(captions=_captions("targets"), methods=("tcnp",), pictures=3)
    assert report.captioned
    accused = _accused(report, "tcnp")
    assert accused == [f"targets/memory{n}.png" for n in range(MEMORIES)]
    weighed = [one for one in report.probes if one.tokens]
    assert len(weighed) == 3
    for one in weighed:
        assert [text for text, _ in one.tokens] == [Path(one.path).stem]


def test_few_different_captions_in_the_reference_are_told() -> None:
    path = _captions()
    lines = Path(path).read_text().splitlines()
    same = [f"{line.split(',')[0]},kind1" if "known/" in line else line for line in lines]
    Path(path).write_text("\n".join(same))
    report = _probe(methods=("tcnp",), captions=path)
    assert (report.thresholds["tcnp"], len(report.reference_scores["tcnp"])) == (None, 1)
    (warning,) = report.warnings
    assert warning.startswith("different captions in the reference: 1; with fewer than 99 tcnp can")


def test_an_image_without_a_caption_is_refused() -> None:
    path = _captions()
    lines = Path(path).read_text().splitlines()
    Path(path).write_text("\n".join(line for line in lines if "known/3.png" not in line))
    model = toys.mixture(MEMORIES)
    with pytest.raises(InputError, match=r"1 of 108 images have no caption .* known/3.png"):
        _probe(model, captions=path)
    assert model.calls == 0  # before anything was measured


@pytest.mark.parametrize(
    ("targets", "names", "says"),
    [
        ("targets", ("gone0.png", "gone1.png"), "none of its images is a target"),
        ("targets", ("targets/memory0.png", "targets/gone.png"), "1 of the 1 targets that it"),
        ("targets", ("zip://a.png::targets.zip", "zip://b.png::targets.zip"), "none of its"),
        ("targets.zip", ("targets/memory0.png", "targets/new0.png"), "none of its images"),
        ("targets.zip", ("zip://a.png::other.zip", "zip://b.png::targets.zip"), "0 of the 1"),
    ],
)
def test_labels_of_other_images_are_refused_before_anything_is_measured(
    targets: str, names: tuple[str, str], says: str
) -> None:
    _archive("targets.zip")
    model = toys.mixture(MEMORIES)
    labels = Labels("list.csv", _labels(*names))
    with pytest.raises(InputError, match=rf"^list\.csv: .*{says}"):
        _probe(model, targets=targets, labels=labels)
    assert model.calls == 0


def test_labels_of_targets_compare_the_methods() -> None:
    _archive("targets.zip")
    for targets, names in (
        ("targets", ("targets/memory0.png", "targets/new0.png")),
        ("targets.zip", ("zip://memory0.png::targets.zip", "zip://new0.png::targets.zip")),
    ):
        labels = Labels("list.csv", {**_labels(*names), "elsewhere.png": True})
        report = _probe(targets=targets, labels=labels, methods=("loss",))
        assert report.contest is not None
        assert (report.contest.remembered, report.contest.others) == (1, 1)
        assert report.warnings == ("list.csv: 1 of its images are not among the targets measured",)


def test_labels_of_what_an_archive_does_not_hold_are_refused_when_it_is_read() -> None:
    _archive("targets.zip")
    labels = Labels("list.csv", {"zip://a::targets.zip": True, "zip://b::targets.zip": False})
    with pytest.raises(InputError, match=r"^list\.csv: none of its images is a target"):
        _probe(targets="targets.zip", labels=labels, methods=("loss",))


class _Mute(toys.Mixture):
    """Is overwhelmed by one word."""

    def embed(self, prompts: Sequence[str]) -> torch.Tensor:
        embeddings = super().embed(prompts)
        embeddings[["memory2" in prompt for prompt in prompts]] = torch.nan
        return embeddings


def test_a_caption_of_which_the_model_makes_no_number_is_refused() -> None:
    toy = toys.mixture(MEMORIES)
    mute = _Mute(toy._means[:MEMORIES].reshape(-1, 8, 8), toy._means[MEMORIES:].reshape(-1, 8, 8))
    with pytest.raises(InputError, match="the caption 'memory2': the model gives no finite number"):
        _probe(mute, methods=("tcnp",), captions=_captions())


def test_progress_counts_what_is_done() -> None:
    seen: list[tuple[str, int, int]] = []
    _probe(progress=lambda *step: seen.append(step), batch=40, pictures=2, captions=_captions())
    assert list(dict.fromkeys(phase for phase, _, _ in seen)) == [
        "reference",
        "targets",
        "captions",
        "pictures",
        "tokens",
    ]
    for phase, total in (("reference", KNOWN), ("targets", MEMORIES + NEW), ("pictures", 2)):
        steps = [(done, all_) for name, done, all_ in seen if name == phase]
        assert steps[-1] == (total, total)
        assert steps == sorted(steps)
