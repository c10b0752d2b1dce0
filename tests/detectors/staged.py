"""A network with feature maps, as DeepSSIM is one, but smaller and not trained."""

from __future__ import annotations

from typing import Sequence

import torch

from memscan.detectors.backbones import ConvNeXt, Size


class Staged(torch.nn.Module):
    """ConvNeXt of four stages, and a layer on the mean of each stage's maps."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.backbone = ConvNeXt(Size((1, 1, 1, 1), (24, 24, 24, 24)), 1, 1.0)
        self.layer = torch.nn.Linear(96, 8)
        self.requires_grad_(False).eval()

    def maps(self, x: torch.Tensor) -> list[torch.Tensor]:
        found: list[torch.Tensor] = self.backbone(x)
        return found

    def head(self, maps: Sequence[torch.Tensor]) -> torch.Tensor:
        pooled = torch.cat([stage.mean((2, 3)) for stage in maps], 1)
        found: torch.Tensor = self.layer(pooled)
        return found
