"""A latent diffusion model on disk, as diffusers writes Stable Diffusion, in safetensors alone."""

from __future__ import annotations

import json
import os
from typing import Any, Mapping

from memscan.detectors import autoencoder, weights
from memscan.detectors.diffusion import clip, parts, pipelines, schedules, unets
from memscan.detectors.diffusion.vocabularies import Vocabulary
from memscan.errors import InputError, OutputError

RECORD = "training.json"
"""How the model came about; diffusers does not look at it. It is there from the beginning on."""

VAE = "vae"


def require_new(folder: str) -> None:
    """Raise InputError for a directory that holds more than a training that was stopped."""
    if os.path.lexists(folder) and not os.path.isdir(folder):
        raise InputError(f"{folder}: not a directory")
    names = parts.names_in(folder)
    if names and (RECORD not in names or pipelines.INDEX in names):
        raise InputError(f"{folder}: not empty; a model goes into a directory of its own")


def begin(folder: str) -> None:
    """Make the directory, marked as that of a training. Raises OutputError."""
    make(folder)
    _write_object(os.path.join(folder, RECORD), {"memscan_ldm": 1, "finished": False})


def make(folder: str) -> None:
    """Make a directory, and those above it. Raises OutputError."""
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made: {error.strerror}") from error


def write(
    folder: str,
    *,
    vae: Any,
    scale: float,
    unet: Any,
    text: Any,
    vocabulary: Vocabulary,
    scheduler: Mapping[str, Any],
    record: Mapping[str, Any],
) -> None:
    """Write all parts, and last of all the index, without which there is no model.

    Raises OutputError.
    """
    import diffusers

    version = diffusers.__version__
    places = {part: os.path.join(folder, part) for part in pipelines.PARTS}
    for place in places.values():
        make(place)
    vae.register_to_config(scaling_factor=scale)
    autoencoder.save(vae, places["vae"])
    config = {name: value for name, value in unet.config.items() if not name.startswith("_")}
    _write_object(
        os.path.join(places["unet"], parts.CONFIG),
        {"_class_name": "UNet2DConditionModel", "_diffusers_version": version, **config},
    )
    _write_weights(os.path.join(places["unet"], f"{unets.STEM}.safetensors"), unet.state_dict())
    length = _write_text(places["text_encoder"], text)
    _write_tokenizer(places["tokenizer"], vocabulary, length)
    _write_object(
        os.path.join(places["scheduler"], schedules.CONFIG),
        {"_class_name": "DDIMScheduler", "_diffusers_version": version, **scheduler},
    )
    _write_object(os.path.join(folder, RECORD), record)
    absent = ("safety_checker", "feature_extractor", "image_encoder")
    index = {
        "_class_name": "StableDiffusionPipeline",
        "_diffusers_version": version,
        "requires_safety_checker": False,
        **{part: [None, None] for part in absent},
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "scheduler": ["diffusers", "DDIMScheduler"],
    }
    _write_object(os.path.join(folder, pipelines.INDEX), index)


def _write_text(folder: str, text: Any) -> int:
    """Write a text encoder; returns the most tokens that it takes."""
    fields = (
        "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers",
        "num_attention_heads", "max_position_embeddings", "hidden_act", "layer_norm_eps",
        "bos_token_id", "eos_token_id", "pad_token_id",
    )  # fmt: skip
    config = {name: getattr(text.config, name) for name in fields}
    kind = {"architectures": ["CLIPTextModel"], "model_type": "clip_text_model"}
    _write_object(os.path.join(folder, parts.CONFIG), {**kind, **config})
    path = os.path.join(folder, f"{clip.STEM}.safetensors")
    _write_weights(path, clip.published(text.state_dict()))
    return int(text.config.max_position_embeddings)


def _write_tokenizer(folder: str, vocabulary: Vocabulary, length: int) -> None:
    _write_object(os.path.join(folder, clip.VOCABULARY), vocabulary.numbers)
    merges = ["#version: 0.2", *(f"{first} {second}" for first, second in vocabulary.merges)]
    content = "\n".join(merges) + "\n"
    weights.write_whole(os.path.join(folder, clip.MERGES), content.encode("utf-8"))
    settings = {"tokenizer_class": "CLIPTokenizer", "model_max_length": length}
    _write_object(os.path.join(folder, clip.SETTINGS), {**settings, **clip.SPECIAL_TOKENS})
    _write_object(os.path.join(folder, clip.SPECIAL), clip.SPECIAL_TOKENS)


def _write_object(path: str, document: Mapping[str, Any]) -> None:
    weights.write_whole(path, (json.dumps(document, indent=2) + "\n").encode("ascii"))


def _write_weights(path: str, state: weights.State) -> None:
    from safetensors.torch import save

    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    weights.write_whole(path, save(tensors, {"format": "pt"}))
