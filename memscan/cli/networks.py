"""The learned detector that the options of a command ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Sequence

from memscan.errors import InputError

if TYPE_CHECKING:
    from memscan.indexing.network import WeightsFile
    from memscan.learned import LearnedEncoder


def encoder(
    detector: str, weights: Sequence[str], device: str = "auto", trust: bool = False
) -> LearnedEncoder:
    """The detector of a kind, opened as an encoder of images. Raises InputError."""
    return weights_file(detector, weights, device, trust).open()


def weights_file(
    detector: str, weights: Sequence[str], device: str = "auto", trust: bool = False
) -> WeightsFile:
    """The one of some files of weights whose card is of the kind of ``detector``.

    Raises InputError unless there is exactly one.
    """
    from memscan.detectors import cards
    from memscan.indexing.network import WeightsFile

    if not weights:
        raise InputError(f"--detector {detector} needs its weights: --weights FILE")
    kinds = {path: cards.read(path).kind for path in weights}
    fitting = [path for path, kind in kinds.items() if kind == detector]
    if not fitting:
        path, kind = next(iter(kinds.items()))
        raise InputError(f"{path}: its card says that it is of the kind {kind}, not {detector}")
    if len(fitting) > 1:
        raise InputError(f"{fitting[1]}: of the kind {detector} as {fitting[0]} is; name one")
    return WeightsFile(fitting[0], device, trust)
