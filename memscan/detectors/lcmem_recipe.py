"""How LCMem is trained: the two configurations, and what the second stage does to images."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from memscan import decode
from memscan.detectors import augmentations, configuration
from memscan.detectors.backbones import SIZES, Size
from memscan.detectors.configuration import choice, number, whole
from memscan.detectors.pictures import Bytes
from memscan.detectors.training import Plan


@dataclass(frozen=True)
class Schedule:
    """How long and how fast a stage is trained; see :class:`memscan.detectors.training.Plan`."""

    epochs: int = whole(10, 1, 100_000)
    patience: int = whole(10, 1, 100_000)
    steps: int = whole(40, 1, 1_000_000)
    minutes: float | None = configuration.minutes()
    batch: int = whole(64, 2, 65_536)
    learning_rate: float = number(1e-3, 1e-7, 1)
    weight_decay: float = number(1e-2, 0, 10)
    shape: str = choice("cosine", "constant")
    warmup: float = number(0.05, 0, 0.9)
    seed: int = whole(42, 0, 1 << 31)

    def plan(self) -> Plan:
        """The plan of the loop."""
        return Plan(
            self.epochs,
            self.patience,
            self.steps,
            self.minutes,
            self.shape,
            self.warmup,
            seed=self.seed,
        )


@dataclass(frozen=True)
class Objective:
    """The loss: ``entropy`` is the share of the binary cross entropy, the rest is NT-Xent."""

    entropy: float = number(0.80, 0, 1)
    temperature: float = number(0.07, 1e-3, 10)


@dataclass(frozen=True)
class LatentRecipe:
    """Stage one, on latents.

    ``jitter`` is the standard deviation of noise on the normalised latents of second views, whose
    own is 0.5. The backbone reads patches of ``patch`` latent positions.
    """

    backbone: str = choice("convnext-small-cpu", "convnext-tiny", "convnext-base")
    patch: int = whole(2, 1, 16)
    dimensions: int = whole(128, 2, 4096)
    jitter: float = number(0.1, 0, 10)
    schedule: Schedule = Schedule()
    objective: Objective = Objective()

    @property
    def size(self) -> Size:
        """The backbone."""
        known = SIZES[self.backbone]
        return Size(known.depths, known.widths, self.patch)


@dataclass(frozen=True)
class Augmentation:
    """What happens to second views, in this order; each has a share of images and a strength.

    Rotation is by up to so many degrees either way, with corners as dark as the image; blur up to
    so many pixels and noise up to such a standard deviation; brightness and contrast are
    multiplied by a factor from 1 / strength to strength; JPEG has a quality from ``least_quality``
    to 95.
    """

    rotation: float = number(30.0, 0, 180)
    rotation_share: float = number(0.5, 0, 1)
    flip_share: float = number(0.5, 0, 1)
    blur: float = number(1.5, 0, 20)
    blur_share: float = number(0.5, 0, 1)
    noise: float = number(0.1, 0, 1)
    noise_share: float = number(0.5, 0, 1)
    brightness: float = number(2.0, 1, 10)
    brightness_share: float = number(0.5, 0, 1)
    contrast: float = number(2.0, 1, 10)
    contrast_share: float = number(0.5, 0, 1)
    least_quality: int = whole(10, 1, 95)
    jpeg_share: float = number(0.5, 0, 1)

    def apply(self, pixels: Bytes, rng: np.random.Generator) -> torch.Tensor:
        """Second views of images (n, 3, height, width), from 0 to 1."""
        count = len(pixels)
        x = torch.from_numpy(pixels).float() / 255
        turns = augmentations.drawn(
            rng, count, -self.rotation, self.rotation, self.rotation_share, 0
        )
        x = augmentations.moved(x, np.deg2rad(turns), padding="minimum")
        x = augmentations.flipped(x, augmentations.chosen(rng, count, self.flip_share), 3)
        sigmas = augmentations.drawn(rng, count, 0, self.blur, self.blur_share, 0)
        x = augmentations.smoothed(x, sigmas)
        deviations = augmentations.drawn(rng, count, 0, self.noise, self.noise_share, 0)
        x = augmentations.noisy(x, deviations, rng).clamp(0, 1)
        factors = self._factors(rng, count, self.brightness, self.brightness_share)
        x = augmentations.brightened(x, factors)
        factors = self._factors(rng, count, self.contrast, self.contrast_share)
        x = augmentations.with_contrast(x, factors)
        compressed = augmentations.chosen(rng, count, self.jpeg_share)
        qualities = rng.integers(self.least_quality, 95, count, endpoint=True)
        return _recompressed(x, np.where(compressed, qualities, 0))

    def _factors(
        self, rng: np.random.Generator, count: int, strength: float, share: float
    ) -> augmentations.Numbers:
        most = float(np.log(strength))
        return np.exp(augmentations.drawn(rng, count, -most, most, share, 0))


@dataclass(frozen=True)
class ImageRecipe:
    """Stage two, on images: every second view is of an image that is edited anew each time."""

    augmentation: Augmentation = Augmentation()
    schedule: Schedule = Schedule(epochs=25, learning_rate=5e-4)
    objective: Objective = Objective()


def _recompressed(x: torch.Tensor, qualities: npt.NDArray[np.int64]) -> torch.Tensor:
    """Compressed as JPEG by Pillow where the quality is not 0, and rounded to 8 bits there."""
    for place in np.flatnonzero(qualities).tolist():
        pixels = (255 * x[place]).round().to(torch.uint8).permute(1, 2, 0).numpy()
        data = io.BytesIO()
        Image.fromarray(pixels).save(data, "JPEG", quality=int(qualities[place]))
        decoded = np.asarray(decode.open_bytes(data.getvalue()).image, np.float32) / 255
        x[place] = torch.from_numpy(decoded).permute(2, 0, 1)
    return x
