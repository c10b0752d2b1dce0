"""The U-Net that draws a fingerprint from fixed noise.

Encoder and decoder with skip connections at every level (Ronneberger et al., 2015); convolution has
the habit of generators of images, so that it draws their traces sooner than anything else (a deep
image prior, Ulyanov et al., 2018).
"""

from __future__ import annotations

import torch
from torch import nn


class UNet(nn.Module):
    """From (n, channels, side, side) to (n, 3, side, side), from -1 to 1.

    ``depth`` is how often the resolution is halved, which must divide the side as often; ``base``
    the width of the first level, doubled at each of the others.
    """

    def __init__(self, channels: int = 16, depth: int = 4, base: int = 32) -> None:
        super().__init__()
        widths = [base << level for level in range(depth)]
        self.down = nn.ModuleList(
            _block(before, width) for before, width in zip([channels, *widths], widths)
        )
        self.pool = nn.MaxPool2d(2)
        self.middle = _block(widths[-1], widths[-1])
        deeper = [*widths[1:], widths[-1]]
        self.enlarge = nn.ModuleList(map(_enlarging, deeper, widths))
        self.up = nn.ModuleList(_block(2 * width, width) for width in widths)
        self.out = nn.Conv2d(base, 3, 1)

    def forward(self, noise: torch.Tensor) -> torch.Tensor:
        """What is drawn of ``noise``. Batch normalisation takes the statistics of this batch."""
        found = noise
        skipped: list[torch.Tensor] = []
        for block in self.down:
            found = block(found)
            skipped.append(found)
            found = self.pool(found)
        found = self.middle(found)
        for level in reversed(range(len(skipped))):
            found = self.enlarge[level](found)
            found = self.up[level](torch.cat([found, skipped[level]], 1))
        drawn: torch.Tensor = torch.tanh(self.out(found))
        return drawn


def _block(before: int, width: int) -> nn.Sequential:
    """Two convolutions, each with batch normalisation and a leaky ReLU."""
    parts: list[nn.Module] = []
    for channels in (before, width):
        parts += [
            nn.Conv2d(channels, width, 3, padding=1),
            nn.BatchNorm2d(width),
            nn.LeakyReLU(0.01, inplace=True),
        ]
    return nn.Sequential(*parts)


def _enlarging(before: int, width: int) -> nn.Sequential:
    return nn.Sequential(nn.ConvTranspose2d(before, width, 2, stride=2), nn.BatchNorm2d(width))
