"""The blank image: a network that is to draw one even grey still leaves its grid in it.

The experiment by which DIF explains fingerprints: a U-Net learns to give a constant image from
noise. What is left of the error is the network's own, and has peaks in its Fourier transform.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from memscan.detectors import devices
from memscan.detectors.dif.unet import UNet
from memscan.errors import InputError
from memscan.records import Progress

GREY = 0.5
"""What is to be drawn everywhere, where 1 is white and -1 black."""

RATE = 5e-5
DEPTH = 4
LEAST_SIDE = 2 << DEPTH
"""A single value is left of a smaller one half-way, whose statistics normalisation cannot take."""

CHANNELS, AMPLITUDE, SHAKE = 16, 0.1, 0.03
"""Of the noise that the network draws from: channels, range, and what each step adds to it."""


@dataclass(frozen=True)
class Blank:
    """What the network drew in the end.

    ``pixels`` is float32 of shape (side, side, 3) from -1 to 1, ``error`` its mean squared error.
    """

    pixels: npt.NDArray[np.float32]
    error: float


def check(side: int) -> None:
    """Raise InputError for a side that the network cannot halve as often as it does."""
    if side % (1 << DEPTH) or side < LEAST_SIDE:
        raise InputError(f"--side must be a multiple of {1 << DEPTH}, and at least {LEAST_SIDE}")


def draw(
    side: int = 128,
    steps: int = 1000,
    seed: int = 0,
    *,
    device: str = "auto",
    progress: Progress | None = None,
) -> Blank:
    """Train a U-Net for some steps to draw a grey square; AdamW, as published.

    Raises InputError for a side that is not to be halved, see :func:`check`.
    """
    check(side)
    where = devices.choose(device)
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):  # weights are drawn on the CPU
        torch.manual_seed(seed)
        network = UNet(CHANNELS, DEPTH).to(where)
    shape = (1, CHANNELS, side, side)
    noise = AMPLITUDE * torch.rand(shape, generator=generator)
    optimiser = torch.optim.AdamW(network.parameters(), lr=RATE)
    for step in range(steps):
        shaken = noise + SHAKE * torch.randn(shape, generator=generator)
        drawn = network(shaken.to(where))
        loss = ((drawn - GREY) ** 2).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if progress is not None:
            progress("training", step + 1, steps)
    last = drawn.detach()[0].permute(1, 2, 0).float().cpu().numpy()
    return Blank(np.ascontiguousarray(last), float(loss.detach()))
