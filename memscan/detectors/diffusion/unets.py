"""UNet2DConditionModel of diffusers, as Stable Diffusion has it: built, and read from a directory.

Weights are not read by diffusers, which would draw at random whatever a file lacks.
"""

from __future__ import annotations

import inspect
import os
from typing import Any, Dict, Mapping

import torch

from memscan.detectors.diffusion import parts, states
from memscan.detectors.extras import require
from memscan.errors import InputError

STEM = "diffusion_pytorch_model"

Config = Dict[str, Any]

_DOWN_BLOCKS = ("CrossAttnDownBlock2D", "DownBlock2D")
_UP_BLOCKS = ("CrossAttnUpBlock2D", "UpBlock2D")
_ACTIVATIONS = ("silu", "swish", "mish", "gelu", "relu")
_MOST_LEVELS = 8


def load(folder: str) -> tuple[Any, str]:
    """The U-Net of a directory ``unet``, frozen, in float32, and the SHA-256 of its weights.

    Raises InputError for any other network, one with parts that Stable Diffusion has not, and
    weights that do not fit.
    """
    path = os.path.join(folder, parts.CONFIG)
    document = parts.read_object(path)
    if document.get("_class_name") != "UNet2DConditionModel":
        raise InputError(f"{path}: not that of a UNet2DConditionModel")
    try:
        config = parse_config(document)
    except ValueError as error:
        raise InputError(f"{path}: {error}") from error
    weights, state, sha256 = states.read(folder, STEM)
    try:
        with torch.device("meta"):  # what a configuration claims costs no memory
            network = build(config)
        network.load_state_dict(state, assign=True)
    except (ValueError, RuntimeError, TypeError, ZeroDivisionError) as error:
        raise InputError(f"{weights}: the weights do not fit {parts.CONFIG}") from error
    return network.eval().requires_grad_(False), sha256


def build(config: Config) -> Any:
    """A new network with weights drawn by torch's seed."""
    require("diffusers", "diffusion")
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(**config)


def parse_config(document: Mapping[str, Any]) -> Config:
    """What a network is made of, each within bounds. Raises ValueError that names a field."""
    widths = document.get("block_out_channels", [320, 640, 1280, 1280])
    groups = parts.whole(document, "norm_num_groups", 32, 1, 256)
    if not isinstance(widths, list) or not 1 <= len(widths) <= _MOST_LEVELS:
        raise ValueError(f"block_out_channels must be a list of 1 to {_MOST_LEVELS} numbers")
    if any(type(width) is not int or not 1 <= width <= 4096 or width % groups for width in widths):
        raise ValueError("block_out_channels must be multiples of norm_num_groups up to 4096")
    channels = parts.whole(document, "in_channels", 4, 1, 64)
    if parts.whole(document, "out_channels", 4, 1, 64) != channels:
        raise ValueError("out_channels must be in_channels: this is no model of images alone")
    config: Config = {
        "sample_size": _sample_size(document.get("sample_size")),
        "in_channels": channels,
        "out_channels": channels,
        "block_out_channels": widths,
        "norm_num_groups": groups,
        "down_block_types": _blocks(
            document, "down_block_types", _DOWN_BLOCKS, [0, 0, 0, 1], len(widths)
        ),
        "up_block_types": _blocks(
            document, "up_block_types", _UP_BLOCKS, [1, 0, 0, 0], len(widths)
        ),
        "layers_per_block": parts.whole(document, "layers_per_block", 2, 1, 8),
        "cross_attention_dim": parts.whole(document, "cross_attention_dim", 1280, 1, 8192),
        "attention_head_dim": _heads(document.get("attention_head_dim", 8), widths),
        "transformer_layers_per_block": parts.whole(
            document, "transformer_layers_per_block", 1, 1, 16
        ),
        "act_fn": parts.word(document, "act_fn", "silu", _ACTIVATIONS),
        "norm_eps": parts.number(document, "norm_eps", 1e-5, 1e-12, 1),
        "freq_shift": parts.whole(document, "freq_shift", 0, 0, 1),
        "flip_sin_to_cos": parts.flag(document, "flip_sin_to_cos", True),
        "center_input_sample": parts.flag(document, "center_input_sample", False),
        "use_linear_projection": parts.flag(document, "use_linear_projection", False),
        "upcast_attention": parts.flag(document, "upcast_attention", False),
    }
    _require_usual({name: document[name] for name in document if name not in config})
    return config


def _sample_size(value: Any) -> list[int]:
    """Height and width of a latent."""
    sides = [value, value] if type(value) is int else value
    if not isinstance(sides, list) or len(sides) != 2:
        raise ValueError("sample_size must be a whole number, or two")
    if any(type(side) is not int or not 1 <= side <= 512 for side in sides):
        raise ValueError("sample_size must be from 1 to 512")
    return sides


def _blocks(
    document: Mapping[str, Any], name: str, known: tuple[str, ...], usual: list[int], levels: int
) -> list[str]:
    blocks = document.get(name, [known[place] for place in usual])
    if not isinstance(blocks, list) or len(blocks) != levels:
        raise ValueError(f"{name} must be as many as block_out_channels")
    if any(block not in known for block in blocks):
        raise ValueError(f"{name} must be of {', '.join(known)}")
    return blocks


def _heads(value: Any, widths: list[int]) -> int | list[int]:
    """The number of heads at each level, which diffusers calls by the name of their width."""
    heads = [value] * len(widths) if type(value) is int else value
    if not isinstance(heads, list) or len(heads) != len(widths):
        raise ValueError("attention_head_dim must be a whole number, or one for each level")
    if any(
        type(count) is not int or count < 1 or width % count for count, width in zip(heads, widths)
    ):
        raise ValueError("attention_head_dim must divide block_out_channels")
    return value if type(value) is int else heads


def _require_usual(fields: Mapping[str, Any]) -> None:
    """Raise ValueError for a field whose meaning is not known here, unless it changes nothing."""
    require("diffusers", "diffusion")
    from diffusers import UNet2DConditionModel

    usual = inspect.signature(UNet2DConditionModel.__init__).parameters
    for name, value in fields.items():
        default = usual[name].default if name in usual else None
        if not name.startswith("_") and name != "dropout" and value not in (default, None, False):
            raise ValueError(f"{name!r:.40} is not that of Stable Diffusion, the only one known")
