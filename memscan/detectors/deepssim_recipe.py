"""How a DeepSSIM network is trained: everything that its JSON configuration may say."""

from __future__ import annotations

from dataclasses import dataclass, field

from memscan.detectors.configuration import choice, minutes, number, path, whole


@dataclass(frozen=True)
class Alterations:
    """The shares of pairs in which the second image was altered so; an image may suffer several.

    ``noise``, ``blur``, ``blend`` (with another photograph) and ``patch`` (a part of another one
    put over it) have any strength; ``shift`` moves the window, so that the images overlap in part;
    ``other`` is another photograph altogether.
    """

    noise: float = number(0.3, 0, 1)
    blur: float = number(0.3, 0, 1)
    blend: float = number(0.3, 0, 1)
    patch: float = number(0.3, 0, 1)
    shift: float = number(0.0, 0, 1)
    other: float = number(0.1, 0, 1)


@dataclass(frozen=True)
class Augmentations:
    """What is done to images after their SSIM was taken, which the network learns to look through.

    ``flip`` is the share flipped along each axis. An affine map turns by up to ``turn_degrees``
    and moves by up to ``move`` of the side; ``zoom`` enlarges by ``zoom_least`` to ``zoom_most``.
    The ``bias`` field is a polynomial of degree 3 with coefficients up to ``bias_most`` in its
    exponent, ``gamma`` a power from ``gamma_least`` to ``gamma_most``, ``smooth`` a Gaussian of
    ``smooth_least`` to ``smooth_most`` pixels.
    """

    flip: float = number(0.5, 0, 1)
    affine: float = number(0.9, 0, 1)
    turn_degrees: float = number(10.0, 0, 180)
    move: float = number(0.04, 0, 0.5)
    zoom: float = number(0.5, 0, 1)
    zoom_least: float = number(0.9, 0.5, 2)
    zoom_most: float = number(1.05, 0.5, 2)
    bias: float = number(0.25, 0, 1)
    bias_most: float = number(0.1, 0, 1)
    gamma: float = number(0.25, 0, 1)
    gamma_least: float = number(0.5, 0.1, 10)
    gamma_most: float = number(1.5, 0.1, 10)
    smooth: float = number(0.25, 0, 1)
    smooth_least: float = number(0.25, 0, 10)
    smooth_most: float = number(0.5, 0, 10)

    def __post_init__(self) -> None:
        for name in ("zoom", "gamma", "smooth"):
            least, most = (getattr(self, f"{name}_{end}") for end in ("least", "most"))
            if least > most:
                raise ValueError(
                    f"{name}_least must not be above {name}_most, {least:g} is above {most:g}"
                )


@dataclass(frozen=True)
class Recipe:
    """The network, the pairs, and the schedule.

    ``side`` is that of the input in pixels. ``label`` is the SSIM that is learned: of images that
    were brought to the same mean and contrast, or as DeepSSIM published it. Each photograph gives
    ``tiles`` parts that pairs are made from, itself first (fewer where memory does not allow them).
    ``validation`` is the share of photographs kept for validation, and ``validation_pairs`` the
    number of pairs made of them. ``init`` is a safetensors file with published ConvNeXt weights;
    then the stem and ``frozen`` stages stay as they are. An epoch has ``steps`` batches of
    ``batch`` images, in groups of ``group`` that all pairs are made of; ``spread`` is the weight of
    pairs of different photographs. The rate of each stage is that of the next one times
    ``layer_decay``.
    """

    backbone: str = choice("convnext-small-cpu", "convnext-tiny", "convnext-base")
    side: int = whole(32, 32, 1024)
    norm: str = choice("batch", "layer")
    hidden: int = whole(512, 1, 8192)
    dimensions: int = whole(256, 1, 8192)
    dropout: float = number(0.0, 0, 0.9)
    label: str = choice("matched", "published")
    init: str | None = path()
    frozen: int = whole(0, 0, 4)
    tiles: int = whole(64, 1, 1000)
    validation: float = number(0.15, 0.01, 0.9)
    validation_pairs: int = whole(512, 16, 100_000)
    epochs: int = whole(48, 1, 100_000)
    steps: int = whole(200, 1, 10_000_000)
    batch: int = whole(128, 2, 65_536)
    group: int = whole(4, 2, 64)
    spread: float = number(0.5, 0, 100)
    rate: float = number(3e-3, 1e-8, 1)
    layer_decay: float = number(1.0, 1e-3, 1)
    weight_decay: float = number(1e-3, 0, 1)
    shape: str = choice("cosine", "constant")
    warmup: float = number(0.05, 0, 0.9)
    patience: int = whole(12, 1, 100_000)
    minutes: float | None = minutes()
    seed: int = whole(42, 0, 1 << 31)
    alterations: Alterations = field(default_factory=Alterations)
    augmentations: Augmentations = field(default_factory=Augmentations)

    def __post_init__(self) -> None:
        if self.batch % self.group or self.batch < 2 * self.group:
            raise ValueError("batch must be a multiple of group, and twice as large or more")

    @property
    def pairs_in_a_batch(self) -> int:
        """How many pairs with an SSIM of their own a batch holds."""
        return self.batch // self.group * self.group * (self.group - 1) // 2
