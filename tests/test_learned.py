from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from memscan import decode, hash_image, vectors, views
from memscan.cache import Cache
from memscan.detectors.cards import Card
from memscan.detectors.protocol import Embeddings, Pixels
from memscan.errors import InputError
from memscan.intake import Intake
from memscan.learned import BATCH, LearnedEncoder
from memscan.recipe import hash_decoded
from memscan.table import HashTable
from tests.drawing import picture, save
from tests.networks import SIDE, Grey, card


def decoded(image: Image.Image) -> decode.Decoded:
    return decode.Decoded(image, image.size)


def embedding(image: Image.Image) -> Embeddings:
    network = Grey(card())
    (row,) = network.embed(network.prepare(image)[None])
    found: Embeddings = row
    return found


def test_an_image_is_its_phash_and_its_embedding() -> None:
    encoder = LearnedEncoder(Grey(card()))
    images = [picture(seed) for seed in range(3)]
    hashed = hash_decoded([decoded(image) for image in images], encoder)
    for image, one in zip(images, hashed):
        assert len(one.words) == encoder.words == 1 + SIDE * SIDE // 2
        assert one.words[0] == hash_image(image)
        words = np.array([one.words], np.uint64)
        found = vectors.unpack(words, SIDE * SIDE)[0]
        np.testing.assert_allclose(found, embedding(image), atol=1e-6)
        assert not one.low_information


@pytest.mark.parametrize("level", views.LEVELS)
def test_each_view_is_embedded_as_it_is_drawn(level: str) -> None:
    encoder = LearnedEncoder(Grey(card()))
    view_set = views.of_target(level, hints=False)
    assert ("full", *view_set.names) == views.counted(level)
    image = picture(4, (16, 16))
    (one,) = hash_decoded([decoded(image)], encoder, view_set)
    words = np.array(one.words, np.uint64).reshape(-1, encoder.words)
    found = vectors.unpack(words, SIDE * SIDE)
    for name, row in zip(("full", *view_set.names), found):
        np.testing.assert_allclose(row, embedding(views.draw(image, name)), atol=1e-6)


def test_a_view_that_an_image_does_not_have_costs_nothing() -> None:
    network = Grey(card())
    view_set = views.of_source("training")
    (one,) = hash_decoded([decoded(picture(0, (64, 64)))], LearnedEncoder(network), view_set)
    words = np.array(one.words, np.uint64).reshape(1 + len(view_set.names), -1)
    upright, square = (1 + view_set.names.index(name) for name in ("upright", "square"))
    assert words[upright].tolist() == words[0].tolist()
    assert sum(network.seen) <= len(view_set.names)
    assert words[square].shape == words[0].shape


def test_batches_are_no_larger_than_a_network_is_given_at_a_time() -> None:
    network = Grey(card())
    encoder = LearnedEncoder(network)
    images = [decoded(picture(seed)) for seed in range(BATCH + 3)]
    hash_decoded(images, encoder)
    assert network.seen == [BATCH, 3]
    assert encoder.chunk(views.NONE) == BATCH
    many = views.of_source("thorough")
    assert 1 <= encoder.chunk(many) <= BATCH // 2


@pytest.mark.parametrize("number", [np.nan, np.inf, 1.0])
def test_rows_without_cosines_are_refused(number: float) -> None:
    class Broken(Grey):
        def embed(self, batch: Pixels) -> Embeddings:
            return np.full((len(batch), SIDE * SIDE), number, np.float32)

    with pytest.raises(InputError, match="tiny: the network gives rows that are not of length 1"):
        hash_decoded([decoded(picture(0))], LearnedEncoder(Broken(card())))


class TestTheCache:
    """Embeddings are kept as hashes are, under the weights that made them."""

    def table(self, network: Grey, folder: Path, cache: Cache, level: str = "plain") -> HashTable:
        paths = sorted(map(str, folder.glob("*.png")))
        found, failures = Intake(cache=cache).hash_files(
            paths, "source", encoder=LearnedEncoder(network), view_set=views.of_source(level)
        )
        assert failures == ()
        return found

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        for seed in range(5):
            save(picture(seed), tmp_path / f"images/{seed}.png")
        time.sleep(0.05)  # a file of this very moment is not kept
        return tmp_path / "images"

    @pytest.mark.parametrize("level", ["plain", "training"])
    def test_warm_equals_cold(self, folder: Path, tmp_path: Path, level: str) -> None:
        cold, warm = Grey(card()), Grey(card())
        with Cache(str(tmp_path / "cache")) as cache:
            first = self.table(cold, folder, cache, level)
            again = self.table(warm, folder, cache, level)
        assert cold.seen
        assert warm.seen == []
        assert first.hashes.tobytes() == again.hashes.tobytes()
        assert first.views.tobytes() == again.views.tobytes()

    def test_other_weights_never_meet_old_embeddings(self, folder: Path, tmp_path: Path) -> None:
        other = Grey(Card(**{**vars(card()), "sha256": "cd" * 32}))
        with Cache(str(tmp_path / "cache")) as cache:
            self.table(Grey(card()), folder, cache)
            self.table(other, folder, cache)
        assert sum(other.seen) == 5


@pytest.mark.parametrize("jobs", [1, 3])
def test_any_number_of_jobs_makes_the_same_batches(tmp_path: Path, jobs: int) -> None:
    paths = [save(picture(seed), tmp_path / f"{seed:02}.png") for seed in range(40)]
    network = Grey(card())
    table, _ = Intake(jobs=jobs).hash_files(paths, "source", encoder=LearnedEncoder(network))
    assert sorted(network.seen) == [40 - BATCH, BATCH]
    assert len(table) == 40


def test_no_process_is_started_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("memscan.intake.PROCESSES_FROM", 2)
    monkeypatch.setattr("memscan.workers.start", lambda *_: pytest.fail("a process was started"))
    paths = [save(picture(seed), tmp_path / f"{seed:02}.png") for seed in range(4)]
    encoder = LearnedEncoder(Grey(card()))
    table, _ = Intake(jobs=2).hash_files(paths, "source", encoder=encoder)
    assert len(table) == 4
