"""Where two images agree in the eyes of a detector."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, cast

from memscan.detectors.occlusion import Heat, occlusion
from memscan.detectors.protocol import Detector, Pixels

if TYPE_CHECKING:
    import torch

    from memscan.detectors.layer_cam import Staged

LAYER_CAM, OCCLUSION = "LayerCAM", "occlusion"

_WITH_MAPS = ("deepssim",)  # kinds whose score is the cosine of what stages of maps are made into


def method(detector: Detector) -> str:
    """How the heat maps of a detector are made: by gradients where its feature maps are known."""
    return LAYER_CAM if detector.card.kind in _WITH_MAPS else OCCLUSION


def heat_maps(detector: Detector, target: Pixels, source: Pixels) -> tuple[Heat, Heat]:
    """How much each pixel of a target and of a source has to do with their score, from 0 to 1.

    Both images are as :meth:`Detector.prepare` makes them; heat has their height and width.
    """
    if method(detector) == OCCLUSION:
        return occlusion(detector, target, source)
    from memscan.detectors.layer_cam import layer_cam  # torch

    one = cast(_WithMaps, detector)
    return layer_cam(one.network, target, source, one.device)


class _WithMaps(Protocol):
    @property
    def network(self) -> Staged: ...

    @property
    def device(self) -> torch.device: ...
