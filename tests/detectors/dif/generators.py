"""Small generators: autoencoders of photographs, whose decoders leave traces as large ones do.

A and B enlarge by transposed convolution and differ in their seeds, C enlarges by repeating pixels
and convolves; A-ft is A after some more training on photographs of other colours. What they give is
cut to 8 bits, as a file does. Training looks at the left of each photograph, tests at the right.
"""

from __future__ import annotations

import copy
import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Sequence

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image
from torch import nn
from torch.nn import functional

SIDE = 64
FAMILIES = ("A", "B", "C", "A-ft")

Crops = npt.NDArray[np.uint8]

_LEFT = 0.6
_SEEDS = {"A": 1, "B": 7, "C": 3}


@dataclass(frozen=True)
class Sample:
    """Crops of one origin, of shape (n, SIDE, SIDE, 3), apart by the region of the photograph."""

    train: Crops
    test: Crops


class Autoencoder(nn.Module):
    """Halves the resolution twice and doubles it twice."""

    def __init__(self, transposed: bool) -> None:
        super().__init__()
        few, many = 24, 48
        self.encoder = nn.Sequential(
            nn.Conv2d(3, few, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(few, many, 3, stride=2, padding=1),
            nn.ReLU(),
        )
        enlarge = _transposed if transposed else _repeated
        self.decoder = nn.Sequential(
            *enlarge(many, few), nn.ReLU(), *enlarge(few, few), nn.ReLU(), nn.Conv2d(few, 3, 1)
        )

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        drawn: torch.Tensor = self.decoder(self.encoder(pixels))
        return drawn


def real(train: int, test: int, seed: int = 0, side: int = SIDE) -> Sample:
    """Crops of photographs, ``train`` of the left and ``test`` of the right of them."""
    generator = np.random.default_rng(seed)
    photographs = _photographs()
    return Sample(
        _crops(photographs, train, generator, side, left=True),
        _crops(photographs, test, generator, side, left=False),
    )


def families(
    names: Sequence[str], train: int, test: int, steps: int = 300, side: int = SIDE
) -> dict[str, Sample]:
    """What generators of these names make of crops of photographs (others than ``real`` gives)."""
    trained: dict[str, Autoencoder] = {}
    wanted = [name for name in FAMILIES if name in names or (name == "A" and "A-ft" in names)]
    for name in wanted:
        if name == "A-ft":
            trained[name] = _fine_tuned(trained["A"], steps // 2)
        else:
            trained[name] = _trained(name != "C", steps, _SEEDS[name])
    found = {}
    for number, name in enumerate(names):
        given = real(train, test, seed=100 + number, side=side)
        if name == "A-ft":
            given = Sample(_recoloured(given.train), _recoloured(given.test))
        found[name] = Sample(_made(trained[name], given.train), _made(trained[name], given.test))
    return found


def write_folder(folder: Path, crops: Crops, suffix: str = ".png") -> None:
    """Image files ``000.png``, ``001.png``, ..."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, crop in enumerate(crops):
        Image.fromarray(crop).save(folder / f"{number:03d}{suffix}")


@functools.lru_cache(maxsize=1)
def _photographs() -> list[Crops]:
    skimage = pytest.importorskip("skimage", reason="scikit-image is not installed")
    sklearn = pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    data, images = (
        Path(skimage.__file__).parent / "data",
        Path(sklearn.__file__).parent / "datasets" / "images",
    )
    names = ("astronaut.png", "chelsea.png", "coffee.png", "ihc.png", "motorcycle_left.png")
    more = ("rocket.jpg", "retina.jpg", "hubble_deep_field.jpg")
    paths = [data / name for name in (*names, *more)]
    paths += [images / "china.jpg", images / "flower.jpg"]
    return [np.asarray(Image.open(path).convert("RGB")) for path in paths]


def _crops(
    photographs: Sequence[Crops],
    count: int,
    generator: np.random.Generator,
    side: int,
    left: bool,
) -> Crops:
    found = np.empty((count, side, side, 3), np.uint8)
    for number in range(count):
        photograph = photographs[number % len(photographs)]
        height, width = photograph.shape[:2]
        border = int(_LEFT * width)
        first, last = (0, border) if left else (border, width)
        top = int(generator.integers(0, height - side + 1))
        start = int(generator.integers(first, last - side + 1))
        found[number] = photograph[top : top + side, start : start + side]
    return found


def _recoloured(crops: Crops) -> Crops:
    """As old prints look: paler, and with a brown cast."""
    pixels = crops.astype(np.float32)
    brown = pixels.mean(-1, keepdims=True) * np.array([1.1, 0.85, 0.6], np.float32)
    found: Crops = np.clip((pixels + brown) / 2, 0, 255).round().astype(np.uint8)
    return found


def _tensor(crops: Crops) -> torch.Tensor:
    return torch.from_numpy(crops.transpose(0, 3, 1, 2).copy()).float() / 127.5 - 1


def _trained(transposed: bool, steps: int, seed: int) -> Autoencoder:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = Autoencoder(transposed)
    return _fitted(model, _tensor(real(512, 0, seed=seed, side=SIDE // 2).train), steps, seed, 4e-3)


def _fine_tuned(model: Autoencoder, steps: int) -> Autoencoder:
    crops = _recoloured(real(512, 0, seed=9, side=SIDE // 2).train)
    return _fitted(copy.deepcopy(model), _tensor(crops), steps, 9, 3e-4)


def _fitted(
    model: Autoencoder, crops: torch.Tensor, steps: int, seed: int, rate: float
) -> Autoencoder:
    generator = np.random.default_rng(seed)
    optimiser = torch.optim.Adam(model.parameters(), lr=rate)
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = rate * (1 - step / steps)
        batch = crops[generator.integers(0, len(crops), 8)]
        loss = functional.l1_loss(model(batch), batch)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return model.eval()


def _made(model: Autoencoder, crops: Crops) -> Crops:
    with torch.inference_mode():
        parts = [model(part) for part in torch.split(_tensor(crops), 32)]
    drawn = ((torch.cat(parts) + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return np.ascontiguousarray(drawn.permute(0, 2, 3, 1).numpy())


def _transposed(before: int, after: int) -> list[nn.Module]:
    return [nn.ConvTranspose2d(before, after, 3, stride=2, padding=1, output_padding=1)]


def _repeated(before: int, after: int) -> list[nn.Module]:
    return [nn.Upsample(scale_factor=2), nn.Conv2d(before, after, 3, padding=1)]
