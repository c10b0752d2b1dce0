"""How well a DeepSSIM network predicts SSIM, on photographs that it was not trained on.

Pairs over the whole range of SSIM are made of the photographs. The second image of each is then
flipped and turned, which changes neither what it shows nor the SSIM of the aligned pair; the plain
SSIM of the pair as it then lies stands beside the prediction.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Callable, Mapping

import numpy as np
import numpy.typing as npt
import torch

from memscan.detectors import augmentations
from memscan.detectors.deepssim import Network
from memscan.detectors.deepssim_recipe import Alterations
from memscan.detectors.deepssim_training import figures, measured_pairs, predicted
from memscan.detectors.ssim import ssim
from memscan.detectors.ssim_pairs import Label
from memscan.detectors.tiles import Tiles

Values = npt.NDArray[np.float64]

_DEGREES = 10


@dataclass(frozen=True)
class Errors:
    """How far some scores are from the SSIM of aligned pairs: their mean, 95th percentile, order.

    ``spearman`` is the rank correlation with it.
    """

    mae: float
    p95: float
    spearman: float

    @staticmethod
    def of(scores: Values, aligned: Values) -> Errors:
        """Those of scores of shape (n,)."""
        measured = figures(scores, aligned)
        p95 = float(np.percentile(np.abs(scores - aligned), 95))
        return Errors(measured["mae"], p95, measured["spearman"])


@dataclass(frozen=True)
class Measured:
    """The errors of the network and of plain SSIM, for each thing done to the second image.

    ``histogram`` counts the aligned SSIM of the pairs: below 0, and in each tenth from 0 to 1.
    """

    network: Mapping[str, Errors]
    plain: Mapping[str, Errors]
    histogram: tuple[int, ...]


def measure(
    network: Network,
    photographs: Tiles,
    side: int,
    count: int,
    seed: int = 0,
    shares: Alterations | None = None,
    label: Label = ssim,
) -> Measured:
    """Predict ``count`` pairs of photographs, as they are and misaligned.

    ``label`` is the SSIM that the network learned.
    """
    rng = np.random.default_rng(seed)
    pairs = measured_pairs(photographs, side, count, shares or Alterations(), rng, label)
    aligned = pairs.ssim.cpu().double().numpy()
    by_network, by_pixels = {}, {}
    for name, misalign in _MISALIGNMENTS.items():
        images = pairs.images.clone()
        images[pairs.other] = misalign(images[pairs.other], rng)
        lying = dataclasses.replace(pairs, images=images)
        by_network[name] = Errors.of(predicted(network, lying), aligned)
        plain = label(images[pairs.one], images[pairs.other]).cpu().double().numpy()
        by_pixels[name] = Errors.of(plain, aligned)
    edges = [-1.0, *np.linspace(0, 1, 11)]
    histogram = np.histogram(np.clip(aligned, -1, 1), edges)[0]
    return Measured(by_network, by_pixels, tuple(histogram.tolist()))


def _as_it_is(x: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    return x


def _mirrored(x: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    return x.flip(3)


def _upside_down(x: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    return x.flip(2)


def _turned(x: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """By 10 degrees one way or the other, with black corners."""
    return augmentations.moved(x, np.radians(_DEGREES) * rng.choice([-1.0, 1.0], len(x)))


def _both(x: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Turned, after it was flipped along none, one or both of the axes."""
    for axis in (2, 3):
        x = augmentations.flipped(x, augmentations.chosen(rng, len(x), 0.5), axis)
    return _turned(x, rng)


_MISALIGNMENTS: Mapping[str, Callable[[torch.Tensor, np.random.Generator], torch.Tensor]] = {
    "aligned": _as_it_is,
    "mirrored": _mirrored,
    "upside down": _upside_down,
    f"turned by {_DEGREES} degrees": _turned,
    f"flipped at random, turned by {_DEGREES} degrees": _both,
}
