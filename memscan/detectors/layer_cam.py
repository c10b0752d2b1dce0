"""Where two images agree, asked of a network with feature maps, by LayerCAM.

Jiang, Zhang, Hou, Cheng and Wei (LayerCAM: Exploring Hierarchical Class Activation Maps for
Localization, 2021), with the cosine of the two embeddings in the place of the score of a class, as
in DeepSSIM; but for both images, and not for one of them.
"""

from __future__ import annotations

from typing import Protocol, Sequence

import torch
from torch.nn import functional

from memscan.detectors.occlusion import Heat, scaled
from memscan.detectors.protocol import Pixels


class Staged(Protocol):
    """A network whose embeddings are made from the feature maps of several stages."""

    def maps(self, x: torch.Tensor) -> list[torch.Tensor]:
        """The feature maps (n, channels, height, width) of images, by stage."""

    def head(self, maps: Sequence[torch.Tensor]) -> torch.Tensor:
        """The embeddings that belong to feature maps."""


def layer_cam(
    network: Staged, target: Pixels, source: Pixels, device: torch.device
) -> tuple[Heat, Heat]:
    """The heat of a target and of a source, both of shape (channels, height, width).

    Of each stage, features count by how much more of them raises the cosine, where they are; each
    stage is scaled to 0 to 1, and the mean of all is taken.
    """
    pixels = torch.stack([torch.from_numpy(target), torch.from_numpy(source)]).to(device)
    with torch.enable_grad():
        maps = network.maps(pixels.requires_grad_())
        one, other = network.head(maps).float()
        cosine = functional.cosine_similarity(one, other, dim=0)
        slopes = torch.autograd.grad(cosine, maps)
    heat = torch.zeros(2, 1, *pixels.shape[-2:], device=device)
    for stage, slope in zip(maps, slopes):
        raised = (slope.relu() * stage).sum(1, keepdim=True).relu().detach().float()
        least, most = raised.amin((2, 3), keepdim=True), raised.amax((2, 3), keepdim=True)
        scale = (raised - least) / (most - least).clamp(min=torch.finfo(torch.float32).tiny)
        heat += functional.interpolate(scale, pixels.shape[-2:], mode="bilinear")
    target_heat, source_heat = heat[:, 0].cpu().numpy()
    return scaled(target_heat), scaled(source_heat)
