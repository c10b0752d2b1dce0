from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.detectors.small import CONFIG, lcmem_in, needs_diffusers

needs_diffusers()


from memscan.detectors import cards, lcmem  # noqa: E402
from memscan.detectors.backbones import Size  # noqa: E402
from memscan.detectors.lcmem import LCMem  # noqa: E402
from memscan.errors import InputError  # noqa: E402
from tests.drawing import picture  # noqa: E402

SMALL = Size((1, 1, 1, 1), (8, 8, 8, 12), 2)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Weights that nobody trained."""
    return lcmem_in(tmp_path_factory.mktemp("weights"))


def load(path: str, **changes: Any) -> LCMem:
    return lcmem.load(path, dataclasses.replace(cards.read(path), **changes), "cpu")


def embedded(detector: LCMem, count: int = 5) -> np.ndarray:
    return detector.embed(np.stack([detector.prepare(picture(seed)) for seed in range(count)]))


def test_embeddings_depend_on_nothing_but_the_image(path: str) -> None:
    detector, again = load(path), load(path)
    rows = embedded(detector)
    assert rows.shape == (5, 6)
    assert rows.dtype == np.float32
    assert ((rows > 0) & (rows < 1)).all()
    assert np.array_equal(rows, embedded(again))
    alone = detector.embed(detector.prepare(picture(3))[None])
    assert np.allclose(alone[0], rows[3], atol=1e-5)


def test_pixels_are_rgb_from_0_to_1_for_every_kind_of_image(path: str) -> None:
    detector = load(path)
    for mode in ("RGB", "L", "RGBA", "P", "1", "I;16"):
        pixels = detector.prepare(picture(0).convert("L").convert(mode) if mode == "I;16"
                                  else picture(0, mode=mode))  # fmt: skip
        assert pixels.shape == (3, 32, 32)
        assert pixels.dtype == np.float32
        assert 0 <= pixels.min() <= pixels.max() <= 1


def test_scores_are_the_head_on_differences_of_all_pairs(path: str) -> None:
    detector = load(path)
    rows = embedded(detector)
    weight = detector.network.head.weight.detach().double().numpy()[0]
    bias = float(detector.network.head.bias.detach())
    odds = np.abs(rows[:3, None].astype(np.float64) - rows[None]) @ weight + bias
    expected = 1 / (1 + np.exp(-odds))
    assert np.allclose(detector.scores(rows[:3], rows), expected, atol=1e-6)
    assert np.allclose(detector.paired(rows[:3], rows[2:]), expected[[0, 1, 2], [2, 3, 4]])
    assert (weight > 0).any()
    assert (weight < 0).any()
    assert detector.scores(rows[:0], rows).shape == (0, 5)
    assert detector.scores(rows, rows[:0]).shape == (5, 0)


def test_scores_are_symmetric(path: str) -> None:
    detector = load(path)
    rows = embedded(detector)
    scores = detector.scores(rows, rows)
    assert np.array_equal(scores, scores.T)


def test_a_trained_card_is_not_calibrated_and_names_its_weights(path: str) -> None:
    detector = load(path)
    assert not detector.card.is_calibrated
    assert detector.card.kind == "lcmem"
    assert detector.fingerprint == f"lcmem-{detector.sha256[:16]}-32x32-stretch"
    assert " " not in detector.fingerprint


def test_a_card_of_other_weights_is_one_sentence(path: str) -> None:
    architecture = dict(cards.read(path).architecture)
    wide = {**architecture, "backbone": {**architecture["backbone"], "widths": [8, 8, 8, 16]}}
    other = {**architecture, "autoencoder": {**CONFIG, "latent_channels": 5}}
    deep = {**architecture, "backbone": {**architecture["backbone"], "depths": [1, 1, 1, 9999]}}
    for changes, sentence in (
        ({"kind": "deepssim"}, "its card says deepssim, not lcmem"),
        ({"dimensions": 7}, "the weights do not fit their card"),
        ({"architecture": wide}, "the weights do not fit their card"),
        ({"architecture": other}, "the weights do not fit their card"),
        ({"architecture": deep}, "four depths and four widths"),
        ({"architecture": {}}, "the architecture has no backbone"),
        ({"sha256": "0" * 64}, "not the file that its card describes"),
        ({"input": cards.Input(32, 32, channels=1)}, "the input of its card must be RGB"),
        ({"input": cards.Input(16, 32)}, "must have 32 pixels a side or more"),
    ):
        with pytest.raises(InputError, match=sentence):
            load(path, **changes)


def test_what_a_card_claims_costs_no_memory(path: str) -> None:
    architecture = dict(cards.read(path).architecture)
    vast = {"depths": [64] * 4, "widths": [4096] * 4, "patch": 2}
    with pytest.raises(InputError, match="the weights do not fit their card"):
        load(path, architecture={**architecture, "backbone": vast})


def test_the_card_survives_its_file(path: str) -> None:
    card = cards.read(path)
    document = json.loads(Path(cards.path_of(path)).read_text(encoding="utf-8"))
    assert cards.parse(document) == card
    assert lcmem.size_of(card.architecture) == SMALL
