from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed (the learned extra has it)")

import torch

from memscan.detectors import cards, classes, deepssim, weights
from memscan.detectors.backbones import SIZES, ConvNeXt
from memscan.detectors.cards import Card, Cuts, Input
from memscan.detectors.deepssim import Architecture, DeepSSIM, GeneralisedMean, Network
from memscan.detectors.protocol import Detector
from memscan.errors import InputError
from tests.drawing import picture

SMALL = Architecture("convnext-small-cpu", 1, "batch", 16, 8)
CARD = Card(
    kind="deepssim",
    name="of a test",
    input=Input(32, 32, channels=1, standardised=True),
    dimensions=8,
    cuts=classes.PUBLISHED,
    architecture=SMALL.fields(),
)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> str:
    torch.manual_seed(0)
    path = str(tmp_path_factory.mktemp("weights") / "model.safetensors")
    weights.write(path, Network(SMALL).state_dict(), CARD)
    return path


@pytest.fixture(scope="module")
def detector(written: str) -> DeepSSIM:
    return deepssim.load(written, cards.read(written), "cpu")


def pixels(detector: DeepSSIM, count: int) -> np.ndarray:
    return np.stack([detector.prepare(picture(seed)) for seed in range(count)])


@pytest.mark.parametrize("axes", [(2,), (3,), (2, 3)])
def test_a_mirrored_image_has_the_same_embedding(detector: DeepSSIM, axes: tuple[int, ...]) -> None:
    batch = pixels(detector, 3)
    mirrored = np.ascontiguousarray(np.flip(batch, axes))
    assert np.abs(batch - mirrored).max() > 0.1
    assert detector.embed(mirrored) == pytest.approx(detector.embed(batch), abs=1e-6)


def test_it_is_a_detector(detector: DeepSSIM) -> None:
    taken: Detector = detector
    assert taken.card.cuts == Cuts(0.85, 0.6)
    assert not taken.card.is_calibrated
    assert taken.fingerprint == f"deepssim-{detector.sha256[:16]}-32x32-stretch"
    rows = taken.embed(pixels(detector, 3))
    assert rows.dtype == np.float32
    assert np.linalg.norm(rows, axis=1) == pytest.approx(1, abs=1e-5)
    assert taken.scores(rows, rows[:2]) == pytest.approx(rows @ rows[:2].T)
    assert taken.paired(rows, rows) == pytest.approx(1, abs=1e-5)
    assert taken.paired(rows[:2], rows[1:]) == pytest.approx(np.diag(rows[:2] @ rows[1:].T))
    assert taken.embed(pixels(detector, 1)[:0]).shape == (0, 8)


def test_images_are_grey_and_standardised(detector: DeepSSIM) -> None:
    prepared = pixels(detector, 4)
    assert prepared.shape == (4, 1, 32, 32)
    assert prepared.mean((1, 2, 3)) == pytest.approx(0, abs=1e-5)
    assert prepared.std((1, 2, 3)) == pytest.approx(1, abs=1e-4)


def test_the_same_row_whatever_is_in_the_batch(
    detector: DeepSSIM, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = pixels(detector, 9)
    together = detector.embed(batch)
    assert np.ptp(together, axis=0).max() > 1e-4
    for size in (1, 2, 4):
        parts = [detector.embed(batch[start : start + size]) for start in range(0, 9, size)]
        assert np.concatenate(parts) == pytest.approx(together, abs=1e-5)
    monkeypatch.setattr(deepssim, "_BATCH", 4)
    assert detector.embed(batch) == pytest.approx(together, abs=1e-5)


def test_maps_and_head_make_the_embedding(detector: DeepSSIM) -> None:
    batch = torch.from_numpy(pixels(detector, 2))
    maps = detector.network.maps(batch)
    widths = SIZES["convnext-small-cpu"].widths
    assert [tuple(each.shape) for each in maps] == [
        (2, width, 8 >> stage, 8 >> stage) for stage, width in enumerate(widths)
    ]
    assert torch.allclose(detector.network.head(maps), detector.network(batch), atol=1e-6)


def test_generalised_means_lie_between_mean_and_maximum() -> None:
    pool, x = GeneralisedMean(), torch.rand((3, 5, 4, 6))
    means = pool(x)
    assert means.detach().numpy() == pytest.approx(
        ((x**3).mean((2, 3)) ** (1 / 3)).numpy(), abs=1e-5
    )
    pool.power.data.fill_(1.0)
    assert torch.allclose(pool(x), x.mean((2, 3)), atol=1e-5)
    pool.power.data.fill_(60.0)
    assert pool(x).detach().numpy() == pytest.approx(x.amax((2, 3)).numpy(), abs=0.06)
    assert bool((pool(-x) > 0).all())  # what is negative counts as nothing


@pytest.mark.parametrize("backbone", ["convnext-tiny", "convnext-base"])
def test_published_backbones_have_their_size(backbone: str) -> None:
    published = {"convnext-tiny": 27_818_592, "convnext-base": 87_564_416}  # no classifier
    with torch.device("meta"):
        network = ConvNeXt(SIZES[backbone])
    assert sum(each.numel() for each in network.parameters()) == published[backbone]


def test_grey_images_are_repeated_for_a_stem_of_three_channels() -> None:
    torch.manual_seed(0)
    network = Network(dataclasses.replace(SMALL, stem=3)).eval()
    x = torch.randn((2, 1, 32, 32))
    assert torch.allclose(network(x), network.head(network.backbone(x.repeat(1, 3, 1, 1))))


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"backbone": "resnet"}, "backbone must be one of convnext-base, convnext-tiny"),
        ({"backbone": ["convnext-tiny"]}, "backbone must be one of"),
        ({"stem": 2}, "stem must be 1 or 3"),
        ({"stem": True}, "stem must be 1 or 3"),
        ({"norm": "group"}, "norm must be one of batch, layer"),
        ({"hidden": 0}, "hidden must be a whole number from 1 to 8192"),
        ({"hidden": 1 << 40}, "hidden must be a whole number from 1 to 8192"),
        ({"hidden": "16"}, "hidden must be a whole number"),
    ],
)
def test_a_card_that_describes_no_network_is_told(
    written: str, fields: dict[str, object], sentence: str
) -> None:
    card = cards.read(written)
    card = dataclasses.replace(card, architecture={**card.architecture, **fields})
    with pytest.raises(InputError, match=rf"model\.json: not a card that can be used: {sentence}"):
        deepssim.load(written, card, "cpu")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"kind": "lcmem"}, "kind must be deepssim"),
        ({"input": Input(32, 32, channels=3, standardised=True)}, "must have 1 channel"),
        ({"input": Input(32, 32, channels=1)}, "be standardised"),
        ({"input": Input(16, 32, channels=1, standardised=True)}, "32 pixels wide and high"),
    ],
)
def test_a_card_of_something_else_is_told(
    written: str, change: dict[str, object], sentence: str
) -> None:
    card = dataclasses.replace(cards.read(written), **change)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=sentence):
        deepssim.load(written, card, "cpu")


def test_weights_of_another_network_are_told(tmp_path: Path) -> None:
    state = Network(SMALL).state_dict()
    path = str(tmp_path / "model.safetensors")
    first = next(iter(state))
    for changed, sentence in (
        ({name: value for name, value in state.items() if name != first}, "is missing"),
        ({**state, "more": torch.ones(1)}, "'more' is unknown"),
        ({**state, first: torch.ones(1)}, r"has the shape \(1,\) and not"),
        ({**state, first: state[first] * torch.nan}, "holds what is no finite number"),
        ({**state, first: state[first].int()}, "holds what is no finite number"),
    ):
        card = weights.write(path, changed, CARD)
        with pytest.raises(InputError, match=sentence) as caught:
            deepssim.load(path, card, "cpu")
        assert str(caught.value).startswith(path)
        assert "\n" not in str(caught.value)


def test_weights_of_another_card_are_told(written: str) -> None:
    card = dataclasses.replace(cards.read(written), sha256="0" * 64)
    with pytest.raises(InputError, match="not the file that its card describes"):
        deepssim.load(written, card, "cpu")


def test_half_precision_weights_are_read(tmp_path: Path, detector: DeepSSIM) -> None:
    path = str(tmp_path / "model.safetensors")
    state = {
        name: value.half() if value.is_floating_point() else value
        for name, value in detector.network.state_dict().items()
    }
    read = deepssim.load(path, weights.write(path, state, CARD), "cpu")
    batch = pixels(detector, 3)
    assert read.embed(batch) == pytest.approx(detector.embed(batch), abs=0.02)
