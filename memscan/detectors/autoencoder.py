"""AutoencoderKL of diffusers (extra ``diffusion``): read from a directory, built small, applied.

Only this module imports diffusers. Weights are safetensors: a directory that holds nothing but a
pickle (``.bin``) is refused, and nothing is ever fetched. They are not read by diffusers, which
would draw at random whatever a file lacks.
"""

from __future__ import annotations

import hashlib
import json
import os
from typing import Any, Dict, Mapping

import torch
from torch import nn

from memscan.detectors import weights
from memscan.detectors.diffusion import states
from memscan.detectors.extras import require
from memscan.detectors.weights import State
from memscan.errors import InputError

CONFIG, STEM = "config.json", "diffusion_pytorch_model"
WEIGHTS = f"{STEM}.safetensors"

_DOWN_BLOCKS = ("DownEncoderBlock2D", "AttnDownEncoderBlock2D")
_ACTIVATIONS = ("silu", "swish", "mish", "gelu", "relu")
_BOUNDS = {
    "in_channels": (1, 4),
    "latent_channels": (1, 64),
    "layers_per_block": (1, 8),
    "norm_num_groups": (1, 256),
    "sample_size": (8, 4096),
}
_DEFAULTS: Mapping[str, Any] = {
    "in_channels": 3,
    "down_block_types": ["DownEncoderBlock2D"],
    "block_out_channels": [64],
    "layers_per_block": 1,
    "act_fn": "silu",
    "latent_channels": 4,
    "norm_num_groups": 32,
    "sample_size": 32,
    "use_quant_conv": True,
    "mid_block_add_attention": True,
}
"""What an encoder depends on, with the values that diffusers takes where a file is silent."""

_SCALING_FACTOR = 0.18215  # what diffusers takes where a file is silent

_PARTS = ("encoder.", "quant_conv.")
_FORMER_NAMES = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}

Config = Dict[str, Any]


class Encoder(nn.Module):
    """The frozen half that turns pixels from 0 to 1 into latents.

    The latents are the mode of the posterior, so that they are the same each time, and are not
    scaled. Pixels are brought to -1 to 1, as diffusers wants them.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        whole = _new(config)
        self.config = config
        self.encoder: nn.Module = whole.encoder
        self.quant_conv: nn.Module | None = whole.quant_conv
        self.eval().requires_grad_(False)

    @property
    def channels(self) -> int:
        """The channels of a latent."""
        return int(self.config["latent_channels"])

    @property
    def reduction(self) -> int:
        """How many pixels a side become one position of a latent."""
        return 1 << (len(self.config["block_out_channels"]) - 1)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Latents (n, channels, height / reduction, width / reduction), as float32.

        Channels come last in memory, which is half as fast again on a CPU.
        """
        moments = self.encoder((2 * pixels - 1).to(memory_format=torch.channels_last))
        if self.quant_conv is not None:
            moments = self.quant_conv(moments)
        mode: torch.Tensor = moments[:, : self.channels].float()
        return mode

    def latents(self, pixels: torch.Tensor, device: torch.device) -> torch.Tensor:
        """The latents of pixels from 0 to 1, on the device that the encoder is on."""
        with torch.no_grad():
            latents: torch.Tensor = self(pixels.to(device))
            return latents

    def train(self, mode: bool = True) -> Encoder:
        """Stays in evaluation mode: it is frozen."""
        super().train(False)
        return self


def encoder_of(config: Config, state: State) -> Encoder:
    """An encoder with these weights. Raises ValueError or RuntimeError where they do not fit."""
    with torch.device("meta"):  # what a configuration claims costs no memory
        encoder = Encoder(config)
    encoder.load_state_dict(state, assign=True)
    return encoder.eval().requires_grad_(False)


def load(folder: str) -> tuple[Encoder, str]:
    """The encoder of a directory in the layout of diffusers, and the SHA-256 of its weights.

    Raises InputError for what is no such directory, and for weights in a pickle.
    """
    config = read_config(folder)
    path, state, sha256 = _read_state(folder)
    wanted = {name: one for name, one in state.items() if name.startswith(_PARTS)}
    try:
        return encoder_of(config, wanted), sha256
    except (ValueError, RuntimeError) as error:
        raise InputError(f"{path}: the weights do not fit {CONFIG}") from error


def load_whole(folder: str) -> tuple[Any, float, str]:
    """The AutoencoderKL of a directory, frozen, in float32, with both of its halves.

    Beside it the factor by which its latents are scaled for a diffusion model, and the SHA-256 of
    the weights. Raises InputError as :func:`load`, and for an autoencoder that shifts its latents
    or whose halves are not alike.
    """
    config, scale = read_config(folder), read_scaling_factor(folder)
    path, state, sha256 = _read_state(folder)
    try:
        with torch.device("meta"):  # what a configuration claims costs no memory
            model = _new(config)
        model.load_state_dict(state, assign=True)
    except (ValueError, RuntimeError) as error:
        raise InputError(f"{path}: the weights do not fit {CONFIG}") from error
    return model.eval().requires_grad_(False), scale, sha256


def read_scaling_factor(folder: str) -> float:
    """By what the latents of an autoencoder are multiplied for a diffusion model.

    Raises InputError where that is not all that is done to them.
    """
    document, path = _read_document(folder), os.path.join(folder, CONFIG)
    scale = document.get("scaling_factor", _SCALING_FACTOR)
    if type(scale) not in (int, float) or not 1e-6 <= scale <= 1e6:
        raise InputError(f"{path}: scaling_factor must be a number from 1e-6 to 1e6")
    levels = len(parse_config(_known(document))["block_out_channels"])
    usual = {
        "out_channels": document.get("in_channels", _DEFAULTS["in_channels"]),
        "up_block_types": ["UpDecoderBlock2D"] * levels,
        "use_post_quant_conv": True,
        "shift_factor": None,
        "latents_mean": None,
        "latents_std": None,
    }
    for name, wanted in usual.items():
        if document.get(name, wanted) != wanted:
            raise InputError(f"{path}: {name} is not {json.dumps(wanted)}, the only one known here")
    return float(scale)


def _read_state(folder: str) -> tuple[str, State, str]:
    """The file of the weights in a directory, its tensors by present names, and its SHA-256."""
    require("diffusers", "diffusion")
    path, state, sha256 = states.read(folder, STEM)
    return path, {_present_name(name): one for name, one in state.items()}, sha256


def read_config(folder: str) -> Config:
    """What the encoder in a directory is made of. Raises InputError."""
    try:
        return parse_config(_known(_read_document(folder)))
    except ValueError as error:
        raise InputError(f"{os.path.join(folder, CONFIG)}: {error}") from error


def _read_document(folder: str) -> Mapping[str, Any]:
    path = os.path.join(folder, CONFIG)
    try:
        with open(path, "rb") as file:
            document = json.loads(file.read(1 << 20).decode("utf-8"))
    except OSError as error:
        raise InputError(
            f"{folder}: no autoencoder of diffusers: {CONFIG} cannot be read: {error.strerror}"
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: is no JSON: {error}") from error
    if not isinstance(document, dict) or document.get("_class_name") != "AutoencoderKL":
        raise InputError(f"{path}: not that of an AutoencoderKL")
    return document


def _known(document: Mapping[str, Any]) -> Config:
    return {key: document[key] for key in _DEFAULTS if key in document}


def parse_config(fields: Mapping[str, Any]) -> Config:
    """What an encoder is made of, each within bounds. Raises ValueError that names a field."""
    unknown = set(fields) - set(_DEFAULTS)
    if unknown:
        raise ValueError(f"{min(unknown)!r:.40} is no field of an autoencoder")
    config = {**_DEFAULTS, **fields}
    for name, (least, most) in _BOUNDS.items():
        if type(config[name]) is not int or not least <= config[name] <= most:
            raise ValueError(f"{name} must be a whole number from {least} to {most}")
    for name in ("use_quant_conv", "mid_block_add_attention"):
        if type(config[name]) is not bool:
            raise ValueError(f"{name} must be true or false")
    if config["act_fn"] not in _ACTIVATIONS:
        raise ValueError(f"act_fn must be one of {', '.join(_ACTIVATIONS)}")
    widths, blocks = config["block_out_channels"], config["down_block_types"]
    if not isinstance(widths, (list, tuple)) or not 1 <= len(widths) <= 8:
        raise ValueError("block_out_channels must be a list of 1 to 8 numbers")
    groups = config["norm_num_groups"]
    if any(type(width) is not int or not 1 <= width <= 2048 or width % groups for width in widths):
        raise ValueError("block_out_channels must be multiples of norm_num_groups up to 2048")
    if not isinstance(blocks, (list, tuple)) or len(blocks) != len(widths):
        raise ValueError("down_block_types must be as many as block_out_channels")
    if any(block not in _DOWN_BLOCKS for block in blocks):
        raise ValueError(f"down_block_types must be of {', '.join(_DOWN_BLOCKS)}")
    return {**config, "block_out_channels": list(widths), "down_block_types": list(blocks)}


def build(config: Config) -> Any:
    """A new AutoencoderKL of diffusers, whole, with weights drawn by torch's seed."""
    require("diffusers", "diffusion")
    return _new(config)


def save(model: Any, folder: str) -> str:
    """Write an autoencoder as diffusers does, in safetensors; returns the SHA-256 of these."""
    try:
        model.save_pretrained(folder, safe_serialization=True)
        return hashlib.sha256(weights.read_bytes(os.path.join(folder, WEIGHTS))).hexdigest()
    except OSError as error:
        from memscan.errors import OutputError

        raise OutputError(f"{folder}: cannot be written: {error.strerror}") from error


def _new(config: Config) -> Any:
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        **config,
        out_channels=config["in_channels"],
        up_block_types=("UpDecoderBlock2D",) * len(config["block_out_channels"]),
    )


def _present_name(name: str) -> str:
    """The name of a tensor today; attention had other names before diffusers 0.18."""
    head, found, tail = name.partition(".attentions.0.")
    field, dot, rest = tail.partition(".")
    return f"{head}{found}{_FORMER_NAMES.get(field, field)}{dot}{rest}"
