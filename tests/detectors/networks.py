"""Tiny exported networks, made in the test that needs them: onnx and torch come with extras."""

from __future__ import annotations

import io
import json
import warnings
from pathlib import Path
from typing import Any, Sequence

import numpy as np
import numpy.typing as npt
import pytest

SIDE, DIMENSIONS = 16, 8
CARD: dict[str, Any] = {
    "memscan_card": 1,
    "kind": "encoder",
    "name": "a tiny network",
    "input": {"width": SIDE, "height": SIDE, "fit": "stretch", "channels": 3},
    "dimensions": DIMENSIONS,
    "cuts": {"duplicate": 0.99, "similar": 0.9},
}


def write_card(weights: Path, **changes: Any) -> str:
    """The card beside the weights, and the path of the weights."""
    weights.with_suffix(".json").write_text(json.dumps({**CARD, **changes}))
    return str(weights)


def numbers() -> npt.NDArray[np.float32]:
    """The weights of one layer: pooled pixels (3 x 4 x 4) to an embedding, signs of both kinds."""
    return np.random.default_rng(7).standard_normal((48, DIMENSIONS)).astype(np.float32)


def onnx_model(
    *,
    batch: int | str = "n",
    reshaped: Sequence[int] = (0, -1),
    channels: int = 3,
    output: Sequence[str] = ("embedding",),
    divided_by: float = 1.0,
) -> Any:
    """Average pooling by 4 and a matrix; every output but the first is the negative of it."""
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    helper, kinds = onnx.helper, onnx.TensorProto
    matrix = onnx.numpy_helper.from_array(numbers()[: channels * 16], "matrix")
    shape = onnx.numpy_helper.from_array(np.array(reshaped, np.int64), "shape")
    by = onnx.numpy_helper.from_array(np.float32(divided_by), "by")
    nodes = [
        helper.make_node(
            "AveragePool", ["images"], ["pooled"], kernel_shape=[4, 4], strides=[4, 4]
        ),
        helper.make_node("Reshape", ["pooled", "shape"], ["flat"]),
        helper.make_node("MatMul", ["flat", "matrix"], ["raw"]),
        helper.make_node("Div", ["raw", "by"], [output[0]]),
        *(helper.make_node("Neg", [output[0]], [name]) for name in output[1:]),
    ]
    images = helper.make_tensor_value_info("images", kinds.FLOAT, [batch, channels, SIDE, SIDE])
    outputs = [helper.make_tensor_value_info(name, kinds.FLOAT, None) for name in output]
    graph = helper.make_graph(nodes, "tiny", [images], outputs, [matrix, shape, by])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def write_onnx(path: Path, **how: Any) -> str:
    """An ONNX file with its card, and its path."""
    path.write_bytes(onnx_model(**how).SerializeToString())
    return write_card(path)


def script(ending: str = "return flat @ self.matrix") -> bytes:
    """The same network in TorchScript, ending in other code if asked to."""
    torch = pytest.importorskip("torch", reason="torch is not installed")
    source = (
        "def forward(self, images):\n"
        "    blocks = images.reshape(images.size(0), 3, 4, 4, 4, 4)\n"
        "    flat = torch.flatten(blocks.mean([3, 5]), 1)\n"
        f"    {ending}\n"
    )

    class Tiny(torch.jit.ScriptModule):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.matrix = torch.nn.Parameter(torch.from_numpy(numbers()), requires_grad=False)
            self.define(source)

    content = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit is said to be deprecated
        torch.jit.save(Tiny(), content)
    return content.getvalue()


def write_script(path: Path, ending: str = "return flat @ self.matrix", **card: Any) -> str:
    """A TorchScript file with its card, and its path."""
    path.write_bytes(script(ending))
    return write_card(path, **card)
