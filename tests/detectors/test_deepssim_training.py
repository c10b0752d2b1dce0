from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Callable

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed (the learned extra has it)")

import torch
from safetensors.torch import save_file

from memscan.detectors import cards, deepssim, deepssim_training, tiles, weights
from memscan.detectors.backbones import SIZES
from memscan.detectors.deepssim import Network
from memscan.detectors.deepssim_measurement import measure
from memscan.detectors.deepssim_recipe import Recipe
from memscan.detectors.training import Run
from memscan.errors import InputError
from tests.drawing import picture, save

TINY = Recipe(
    side=32,
    hidden=32,
    dimensions=16,
    tiles=4,
    validation_pairs=64,
    epochs=2,
    steps=30,
    batch=32,
    validation=0.25,
)


class StoppedError(Exception):
    pass


def files(folder: str) -> list[str]:
    return sorted(str(path) for path in Path(folder).iterdir())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    made = tmp_path_factory.mktemp("photographs")
    for seed in range(16):
        save(picture(seed, (80, 80)), made / f"{seed}.png")
    return str(made)


@pytest.fixture(scope="module")
def trained(folder: str, tmp_path_factory: pytest.TempPathFactory) -> deepssim_training.Trained:
    output = str(tmp_path_factory.mktemp("trained") / "model.safetensors")
    return deepssim_training.train(files(folder), output, TINY, device="cpu")


@pytest.mark.parametrize(
    ("output", "name"),
    [
        ("models/plain.v2.safetensors", "plain.v2"),
        ("\u540d\u524d.safetensors", "\u540d\u524d"),
        ("x\ny\udcff\u202ez.safetensors", "x_y__z"),
        ("n" * 240 + ".safetensors", "n" * 200),
    ],
)
def test_the_name_on_the_card_is_a_line_that_cards_take(
    trained: deepssim_training.Trained, output: str, name: str
) -> None:
    assert deepssim_training.name_of(output) == name
    card = dataclasses.replace(trained.detector.card, name=name)
    assert cards.parse(json.loads(card.text())) == card


def test_it_learns_what_random_weights_do_not_know(
    trained: deepssim_training.Trained, tmp_path: Path
) -> None:
    paths = [save(picture(seed, (80, 80)), tmp_path / f"{seed}.png") for seed in range(50, 62)]
    unseen = tiles.read(paths, TINY.side, 4, 0)[0]
    torch.manual_seed(1)
    random = Network(deepssim_training._architecture(TINY)).eval()
    learned, plain = (
        measure(network, unseen, TINY.side, 200) for network in (trained.detector.network, random)
    )
    losses = [epoch.validation["loss"] for epoch in trained.run.epochs]
    assert min(losses) < losses[0]
    # Random weights put pairs into a fair order, but know nothing of values.
    for name in ("aligned", "mirrored"):
        assert learned.network[name].mae < 0.75 * plain.network[name].mae
    assert sum(learned.histogram) == 200
    assert learned.plain["aligned"].mae < 0.2
    assert learned.plain["mirrored"].mae > learned.plain["aligned"].mae + 0.1
    assert set(learned.network) == set(learned.plain)


def test_the_card_tells_how_the_weights_came_about(
    trained: deepssim_training.Trained, folder: str
) -> None:
    card = trained.detector.card
    assert (card.kind, card.name, card.dimensions) == ("deepssim", "model", 16)
    assert card.cuts == cards.Cuts(0.85, 0.6)
    assert card.calibration is None
    told = card.training
    assert (told["images"], told["validation_images"]) == (12, 4)
    assert told["pairs"] == 2 * 30 * 8 * 6
    assert told["configuration"] == dataclasses.asdict(TINY)
    assert set(told["validation"]) == {"loss", "mae", "spearman"}
    assert json.loads(card.text())["training"]["seconds"] >= 0


def test_written_weights_are_the_network(folder: str, tmp_path: Path) -> None:
    output = str(tmp_path / "model.safetensors")
    recipe = dataclasses.replace(TINY, epochs=1, steps=2)
    done = deepssim_training.train(files(folder), output, recipe, device="cpu")
    read = deepssim.load(output, cards.read(output), "cpu")
    batch = np.stack([read.prepare(picture(seed)) for seed in range(3)])
    assert np.array_equal(read.embed(batch), done.detector.embed(batch))
    assert read.fingerprint == done.detector.fingerprint
    assert read.card.training["tiles_of_an_image"] == TINY.tiles
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.json", "model.safetensors"]


def test_a_stopped_training_goes_on_to_the_same_weights(folder: str, tmp_path: Path) -> None:
    recipe = dataclasses.replace(TINY, epochs=2, steps=2, tiles=2)
    whole, parts = (str(tmp_path / f"{name}.safetensors") for name in ("whole", "parts"))
    deepssim_training.train(files(folder), whole, recipe, device="cpu")

    def stop(run: Run) -> None:
        raise StoppedError

    with pytest.raises(StoppedError):
        deepssim_training.train(files(folder), parts, recipe, device="cpu", on_epoch=stop)
    other = dataclasses.replace(recipe, rate=1e-3)
    with pytest.raises(InputError, match="the checkpoint of another training"):
        deepssim_training.train(files(folder), parts, other, device="cpu")
    resumed = deepssim_training.train(files(folder), parts, recipe, device="cpu")
    assert resumed.run.resumed
    assert Path(parts).read_bytes() == Path(whole).read_bytes()
    assert not (tmp_path / "parts.safetensors.checkpoint").exists()


def test_no_photograph_is_in_both_parts(folder: str) -> None:
    paths = files(folder)
    everything = tiles.read(paths, 32, 1, 0)[0]
    learned, held_out = deepssim_training.split(everything, TINY)
    assert sorted({*learned.paths, *held_out.paths}) == paths
    assert (len(learned), len(held_out)) == (12, 4)
    least = deepssim_training.split(everything.of(np.arange(4)), TINY)
    assert [len(part) for part in least] == [2, 2]
    for few in (3, 2):
        with pytest.raises(InputError, match="need two images each that can be read, there are"):
            deepssim_training.split(everything.of(np.arange(few)), TINY)


def test_named_photographs_are_what_is_validated_on(folder: str, tmp_path: Path) -> None:
    paths = files(folder)
    everything = tiles.read(paths, 32, 1, 0)[0]
    learned, held_out = deepssim_training.split(everything, TINY, [paths[7], paths[2], paths[4]])
    assert held_out.paths == (paths[2], paths[4], paths[7])
    assert sorted({*learned.paths, *held_out.paths}) == paths
    assert len(learned) == len(paths) - 3
    with pytest.raises(InputError, match="there are 15 and 1"):
        deepssim_training.split(everything, TINY, paths[:1])

    output = str(tmp_path / "model.safetensors")
    recipe = dataclasses.replace(TINY, epochs=1, steps=2, tiles=2)
    other_names = [str(Path(folder, "..", Path(folder).name, Path(path).name)) for path in paths]
    for bad in (paths[5:6], other_names[5:6]):
        with pytest.raises(InputError, match="is to be learned from, and validated on as well"):
            deepssim_training.train(paths[:8], output, recipe, validation=bad)
    done = deepssim_training.train(
        [*paths[:5], *other_names[:5]], output, recipe, validation=paths[5:8], device="cpu"
    )
    told = done.detector.card.training
    assert (told["images"], told["validation_images"]) == (5, 3)


def test_a_checkpoint_belongs_to_what_is_validated_on(folder: str, tmp_path: Path) -> None:
    paths, output = files(folder)[:6], str(tmp_path / "model.safetensors")
    recipe = dataclasses.replace(TINY, epochs=2, steps=1, tiles=1)

    def stop(run: Run) -> None:
        raise StoppedError

    def train(kept: int, on_epoch: Callable[[Run], None] | None = None) -> Run:
        return deepssim_training.train(
            paths[:kept], output, recipe, validation=paths[kept:], device="cpu", on_epoch=on_epoch
        ).run

    with pytest.raises(StoppedError):
        train(4, stop)
    with pytest.raises(InputError, match="the checkpoint of another training"):
        train(3)
    assert train(4).resumed


def test_images_of_different_photographs_are_spread() -> None:
    from memscan.detectors.ssim_pairs import Pairs

    class Constant(Network):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.nn.functional.normalize(torch.ones((len(x), 2)), dim=1)

    network = Constant(deepssim_training._architecture(TINY))
    pairs = Pairs(
        torch.rand((4, 1, 32, 32)),
        torch.tensor([0, 2]),
        torch.tensor([1, 3]),
        torch.tensor([0.5, 1.0]),
        torch.tensor([5, 5, 7, 7]),
        torch.tensor([1.5, 0.5]),
    )
    alone = float(deepssim_training.loss(network, pairs, 0))
    assert alone == pytest.approx(1.5 * 0.25 / 2, abs=1e-6)
    assert float(deepssim_training.loss(network, pairs, 0.5)) == pytest.approx(alone + 0.5)


def test_published_weights_begin_a_training(folder: str, tmp_path: Path) -> None:
    torch.manual_seed(5)
    backbone = Network(deepssim_training._architecture(TINY)).backbone
    init = str(tmp_path / "published.safetensors")
    state = {name: value.clone() for name, value in backbone.state_dict().items()}
    save_file({**state, "norm.weight": torch.ones(3), "head.bias": torch.ones(4)}, init)
    recipe = dataclasses.replace(TINY, init=init, frozen=1, epochs=1, steps=2, layer_decay=0.3)
    output = str(tmp_path / "model.safetensors")
    network = deepssim_training.train(files(folder), output, recipe, device="cpu").detector.network
    learned = network.backbone.state_dict()
    kept = {name for name in state if torch.equal(state[name], learned[name])}
    assert kept == {
        name for name in state if name.startswith(("downsample_layers.0.", "stages.0."))
    }

    save_file({name: value for name, value in state.items() if "stages.3" not in name}, init)
    with pytest.raises(InputError, match=r"published\.safetensors: not the weights .* is missing"):
        deepssim_training.train(files(folder), output, recipe, device="cpu")
    weights.write_whole(init, b"\x80\x04")
    with pytest.raises(InputError, match="a pickle, which could run any code"):
        deepssim_training.train(files(folder), output, recipe, device="cpu")


def test_every_backbone_can_be_asked_for() -> None:
    backbone = next(field for field in dataclasses.fields(Recipe) if field.name == "backbone")
    assert set(backbone.metadata["words"]) == set(SIZES)


def test_rates_fall_from_head_to_stem() -> None:
    recipe = dataclasses.replace(TINY, rate=1e-3, layer_decay=0.3)
    network = Network(deepssim_training._architecture(recipe))
    network.backbone.freeze(1)
    groups = deepssim_training.groups(network, recipe)
    assert [group["lr"] for group in groups] == pytest.approx([1e-3, 3e-4, 9e-5, 2.7e-5])
    trained = [each for group in groups for each in group["params"]]
    assert len(trained) == sum(each.requires_grad for each in network.parameters())


def test_cosines_that_are_all_equal_have_figures() -> None:
    found = deepssim_training.figures(np.full(4, 0.5), np.array([0.1, 0.4, 0.6, 0.9]))
    assert found == pytest.approx({"loss": 0.085, "mae": 0.25, "spearman": 0})


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [({"batch": 30}, "batch must be a multiple of group"), ({"batch": 4}, "twice as large")],
)
def test_a_batch_holds_whole_groups(fields: dict[str, int], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        dataclasses.replace(TINY, **fields)  # type: ignore[arg-type]
