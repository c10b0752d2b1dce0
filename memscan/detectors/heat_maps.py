"""Where two images agree in the eyes of a detector, by one of three methods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, cast

from memscan.detectors.occlusion import Heat, occlusion
from memscan.detectors.protocol import Detector, Pixels
from memscan.errors import InputError

if TYPE_CHECKING:
    import torch

    from memscan.detectors.layer_cam import Staged

AGREEMENT, LAYER_CAM, OCCLUSION = "agreement", "layercam", "occlusion"
"""Alike features, by :mod:`memscan.detectors.agreement`; and the parts that the score depends on,
by :mod:`memscan.detectors.layer_cam` and :mod:`memscan.detectors.occlusion`. The first two need a
network whose feature maps are known."""

_WITH_MAPS = ("deepssim",)  # kinds whose score is the cosine of what stages of maps are made into


def choose(detector: Detector, method: str | None = None) -> str:
    """The method of this name, or the best that there is for a detector. Raises InputError."""
    has_maps = detector.card.kind in _WITH_MAPS
    if method is None:
        return AGREEMENT if has_maps else OCCLUSION
    if method != OCCLUSION and not has_maps:
        raise InputError(
            f"heat maps by {method} need feature maps, which only {', '.join(_WITH_MAPS)} gives; "
            f"{OCCLUSION} works with all detectors"
        )
    return method


def heat_maps(detector: Detector, target: Pixels, source: Pixels, method: str) -> tuple[Heat, Heat]:
    """How much each pixel of a target and of a source agrees with the other image, from 0 to 1.

    Both images are as :meth:`Detector.prepare` makes them; heat has their height and width. The
    method is one that :func:`choose` gave.
    """
    if method == OCCLUSION:
        return occlusion(detector, target, source)
    one = cast(_WithMaps, detector)
    if method == LAYER_CAM:
        from memscan.detectors.layer_cam import layer_cam  # torch

        return layer_cam(one.network, target, source, one.device)
    from memscan.detectors.agreement import agreement

    return agreement(one.network, target, source, one.device)


class _WithMaps(Protocol):
    @property
    def network(self) -> Staged: ...

    @property
    def device(self) -> torch.device: ...
