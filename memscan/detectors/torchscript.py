"""TorchScript networks. They are programs: who runs one trusts it as much as any other."""

from __future__ import annotations

import io
import warnings

import torch

from memscan.detectors import devices
from memscan.detectors.cards import Card
from memscan.detectors.protocol import Pixels
from memscan.detectors.runtimes import Outputs, brief, chosen_output
from memscan.errors import InputError


class ScriptNetwork:
    """Implements :class:`memscan.detectors.runtimes.Network`.

    Outputs are a tensor, or several in a dictionary by their names, in a tuple or a list by their
    places from 0.
    """

    batch: int | None = None

    def __init__(self, path: str, content: bytes, card: Card, device: str) -> None:
        self._path, self._card = path, card
        self._device = devices.choose(device)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # torch.jit is said to be deprecated
                module = torch.jit.load(  # type: ignore[no-untyped-call]
                    io.BytesIO(content), map_location=self._device
                )
        except Exception as error:  # what a damaged archive leads to is not documented
            raise InputError(f"{path}: torch cannot load it: {brief(error)}") from error
        self._module = module.eval()

    def run(self, images: Pixels) -> Outputs:
        """As in :class:`memscan.detectors.runtimes.Network`."""
        try:
            with torch.inference_mode():
                found = self._module(torch.from_numpy(images).to(self._device))
        except Exception as error:  # it is a program, and may raise what it likes
            raise InputError(f"{self._path}: the network fails: {brief(error)}") from error
        output = self._chosen(found)
        if not isinstance(output, torch.Tensor):
            raise InputError(f"{self._path}: gives no tensor, but {type(output).__name__}")
        numbers: Outputs = output.float().cpu().numpy()
        return numbers

    def _chosen(self, found: object) -> object:
        if isinstance(found, dict) and found:
            return found[chosen_output(self._path, [str(name) for name in found], self._card)]
        if isinstance(found, (tuple, list)) and found:
            numbered = [str(number) for number in range(len(found))]
            return found[int(chosen_output(self._path, numbered, self._card))]
        return found
