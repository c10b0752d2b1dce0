"""How a fingerprint is learned: the published figures are the defaults."""

from __future__ import annotations

from dataclasses import dataclass, field

from memscan.detectors import configuration
from memscan.detectors.configuration import number, whole
from memscan.errors import InputError


@dataclass(frozen=True)
class Denoising:
    """How the denoiser is built and trained, if it is the residual.

    A network of ``layers`` convolutions of ``width`` channels learns to see Gaussian noise of
    standard deviation up to ``noise`` (of a range of 1) in windows of the real images.
    """

    layers: int = whole(8, 2, 32)
    width: int = whole(32, 1, 256)
    noise: float = number(0.03, 1e-4, 1)
    window: int = whole(40, 8, 1024)
    batch: int = whole(32, 1, 4096)
    steps: int = whole(100, 1, 100_000)
    epochs: int = whole(20, 1, 10_000)
    learning_rate: float = number(1e-3, 1e-7, 1)


@dataclass(frozen=True)
class Recipe:
    """How a fingerprint is learned.

    At most ``images`` of each class are drawn, of which the share ``held_out`` measures and is not
    learned from: 512 are left of 640, as published. ``crop`` is the side of what is taken of each
    of them, and of the fingerprint. The U-Net has ``depth`` levels, the first ``base`` channels
    wide, and draws from ``channels`` of noise, to which noise of deviation ``noise`` is added at
    each step. ``margin`` is what correlations of different classes should differ by; ``average``
    the share that the moving average of what is drawn keeps at each step; the class means are those
    of the last ``tail`` batches.
    """

    crop: int = whole(256, 8, 4096)
    images: int = whole(640, 4, 100_000)
    held_out: float = number(0.2, 0.01, 0.9)
    depth: int = whole(4, 1, 8)
    base: int = whole(32, 1, 512)
    channels: int = whole(16, 1, 256)
    noise: float = number(0.03, 0, 10)
    margin: float = number(0.01, 1e-6, 2)
    batch: int = whole(64, 4, 4096)
    epochs: int = whole(100, 1, 100_000)
    minutes: float | None = configuration.minutes()
    learning_rate: float = number(5e-4, 1e-7, 1)
    average: float = number(0.99, 0, 0.9999)
    tail: int = whole(20, 1, 10_000)
    seed: int = whole(42, 0, 1 << 31)
    denoising: Denoising = field(default_factory=Denoising)

    def check(self) -> None:
        """Raise InputError where the values together have no meaning."""
        if self.crop % 8:
            raise InputError("crop must be a multiple of 8, the longest period of a grid")
        if self.crop % (1 << self.depth) or self.crop < 2 << self.depth:  # two pixels are left
            raise InputError(
                f"crop must be a multiple of {1 << self.depth} for this depth, and more than once"
            )
        if self.batch % 4:
            raise InputError("batch must be a multiple of 4: pairs of halves, each of both classes")
        if self.denoising.window > self.crop:
            raise InputError("denoising.window must not be above crop")
