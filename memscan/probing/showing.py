"""What is shown of the most suspicious targets: pictures, and the weight of a caption's parts."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Collection, Mapping, Sequence

from memscan import decode, opening
from memscan.errors import ImageError
from memscan.probes import Measured, Pictures, ProbeOptions, Tokens
from memscan.probing.reading import in_colour
from memscan.records import Progress

if TYPE_CHECKING:
    from memscan.detectors.diffusion.denoiser import Denoiser


def most_suspicious(targets: Mapping[str, Measured], count: int) -> list[str]:
    """The paths of the targets with the highest scores, these first; of equal ones, bytewise."""
    order = sorted(targets, key=lambda path: (-targets[path].score, os.fsencode(path)))
    return order[:count]


def pictures(
    denoiser: Denoiser,
    paths: Sequence[str],
    options: ProbeOptions,
    max_pixels: int = decode.MAX_PIXELS,
    remote_places: Collection[str] = (),
    progress: Progress | None = None,
) -> tuple[dict[str, Pictures], list[str]]:
    """The pictures of images, read again one by one, and warnings for those that cannot be."""
    from memscan.detectors.diffusion import methods

    found: dict[str, Pictures] = {}
    warnings = []
    for done, path in enumerate(paths, 1):
        try:
            again = opening.open_any(path, max_pixels, colour=True, remote_places=remote_places)
            found[path] = methods.pictures(denoiser, in_colour(again.image), options)
        except ImageError as error:
            warnings.append(f"{path}: was read before, and now not, so it has no pictures: {error}")
        if progress is not None:
            progress("pictures", done, len(paths))
    return found, warnings


def tokens(
    denoiser: Denoiser,
    captions: Mapping[str, str],
    options: ProbeOptions,
    batch: int,
    progress: Progress | None = None,
) -> dict[str, Tokens]:
    """For each path, the parts of its caption and what they weigh."""
    from memscan.detectors.diffusion import methods

    weighed: dict[str, Tokens] = {}
    different = list(dict.fromkeys(captions.values()))
    for done, caption in enumerate(different, 1):
        weighed[caption] = methods.significance(denoiser, caption, options, batch)
        if progress is not None:
            progress("tokens", done, len(different))
    return {path: weighed[caption] for path, caption in captions.items()}
