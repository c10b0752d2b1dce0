"""The learned detector that the options of a command ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Sequence

from memscan.errors import InputError

if TYPE_CHECKING:
    from memscan.learned import LearnedEncoder


def encoder(
    detector: str, weights: Sequence[str], device: str = "auto", trust: bool = False
) -> LearnedEncoder:
    """The detector of a kind, opened as an encoder of images. Raises InputError."""
    from memscan.detectors.opening import open_detector  # numpy, not for --help
    from memscan.learned import LearnedEncoder

    if len(weights) != 1:
        raise InputError(f"--detector {detector} needs its weights: --weights FILE")
    opened = open_detector(weights[0], device=device, trust=trust)
    if opened.card.kind != detector:
        raise InputError(f"{weights[0]}: its card says {opened.card.kind}, and not {detector}")
    return LearnedEncoder(opened)
