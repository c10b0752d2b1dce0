from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from memscan.errors import InputError
from memscan.evaluation import detectors, learned_detectors
from memscan.evaluation.learned_detectors import Weights
from tests.drawing import picture
from tests.evaluation.networks import write

pytestmark = pytest.mark.usefixtures("coarse")

IMAGES = [picture(seed) for seed in range(5)]


def test_a_network_is_a_detector_whose_distance_is_one_less_the_score(tmp_path: Path) -> None:
    weights = Weights([write(tmp_path / "a.safetensors", photographs=400, data="photographs")])
    (detector,) = detectors.choose(["deepssim"], weights)
    rows = detector.describe_sources(IMAGES)
    found = detector.distances(rows[:2], rows)
    assert found.dtype == np.float32
    assert found == pytest.approx(1 - rows[:2] @ rows.T, abs=1e-6)
    assert detector.paired(rows[:2], rows[3:]) == pytest.approx(found[[0, 1], [3, 4]], abs=1e-6)
    assert (detector.default_threshold, detector.bytes_per_source()) == (0.15, 256)
    assert detector.origin.is_model
    assert detector.origin.estimates_ssim
    assert detector.origin.training == "photographs 400, data photographs"
    assert detector.description == "a coarse deepssim, 64 numbers from 8 x 8 pixels"


def test_images_reach_the_network_in_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (detector,) = detectors.choose([], Weights([write(tmp_path / "a.safetensors")]))
    whole = detector.describe_targets(IMAGES)
    monkeypatch.setattr(learned_detectors, "_AT_ONCE", 2)
    assert detector.describe_targets(IMAGES) == pytest.approx(whole)


def test_weights_are_named_by_their_kind_with_a_number_where_there_are_several(
    tmp_path: Path,
) -> None:
    kinds = {"a": "lcmem", "b": "deepssim", "c": "lcmem"}
    paths = [write(tmp_path / f"{name}.safetensors", kind) for name, kind in kinds.items()]
    found = detectors.choose(["deepssim", "phash"], Weights(paths))
    assert [detector.name for detector in found] == ["deepssim", "phash", "lcmem-1", "lcmem-2"]
    assert not found[2].origin.estimates_ssim
    assert found[2].origin.training == "its card does not say what it was trained on"
    with pytest.raises(InputError, match="lcmem: several weights are of this kind: lcmem-1, lcm"):
        detectors.choose(["lcmem"], Weights(paths))


def test_what_a_card_says_of_its_training_is_printable(tmp_path: Path) -> None:
    path = write(tmp_path / "a.safetensors", data="x\x1b[31m\n", flag=True)
    (detector,) = detectors.choose([], Weights([path]))
    assert detector.origin.training == "data x?[31m?"


def test_what_a_card_says_of_its_training_is_about_what_and_not_how(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.safetensors",
        images={"train": 400, "val": 40, "deeper": {"x": 1}},
        recipe={"rate": 0.1},
        empty={},
        loss=0.123456,
    )
    (detector,) = detectors.choose([], Weights([path]))
    assert detector.origin.training == "images (train 400, val 40), loss 0.1235"


def test_what_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.safetensors")
    with pytest.raises(InputError, match="lcmem: needs its weights, as --weights FILE"):
        detectors.choose(["lcmem"], Weights([path]))
    with pytest.raises(InputError, match="given twice as weights"):
        detectors.choose([], Weights([path, path]))
    with pytest.raises(InputError, match=r"b\.json: there is no such card"):
        detectors.choose([], Weights([str(tmp_path / "b.safetensors")]))


def test_random_weights_are_the_same_every_time_and_tell_pictures_apart() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    state = torch.random.get_rng_state()
    first, again = (detectors.choose(["random"], Weights(device="cpu"))[0] for _ in range(2))
    assert torch.equal(torch.random.get_rng_state(), state)
    rows = first.describe_sources(IMAGES)
    assert (rows == again.describe_sources(IMAGES)).all()
    assert np.linalg.norm(rows, axis=1) == pytest.approx(np.ones(5))
    noisy = [image.resize((90, 60)).resize((96, 64)) for image in IMAGES]
    found = first.distances(first.describe_targets(noisy), rows)
    assert found.argmin(axis=1).tolist() == list(range(5))
    assert not first.origin.is_model
