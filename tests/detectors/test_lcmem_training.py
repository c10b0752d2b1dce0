from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from tests.detectors.small import SCHEDULE, autoencoder_in, list_of, needs_diffusers, pictures_in

needs_diffusers()

import torch  # noqa: E402

from memscan.detectors import (  # noqa: E402
    cards,
    configuration,
    identities,
    latent_making,
    lcmem,
    lcmem_fitting,
    lcmem_training,
)
from memscan.detectors.ahead import ahead  # noqa: E402
from memscan.detectors.identities import Listed  # noqa: E402
from memscan.detectors.lcmem_fitting import Options  # noqa: E402
from memscan.detectors.lcmem_recipe import Augmentation, ImageRecipe, LatentRecipe  # noqa: E402
from memscan.errors import InputError  # noqa: E402
from tests.drawing import picture, save  # noqa: E402

LATENT = configuration.changed(LatentRecipe(), {"dimensions": 8, "schedule": SCHEDULE})
IMAGE = configuration.changed(ImageRecipe(), {"schedule": SCHEDULE})
QUIET = Options(device="cpu", jobs=1)


class Place:
    """Pictures, a list of them, their autoencoder and latents."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.paths = pictures_in(folder / "images", 9)
        listing = list_of(folder / "list.csv", ["train"] * 5 + ["val"] * 3 + ["test"])
        self.listed = identities.read_list(listing, str(folder / "images"))
        self.autoencoder = autoencoder_in(folder / "autoencoder")
        self.latents = str(folder / "latents")
        latent_making.make(self.paths, self.autoencoder, self.latents, views=3, jobs=1)
        self.first = str(folder / "first.safetensors")
        self.trained = lcmem_training.train_on_latents(
            self.latents, self.listed, self.first, LATENT, QUIET
        )


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("lcmem"))


def test_stage_one_writes_a_detector_that_needs_nothing_else(place: Place) -> None:
    card = cards.read(place.first)
    assert card == place.trained.card
    assert card.training["stage"] == "latent"
    assert card.training["images"] == {"train": 5, "val": 3}
    assert card.training["recipe"]["dimensions"] == 8
    detector = lcmem.load(place.first, card, "cpu")
    assert detector.card.dimensions == 8
    assert not (place.folder / "first.safetensors.checkpoint").exists()


def test_stage_two_begins_with_stage_one_and_keeps_its_encoder(
    place: Place, tmp_path: Path
) -> None:
    output = str(tmp_path / "second.safetensors")
    done = lcmem_training.train_on_images(
        place.first, place.listed, output, IMAGE, QUIET, autoencoder_folder=place.autoencoder
    )
    one = lcmem.load(place.first, cards.read(place.first), "cpu")
    two = lcmem.load(output, cards.read(output), "cpu")
    assert done.card.training["init"] == one.card.sha256
    assert done.card.training["first_stage"] == one.card.training
    for name, value in one.encoder.state_dict().items():
        assert torch.equal(value, two.encoder.state_dict()[name])
    moved = [
        float((value - two.network.state_dict()[name]).abs().max())
        for name, value in one.network.state_dict().items()
    ]
    assert 0 < max(moved) < 0.1


def test_weights_do_not_depend_on_workers_or_stops(place: Place, tmp_path: Path) -> None:
    found = []
    for jobs in (1, 3):
        output = str(tmp_path / f"{jobs}.safetensors")
        done = lcmem_training.train_on_images(
            place.first, place.listed, output, IMAGE, Options(device="cpu", jobs=jobs)
        )
        found.append(done.card.sha256)

    def stop(run: object) -> None:
        raise KeyboardInterrupt

    output = str(tmp_path / "stopped.safetensors")
    stopping = Options(device="cpu", jobs=1, on_epoch=stop)
    with pytest.raises(KeyboardInterrupt):
        lcmem_training.train_on_images(place.first, place.listed, output, IMAGE, stopping)
    other = configuration.changed(IMAGE, {"schedule": {"learning_rate": 1e-5}})
    with pytest.raises(InputError, match="the checkpoint of another training"):
        lcmem_training.train_on_images(place.first, place.listed, output, other, QUIET)
    longer = configuration.changed(IMAGE, {"schedule": {"minutes": 100}})
    again = lcmem_training.train_on_images(place.first, place.listed, output, longer, QUIET)
    assert again.run.resumed
    assert found == [again.card.sha256] * 2


def test_a_checkpoint_is_not_that_of_changed_images(tmp_path: Path, place: Place) -> None:
    paths = pictures_in(tmp_path / "images", 9)
    listed = [Listed(path, one.identity, one.split) for path, one in zip(paths, place.listed)]
    folder, output = str(tmp_path / "latents"), str(tmp_path / "stopped.safetensors")

    def stop(run: object) -> None:
        raise KeyboardInterrupt

    stopping = Options(device="cpu", jobs=1, on_epoch=stop)

    def latent(options: Options) -> object:
        latent_making.make(paths, place.autoencoder, folder, views=2, jobs=1)
        return lcmem_training.train_on_latents(folder, listed, output, LATENT, options)

    def image(options: Options) -> object:
        return lcmem_training.train_on_images(place.first, listed, output, IMAGE, options)

    for train, seed in ((latent, 98), (image, 99)):
        with pytest.raises(KeyboardInterrupt):
            train(stopping)
        kept = Path(paths[0]).read_bytes()
        save(picture(seed), Path(paths[0]))
        with pytest.raises(InputError, match="the checkpoint of another training"):
            train(QUIET)
        Path(paths[0]).write_bytes(kept)
        Path(f"{output}.checkpoint").unlink()


def test_training_tells_pictures_apart(place: Place, tmp_path: Path) -> None:
    schedule = {"epochs": 4, "steps": 15, "batch": 5, "learning_rate": 3e-3}
    recipe = configuration.changed(LATENT, {"schedule": schedule})
    output = str(tmp_path / "model.safetensors")
    done = lcmem_training.train_on_latents(place.latents, place.listed, output, recipe, QUIET)
    losses = [epoch.loss for epoch in done.run.epochs]
    assert losses[-1] < 0.9 * losses[0]


def test_one_identity_is_not_enough(place: Place, tmp_path: Path) -> None:
    output = str(tmp_path / "model.safetensors")
    one = [Listed(image.path, "1", "train") for image in place.listed[:5]] + place.listed[5:]
    for listed, sentence in (
        (one, "two identities .* in the split train, there is one"),
        ([image for image in place.listed if image.split == "train"], "split val, there is none"),
        ([Listed("/elsewhere.png", "1", "train")], "split train, there is none"),
    ):
        with pytest.raises(InputError, match=sentence):
            lcmem_training.train_on_latents(place.latents, listed, output, LATENT, QUIET)
        with pytest.raises(InputError, match=sentence):
            lcmem_training.train_on_images(place.first, listed, output, IMAGE, QUIET)


def test_an_image_with_one_latent_is_no_positive_of_its_own(place: Place, tmp_path: Path) -> None:
    folder = str(tmp_path / "latents")
    latent_making.make(place.paths, place.autoencoder, folder, views=1, jobs=1)
    output = str(tmp_path / "model.safetensors")
    with pytest.raises(InputError, match="two identities with two latents"):
        lcmem_training.train_on_latents(folder, place.listed, output, LATENT, QUIET)
    pairs = [
        Listed(image.path, str(row // 2), "train" if row < 4 else "val")
        for row, image in enumerate(place.listed[:8])
    ]
    done = lcmem_training.train_on_latents(folder, pairs, output, LATENT, QUIET)
    assert done.images == {"train": 4, "val": 4}


def test_latents_of_images_that_are_too_small_are_one_sentence(
    place: Place, tmp_path: Path
) -> None:
    folder, output = str(tmp_path / "latents"), str(tmp_path / "model.safetensors")
    latent_making.make(place.paths, place.autoencoder, folder, views=2, side=16, jobs=1)
    with pytest.raises(InputError, match="must have 32 pixels a side or more, not 16 "):
        lcmem_training.train_on_latents(folder, place.listed, output, LATENT, QUIET)
    fine = configuration.changed(LATENT, {"patch": 1})
    lcmem_training.train_on_latents(folder, place.listed, output, fine, QUIET)
    assert lcmem.load(output, cards.read(output), "cpu").card.input.width == 16


def test_images_that_cannot_be_read_are_failures_of_stage_two(place: Place, tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"broken")
    listed = [*place.listed, Listed(str(broken), "broken", "train")]
    output = str(tmp_path / "model.safetensors")
    done = lcmem_training.train_on_images(place.first, listed, output, IMAGE, QUIET)
    assert [failure.path for failure in done.failures] == [str(broken)]
    assert done.images == {"train": 5, "val": 3}


def test_another_autoencoder_is_refused(place: Place, tmp_path: Path) -> None:
    other = autoencoder_in(tmp_path / "other", seed=1)
    with pytest.raises(InputError, match=r"not the autoencoder that .* was trained with"):
        lcmem_training.train_on_images(
            place.first, place.listed, str(tmp_path / "m.safetensors"), IMAGE, QUIET,
            autoencoder_folder=other,
        )  # fmt: skip


def test_unedited_latents_are_the_same_when_memory_is_short(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from memscan.detectors import pictures

    def trained(name: str) -> dict[str, torch.Tensor]:
        output = str(tmp_path / name)
        lcmem_training.train_on_images(place.first, place.listed, output, IMAGE, QUIET)
        return lcmem.load(output, cards.read(output), "cpu").network.state_dict()

    free = trained("free.safetensors")
    monkeypatch.setattr(pictures, "KEPT_BYTES", 0)
    short = trained("short.safetensors")
    assert all(torch.allclose(free[name], short[name], atol=1e-3) for name in free)


class TestAugmentation:
    pixels = np.random.default_rng(0).integers(0, 256, (16, 3, 24, 24)).astype(np.uint8)
    nothing = Augmentation(
        rotation_share=0, flip_share=0, blur_share=0, noise_share=0, brightness_share=0,
        contrast_share=0, jpeg_share=0,
    )  # fmt: skip

    def applied(self, augmentation: Augmentation, seed: int = 0) -> np.ndarray:
        return augmentation.apply(self.pixels, np.random.default_rng(seed)).numpy()

    def test_without_shares_nothing_changes(self) -> None:
        assert np.allclose(self.applied(self.nothing), self.pixels / 255, atol=1e-5)

    @pytest.mark.parametrize(
        "share",
        ["rotation", "flip", "blur", "noise", "brightness", "contrast", "jpeg"],
    )
    def test_each_edit_is_really_made_and_only_to_its_share(self, share: str) -> None:
        every = configuration.changed(self.nothing, {f"{share}_share": 1})
        half = configuration.changed(self.nothing, {f"{share}_share": 0.5})
        plain = self.applied(self.nothing)
        changed = np.abs(self.applied(every) - plain).max(axis=(1, 2, 3)) > 1e-3
        assert changed.sum() >= 14  # a strength may be drawn that is next to none
        changed = np.abs(self.applied(half) - plain).max(axis=(1, 2, 3)) > 1e-3
        assert 0 < changed.sum() < 16

    def test_the_same_seed_gives_the_same_pixels_from_0_to_1(self) -> None:
        found = self.applied(Augmentation())
        assert np.array_equal(found, self.applied(Augmentation()))
        assert not np.array_equal(found, self.applied(Augmentation(), seed=1))
        assert found.min() >= 0
        assert found.max() <= 1


def test_batches_come_in_order_whatever_the_workers() -> None:
    for workers in (1, 3):
        assert list(ahead(lambda draw: draw * draw, range(20), workers)) == [
            draw * draw for draw in range(20)
        ]


def test_an_error_of_a_batch_reaches_the_loop() -> None:
    def make(draw: int) -> int:
        if draw == 2:
            raise ValueError("two")
        return draw

    found = ahead(make, itertools.count(), 2)
    assert [next(found), next(found)] == [0, 1]
    with pytest.raises(ValueError, match="two"):
        next(found)


def test_the_area_counts_pairs_in_the_right_order() -> None:
    right, others = torch.tensor([0.9, 0.5, 0.2]), torch.tensor([0.1, 0.5, 0.6, 0.2])
    pairs = [
        1.0 if one > other else 0.5 if one == other else 0.0
        for one in right.tolist()
        for other in others.tolist()
    ]
    assert lcmem_fitting.auc(right, others) == pytest.approx(sum(pairs) / len(pairs))
