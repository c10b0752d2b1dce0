"""Where two images agree, asked of a network with feature maps: where their features are alike.

At each place of the maps of each stage, the features of one image are compared with those of the
other about the same place, by the correlation over the channels; the mean of all stages is taken.
The source is mirrored if the images agree better so, since copies are: if the finest features of
some part do, for the rest may be of another image.
"""

from __future__ import annotations

import math

import torch
from torch.nn import functional

from memscan.detectors.layer_cam import Staged
from memscan.detectors.occlusion import Heat
from memscan.detectors.protocol import Pixels

REACH = 0.12
"""How far apart two places that are compared may lie, as a share of each side."""

_MOST_PLACES = 32  # a side: finer maps are reduced, or there would be too many pairs of places
_FLIPS = ((), (-1,), (-2,), (-1, -2))  # axes that are turned round
_PART = 0.1  # of an image, that by which mirrored ones are told
_MARGIN = 1.03  # by how much a mirrored source must agree better to be taken for one
_LEAST_DEVIATION = 1e-6


def agreement(
    network: Staged, target: Pixels, source: Pixels, device: torch.device
) -> tuple[Heat, Heat]:
    """The heat of a target and of a source, both of shape (channels, height, width).

    It is not scaled: 1 where features are the same, 0 where they have nothing in common.
    """
    pixels = torch.from_numpy(source).to(device)
    flipped = [pixels.flip(axes) for axes in _FLIPS]
    with torch.inference_mode():
        stages = network.maps(torch.stack([torch.from_numpy(target).to(device), *flipped]))
        parts = [_hottest(_heat(stages[0][[0, 1 + flip]])) for flip in range(len(_FLIPS))]
        parts[0] *= _MARGIN
        best = parts.index(max(parts))
        pair = [stage[[0, 1 + best]] for stage in stages]
        target_heat, source_heat = _mean_heat(pair, pixels.shape[-2:])
        return target_heat.cpu().numpy(), source_heat.flip(_FLIPS[best]).cpu().numpy()


def _mean_heat(stages: list[torch.Tensor], size: torch.Size) -> torch.Tensor:
    """The heat (2, height, width) of two images by their maps (2, channels, height, width)."""
    heats = [
        functional.interpolate(_heat(stage)[:, None], size, mode="bilinear") for stage in stages
    ]
    return torch.stack(heats).mean(0)[:, 0]


def _heat(maps: torch.Tensor) -> torch.Tensor:
    """How alike the features of each image are to the most alike ones nearby in the other."""
    height, width = (min(_MOST_PLACES, side) for side in maps.shape[-2:])
    maps = functional.adaptive_avg_pool2d(maps.float(), (height, width))
    axes = (0, 2, 3)
    centred = maps - maps.mean(axes, keepdim=True)
    deviation = centred.square().mean(axes, keepdim=True).sqrt()
    features = functional.normalize((centred / (deviation + _LEAST_DEVIATION)).flatten(2), dim=1)
    alike = features[0].T @ features[1]
    alike = alike.masked_fill(~_near(height, width).to(maps.device), -1)
    most = torch.stack([alike.amax(1), alike.amax(0)])
    return most.clamp(0, 1).reshape(2, height, width)


def _hottest(heat: torch.Tensor) -> float:
    """The mean of the hottest part."""
    places = heat.flatten()
    return float(places.topk(math.ceil(_PART * len(places))).values.mean())


def _near(height: int, width: int) -> torch.Tensor:
    """Which pairs of places are compared, of shape (height * width, height * width)."""
    down, right = torch.arange(height) / height, torch.arange(width) / width
    near_rows = (down[:, None] - down).abs() <= REACH
    near_columns = (right[:, None] - right).abs() <= REACH
    pairs = near_rows[:, None, :, None] & near_columns[None, :, None, :]
    return pairs.reshape(height * width, height * width)
