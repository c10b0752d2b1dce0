"""ConvNeXt (Liu et al., A ConvNet for the 2020s, 2022) in plain torch.

Parameters have the names of the published weights, so that these can be loaded; none are shipped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping, Sequence

import torch
from torch import nn
from torch.nn import functional


@dataclass(frozen=True)
class Size:
    """Blocks and channels of the four stages, and the side in pixels of a patch of the stem."""

    depths: tuple[int, int, int, int]
    widths: tuple[int, int, int, int]
    patch: int = 4


SIZES: Mapping[str, Size] = {
    "convnext-base": Size((3, 3, 27, 3), (128, 256, 512, 1024)),
    "convnext-tiny": Size((3, 3, 9, 3), (96, 192, 384, 768)),
    "convnext-small-cpu": Size((1, 1, 2, 1), (24, 48, 96, 160)),
}
"""Base and Tiny as published, and one that a CPU trains in minutes."""


class ChannelNorm(nn.Module):
    """LayerNorm over the channels of each position of (n, channels, height, width)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """As :class:`torch.nn.LayerNorm`, with epsilon 1e-6."""
        x = x.permute(0, 2, 3, 1)
        x = functional.layer_norm(x, x.shape[-1:], self.weight, self.bias, 1e-6)
        return x.permute(0, 3, 1, 2)


class Block(nn.Module):
    """Depthwise 7 x 7, LayerNorm, and two layers with GELU between, scaled, beside the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.dwconv = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.pwconv1 = nn.Linear(channels, 4 * channels)
        self.pwconv2 = nn.Linear(4 * channels, channels)
        self.gamma = nn.Parameter(torch.full((channels,), 1e-6))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Same shape as the input."""
        inner = self.norm(self.dwconv(x).permute(0, 2, 3, 1))
        inner = self.gamma * self.pwconv2(functional.gelu(self.pwconv1(inner)))
        added: torch.Tensor = x + inner.permute(0, 3, 1, 2)
        return added


class ConvNeXt(nn.Module):
    """Images of shape (n, channels, height, width) to the feature maps of the four stages."""

    def __init__(self, size: Size, channels: int = 3, scale: float = 1e-6) -> None:
        super().__init__()
        widths = size.widths
        stem = nn.Sequential(
            nn.Conv2d(channels, widths[0], size.patch, stride=size.patch), ChannelNorm(widths[0])
        )
        steps = [
            nn.Sequential(ChannelNorm(before), nn.Conv2d(before, after, 2, stride=2))
            for before, after in zip(widths, widths[1:])
        ]
        self.widths = widths
        self.downsample_layers = nn.ModuleList([stem, *steps])
        self.stages = nn.ModuleList(
            nn.Sequential(*(Block(width) for _ in range(depth)))
            for width, depth in zip(widths, size.depths)
        )
        self._initialise(scale)

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        """The feature maps, the finest first."""
        maps = []
        for reduce, stage in zip(self.downsample_layers, self.stages):
            x = stage(reduce(x))
            maps.append(x)
        return maps

    def freeze(self, stages: int) -> None:
        """Keep the stem and so many stages, with the reductions before them, as they are."""
        frozen: Sequence[nn.Module] = [
            *self.downsample_layers[: max(1, stages)],
            *self.stages[:stages],
        ]
        for module in frozen:
            module.requires_grad_(False)

    def _initialise(self, scale: float) -> None:
        """As published; a network that is not pretrained learns faster from a larger ``scale``."""
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, Block):
                nn.init.constant_(module.gamma, scale)
