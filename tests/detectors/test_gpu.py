"""What a GPU gives is what a CPU gives: on a CUDA device, or on one that the CPU plays.

See :mod:`tests.detectors.pretended_gpu` for what that one can show and what it cannot.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Callable, Iterator

import numpy as np
import pytest

from tests.detectors.diffusion.models import model_in, needs_transformers
from tests.detectors.small import SCHEDULE, autoencoder_in, lcmem_in, list_of, pictures_in

needs_transformers()

import torch  # noqa: E402
from PIL import Image  # noqa: E402
from torch import nn  # noqa: E402

from memscan.detectors import (  # noqa: E402
    autoencoder_training,
    configuration,
    deepssim,
    deepssim_training,
    devices,
    heat_maps,
    identities,
    latent_making,
    lcmem_fitting,
    lcmem_training,
    siamese,
    training,
)
from memscan.detectors.autoencoder_training import Recipe as AutoencoderRecipe  # noqa: E402
from memscan.detectors.deepssim_recipe import Recipe as DeepSSIMRecipe  # noqa: E402
from memscan.detectors.dif import blank, denoising  # noqa: E402
from memscan.detectors.dif import training as dif_training  # noqa: E402
from memscan.detectors.dif.examples import Residuals  # noqa: E402
from memscan.detectors.dif.recipe import Denoising  # noqa: E402
from memscan.detectors.dif.recipe import Recipe as DIFRecipe  # noqa: E402
from memscan.detectors.diffusion import (  # noqa: E402
    digits_training,
    fitting,
    methods,
    pipelines,
    sampling,
)
from memscan.detectors.diffusion.captions import Captioned  # noqa: E402
from memscan.detectors.diffusion.digits_recipe import Recipe as DigitsRecipe  # noqa: E402
from memscan.detectors.diffusion.recipe import Recipe as ModelRecipe  # noqa: E402
from memscan.detectors.lcmem_fitting import Options  # noqa: E402
from memscan.detectors.lcmem_recipe import ImageRecipe, LatentRecipe  # noqa: E402
from memscan.detectors.opening import open_detector  # noqa: E402
from memscan.detectors.protocol import Detector  # noqa: E402
from memscan.detectors.ssim_pairs import Pairs  # noqa: E402
from memscan.errors import InputError  # noqa: E402
from memscan.probes import METHODS, ProbeOptions  # noqa: E402
from tests.detectors import pretended_gpu  # noqa: E402
from tests.detectors.pretended_gpu import CUDA, multiplied  # noqa: E402
from tests.drawing import picture  # noqa: E402

TOLERANCE = 1e-3
"""Of scores, as the README states it."""

DEEPSSIM = DeepSSIMRecipe(
    side=32, hidden=32, dimensions=16, tiles=4, validation_pairs=64, epochs=2, steps=10, batch=32
)
LATENT = configuration.changed(LatentRecipe(), {"dimensions": 8, "schedule": SCHEDULE})
IMAGE = configuration.changed(ImageRecipe(), {"schedule": SCHEDULE})
AUTOENCODER = AutoencoderRecipe(side=16, window=16, levels=2, width=8, batch=4, steps=4, epochs=2)
MODEL = ModelRecipe(
    autoencoder=AUTOENCODER, width=8, levels=2, heads=2, text_width=16, text_layers=1, tokens=6,
    batch=4, steps=3, epochs=2, checks=6,
)  # fmt: skip
DIF = DIFRecipe(
    crop=16, depth=2, base=8, channels=4, batch=16, epochs=2, tail=2,
    denoising=Denoising(3, 8, noise=0.2, window=12, batch=4, steps=4, epochs=2),
)  # fmt: skip
PROBE = ProbeOptions(steps=10, depth=4, prompts=2, iterations=2, generations=2, noises=2)


@pytest.fixture
def pretended() -> Iterator[str]:
    """The name of a device that the CPU plays, and that tells what it did."""
    with pretended_gpu.plugged_in() as name:
        yield name


@pytest.fixture
def gpu(request: pytest.FixtureRequest) -> str:
    """The name of a CUDA device that is there, or seems to be."""
    return "cuda" if torch.cuda.is_available() else request.getfixturevalue("pretended")


def test_the_pretended_one_refuses_what_a_gpu_refuses(pretended: str) -> None:
    here, there = torch.ones(3, 3), torch.ones(3, 3, device=pretended)
    assert there.device == CUDA
    assert (there + 1).device == CUDA
    with pytest.raises(RuntimeError, match="on the same device"):
        here @ there
    with pytest.raises(RuntimeError, match="on the same device"):
        here[there.long()]
    with pytest.raises(TypeError, match="can't convert cuda"):
        there.numpy()
    assert there[here.long()].cpu().numpy().shape == (3, 3, 3)
    assert float((there * torch.tensor(2.0)).sum()) == 18


def test_the_pretended_one_computes_gradients_as_a_cpu_does(pretended: str) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.GELU(), nn.Flatten(), nn.Linear(64, 2))
    devices.choose(pretended)  # which has all bits from then on
    pixels, slopes = torch.rand(5, 1, 6, 6), []
    for place in ("cpu", pretended):
        network.zero_grad()
        network.to(place)(pixels.to(place)).square().sum().backward()
        slopes.append([one.grad.cpu() for one in network.parameters() if one.grad is not None])
    for wanted, found in zip(*slopes):
        assert torch.equal(wanted, found)


def test_the_gpu_is_chosen_where_there_is_one(pretended: str) -> None:
    assert devices.choose().type == "cuda"
    assert devices.choose("cuda:0").index == 0
    assert devices.choose("cpu").type == "cpu"
    with pytest.raises(InputError, match="cuda:1: this machine has 1 CUDA devices"):
        devices.choose("cuda:1")


@pytest.fixture(scope="module")
def detectors(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Weights by the kind of the detector."""
    folder = tmp_path_factory.mktemp("weights")
    _deepssim(folder, "cpu")
    return {"deepssim": str(folder / "model.safetensors"), "lcmem": lcmem_in(folder / "lcmem")}


def _scores(detector: Detector) -> np.ndarray[Any, Any]:
    images = [picture(seed, (50, 40)) for seed in range(6)]
    rows = detector.embed(np.stack([detector.prepare(one) for one in images]))
    paired = detector.paired(rows[:3], rows[3:])
    return np.concatenate([detector.scores(rows, rows).ravel(), paired.ravel()])


@pytest.mark.parametrize("kind", ["deepssim", "lcmem"])
def test_scores_are_those_of_a_cpu(kind: str, detectors: dict[str, str], gpu: str) -> None:
    here, there = (
        _scores(open_detector(detectors[kind], device=device)) for device in ("cpu", gpu)
    )
    assert np.ptp(here) > 10 * TOLERANCE
    assert there == pytest.approx(here, abs=TOLERANCE)


def test_scores_have_all_their_bits(detectors: dict[str, str], pretended: str) -> None:
    """Factors in TensorFloat-32, which a GPU takes unless it is told not to, would show."""
    here = _scores(open_detector(detectors["deepssim"], device="cpu"))
    detector = open_detector(detectors["deepssim"], device=pretended)
    assert _scores(detector) == pytest.approx(here, abs=1e-6)
    assert multiplied == {torch.float32}
    torch.backends.cudnn.allow_tf32 = True
    assert np.abs(_scores(detector) - here).max() > 1e-5


def test_heat_maps_are_those_of_a_cpu(detectors: dict[str, str], gpu: str) -> None:
    for method in ("layercam", "agreement"):
        found = []
        for device in ("cpu", gpu):
            detector = open_detector(detectors["deepssim"], device=device)
            one, other = (detector.prepare(picture(seed, (50, 40))) for seed in (1, 2))
            found.append(np.stack(heat_maps.heat_maps(detector, one, other, method)))
        assert found[1] == pytest.approx(found[0], abs=0.01)


def _deepssim(folder: Path, device: str) -> training.Run:
    paths = pictures_in(folder / "images", 12)
    return deepssim_training.train(
        paths, str(folder / "model.safetensors"), DEEPSSIM, device=device
    ).run


def _lcmem(folder: Path, device: str) -> training.Run:
    """Both stages; the run of the second."""
    paths = pictures_in(folder / "images", 8)
    listing = list_of(folder / "list.csv", ["train"] * 5 + ["val"] * 3)
    listed = identities.read_list(listing, str(folder / "images"))
    made = str(folder / "latents")
    latent_making.make(
        paths, autoencoder_in(folder / "autoencoder"), made, views=3, jobs=1, device=device
    )
    first, options = str(folder / "first.safetensors"), Options(device=device, jobs=1)
    lcmem_training.train_on_latents(made, listed, first, LATENT, options)
    second = str(folder / "second.safetensors")
    return lcmem_training.train_on_images(first, listed, second, IMAGE, options).run


def _autoencoder(folder: Path, device: str) -> training.Run:
    paths = pictures_in(folder / "images", 6)
    return autoencoder_training.train(
        paths, str(folder / "autoencoder"), AUTOENCODER, device=device
    ).run


def _model(folder: Path, device: str) -> training.Run:
    paths = pictures_in(folder / "images", 6)
    captioned = [Captioned(path, "a cat", 1 + row % 2) for row, path in enumerate(paths)]
    return fitting.train(captioned, str(folder / "model"), MODEL, device=device).run


def _dif(folder: Path, device: str) -> training.Run:
    rng = np.random.default_rng(0)
    real, fake = (
        Residuals(*rng.standard_normal((2, 16, 768)).astype(np.float32)) for _ in range(2)
    )
    return dif_training.learn(real, fake, DIF, device=device).run


TRAININGS: dict[str, Callable[[Path, str], training.Run]] = {
    "deepssim": _deepssim,
    "lcmem": _lcmem,
    "autoencoder": _autoencoder,
    "model": _model,
    "dif": _dif,
}


@pytest.mark.parametrize("name", sorted(TRAININGS))
def test_trainings_go_as_on_a_cpu(name: str, gpu: str, tmp_path: Path) -> None:
    runs = [TRAININGS[name](tmp_path / device, device) for device in ("cpu", gpu)]
    here, there = ([epoch.loss for epoch in run.epochs] for run in runs)
    assert there == pytest.approx(here, rel=0.03)
    checked = [[epoch.validation["loss"] for epoch in run.epochs] for run in runs]
    assert checked[1] == pytest.approx(checked[0], rel=0.1)


@pytest.mark.parametrize("name", sorted(TRAININGS))
def test_each_network_learns_in_half_precision_and_is_judged_in_single(
    name: str, pretended: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But for DIF's, whose correlations of 0.01 need all their bits."""
    learned: list[bool] = []
    judged: set[torch.dtype] = set()
    fit = training.fit

    def recorded(network: Any, optimiser: Any, batches: Any, loss: Any, check: Any,
                 *rest: Any, **how: Any) -> training.Run:  # fmt: skip
        def learn(batch: Any) -> torch.Tensor:
            multiplied.clear()
            found: torch.Tensor = loss(batch)
            learned.append(torch.bfloat16 in multiplied)
            return found

        def judge() -> training.Figures:
            multiplied.clear()
            figures: training.Figures = check()
            judged.update(multiplied)
            return figures

        return fit(network, optimiser, batches, learn, judge, *rest, **how)

    monkeypatch.setattr(training, "fit", recorded)
    TRAININGS[name](tmp_path, pretended)
    assert set(learned) == {name != "dif"}
    assert judged == (set() if name == "dif" else {torch.float32})  # DIF is judged on the CPU


def test_pairs_that_judge_lcmem_are_encoded_in_single_precision(
    pretended: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[set[torch.dtype]] = []
    once = lcmem_fitting.drawn_once

    def recorded(*given: Any) -> Any:
        multiplied.clear()
        made = once(*given)
        drawn.append(set(multiplied))
        return made

    monkeypatch.setattr(lcmem_training, "drawn_once", recorded)
    _lcmem(tmp_path, pretended)
    assert drawn == [set(), {torch.float32}]  # of latents, which are there, and of images


def test_a_denoiser_is_that_of_a_cpu(gpu: str) -> None:
    crops = np.random.default_rng(0).integers(0, 256, (2, 12, 16, 16, 3), np.uint8)
    here, there = (
        denoising.train(crops[0], crops[1], DIF, device=device) for device in ("cpu", gpu)
    )
    for name, wanted in here.items():
        assert there[name] == pytest.approx(wanted, abs=0.02)


def test_losses_keep_the_bits_of_cosines(pretended: str) -> None:
    """In bfloat16 a cosine of 0.998 would be 1, and a temperature of 0.07 makes much of that."""
    where = devices.choose(pretended)
    rng = torch.Generator().manual_seed(0)
    first = torch.rand((6, 16), generator=rng)
    second = first + 0.05 * torch.rand((6, 16), generator=rng)
    wanted = siamese.nt_xent(first, second, 0.07)
    with devices.mixed_precision(where):
        found = siamese.nt_xent(first.to(where), second.to(where), 0.07)
    assert float(found) == pytest.approx(float(wanted), rel=1e-5)


def test_deepssim_keeps_the_bits_of_embeddings_and_cosines(pretended: str) -> None:
    where = devices.choose(pretended)
    torch.manual_seed(0)
    network = deepssim.Network(deepssim.Architecture("convnext-small-cpu", 1, "layer", 32, 16))
    with torch.no_grad():
        maps = network.maps(torch.rand(6, 1, 32, 32))
        rows = network.head(maps)
        pairs = Pairs(
            images=torch.rand(6, 1, 32, 32),
            one=torch.tensor([0, 2, 4]),
            other=torch.tensor([1, 3, 5]),
            photographs=torch.tensor([0, 0, 1, 1, 2, 2]),
            ssim=torch.tensor([0.9, 0.5, 0.1]),
            weights=torch.ones(3),
        )
        loss = deepssim_training.loss(lambda _: rows, pairs, 0.5)  # type: ignore[arg-type]
        network.to(where)
        there = Pairs(*(getattr(pairs, one.name).to(where) for one in dataclasses.fields(pairs)))
        with devices.mixed_precision(where):
            found = network.head([one.to(where) for one in maps])
            again = deepssim_training.loss(
                lambda _: rows.to(where),  # type: ignore[arg-type]
                there,
                0.5,
            )
    assert torch.allclose(found.cpu(), rows, atol=1e-6)
    assert float(again) == pytest.approx(float(loss), rel=1e-6)


def test_latents_are_those_of_a_cpu(gpu: str, tmp_path: Path) -> None:
    paths, vae = pictures_in(tmp_path / "images", 5), autoencoder_in(tmp_path / "vae")
    made = [
        latent_making.make(paths, vae, str(tmp_path / device), views=2, device=device)
        for device in ("cpu", gpu)
    ]
    here, there = (one.gather(range(5), [1] * 5) for one in made)
    assert there == pytest.approx(here, abs=TOLERANCE)


def test_what_a_model_draws_and_remembers_is_that_of_a_cpu(gpu: str, tmp_path: Path) -> None:
    folder = model_in(tmp_path / "model")
    image = Image.new("RGB", (16, 16), (200, 80, 20))
    drawn, probed = [], []
    for device in ("cpu", gpu):
        model = pipelines.load(folder, device)
        noise = sampling.noise(model, 3, range(2))
        pixels = sampling.sample(model, ["a cat", "a dog"], noise, steps=4, guidance=2.0)
        drawn.append(pixels.cpu().numpy())
        latents = [model.encode([image])]
        values = [methods.of_latents(name, model, latents, PROBE, 4) for name in METHODS]
        probed.append([*values, methods.of_prompts(model, ["a cat"], PROBE, 4)])
    assert drawn[1] == pytest.approx(drawn[0], abs=TOLERANCE)
    for here, there in zip(*probed):
        assert np.array(there) == pytest.approx(np.array(here), rel=0.01)


def test_the_demonstration_is_that_of_a_cpu(gpu: str) -> None:
    recipe = DigitsRecipe(memorised=4, duplicates=40, held_out=300, width=16, blocks=1, steps=3)
    digits = digits_training.divided(recipe, 0)
    image = Image.fromarray(digits.pixels[0])
    found = []
    for device in ("cpu", gpu):
        model = digits_training.train(digits, recipe, 0, devices.choose(device))
        latents = [model.encode([image])]
        values = [methods.of_latents(name, model, latents, PROBE, 4) for name in METHODS]
        found.append(np.array([number for one in values for number in one[0]]))
    assert found[1] == pytest.approx(found[0], rel=0.01)


def test_a_blank_square_is_that_of_a_cpu(gpu: str) -> None:
    here, there = (blank.draw(32, 3, device=device).pixels for device in ("cpu", gpu))
    assert there == pytest.approx(here, abs=TOLERANCE)
