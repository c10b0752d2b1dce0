"""ONNX networks in onnxruntime. They are data: operators come from the runtime alone."""

from __future__ import annotations

from typing import Any, Mapping, Sequence, Tuple, Union

import numpy as np

from memscan.detectors import onnx_files
from memscan.detectors.cards import Card
from memscan.detectors.extras import require
from memscan.detectors.protocol import Pixels
from memscan.detectors.runtimes import Outputs, brief, chosen_output
from memscan.errors import InputError

_Provider = Union[str, Tuple[str, Mapping[str, str]]]

_PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "mps": "CoreMLExecutionProvider",
}
_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
_MOST_BATCH = 64  # images: a number from a stranger that memory is taken for
_SILENT = 4  # of onnxruntime's severities: what matters comes as an exception


class OnnxNetwork:
    """Implements :class:`memscan.detectors.runtimes.Network`."""

    def __init__(self, path: str, content: bytes, card: Card, device: str) -> None:
        require("onnxruntime", "learned")
        import onnxruntime

        onnx_files.require_own_tensors(path, content)
        providers = _providers(onnxruntime.get_available_providers(), device)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = _SILENT
        # Threads that wait for work by spinning take the cores from those that decode images.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(content, options, providers=providers)
        except Exception as error:  # the runtime's own have no class in common
            raise InputError(f"{path}: onnxruntime cannot load it: {brief(error)}") from error
        if device.startswith("cuda") and _PROVIDERS["cuda"] not in self._session.get_providers():
            raise InputError(f"{device}: onnxruntime finds no CUDA libraries that it can use")
        self._path = path
        self._input, self._type, self.batch = _input(path, self._session.get_inputs(), card)
        names = [output.name for output in self._session.get_outputs()]
        self._output = chosen_output(path, names, card)

    def run(self, images: Pixels) -> Outputs:
        """As in :class:`memscan.detectors.runtimes.Network`."""
        try:
            (found,) = self._session.run([self._output], {self._input: images.astype(self._type)})
        except Exception as error:
            raise InputError(f"{self._path}: the network fails: {brief(error)}") from error
        return np.asarray(found, np.float32)


def _input(path: str, inputs: Sequence[Any], card: Card) -> tuple[str, Any, int | None]:
    """The name and the type of the input, and how many images it takes (None for any number)."""
    if len(inputs) != 1:
        names = ", ".join(one.name for one in inputs)
        raise InputError(f"{path}: takes {len(inputs)} inputs ({names}), not images alone")
    (taken,) = inputs
    wanted = (card.input.channels, card.input.height, card.input.width)
    sides = tuple(taken.shape)
    if len(sides) != 4 or any(
        isinstance(side, int) and side != own for side, own in zip(sides[1:], wanted)
    ):
        raise InputError(
            f"{path}: takes {_shape(sides)}, but its card says (n, channels, height, width) = "
            f"{_shape(('n', *wanted))}"
        )
    if taken.type not in _TYPES:
        raise InputError(f"{path}: takes {taken.type}, and not images of float numbers")
    batch = sides[0] if isinstance(sides[0], int) and sides[0] > 0 else None
    if batch is not None and batch > _MOST_BATCH:
        raise InputError(f"{path}: takes {batch} images at a time, more than {_MOST_BATCH}")
    return taken.name, _TYPES[taken.type], batch


def _shape(sides: Sequence[object]) -> str:
    return f"({', '.join('?' if side is None else str(side) for side in sides)})"


def _providers(available: Sequence[str], device: str) -> list[_Provider]:
    """What runs the network, best first. Raises InputError for what is not there."""
    if device == "auto":
        device = "cuda" if _PROVIDERS["cuda"] in available else "cpu"
    kind, _, number = device.partition(":")
    if kind not in _PROVIDERS or (number and (kind != "cuda" or not number.isdecimal())):
        raise InputError(f"{device}: no such device; there are auto, cpu, cuda, mps and cuda:N")
    if _PROVIDERS[kind] not in available:
        raise InputError(
            f"{device}: this onnxruntime runs on the CPU alone; onnxruntime-gpu has CUDA"
        )
    if kind == "cuda":
        exact = {"device_id": number or "0", "use_tf32": "0"}  # as devices.choose has it for torch
        return [(_PROVIDERS[kind], exact), _PROVIDERS["cpu"]]
    return [_PROVIDERS[kind]] if kind == "cpu" else [_PROVIDERS[kind], _PROVIDERS["cpu"]]
