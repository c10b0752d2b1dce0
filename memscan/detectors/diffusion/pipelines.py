"""Latent diffusion models in the layout that diffusers gives Stable Diffusion, as a Denoiser.

A directory with model_index.json, unet, vae, text_encoder, tokenizer and scheduler. All of it is
local, weights are safetensors, and what a file does not say is not made up: nothing is fetched, no
class is looked up by a name in a file, no tensor is drawn at random.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import Any, Mapping, Sequence

import numpy as np
import torch
from PIL import Image

from memscan import hashing
from memscan.detectors import autoencoder, devices, inputs
from memscan.detectors.cards import Input
from memscan.detectors.diffusion import clip, parts, schedules, unets
from memscan.detectors.diffusion.clip import Prompts
from memscan.detectors.diffusion.schedules import Schedule
from memscan.detectors.extras import require
from memscan.errors import InputError

INDEX = "model_index.json"

PARTS: Mapping[str, tuple[str, ...]] = {
    "unet": ("UNet2DConditionModel",),
    "vae": ("AutoencoderKL",),
    "text_encoder": ("CLIPTextModel",),
    "tokenizer": ("CLIPTokenizer", "CLIPTokenizerFast"),
    "scheduler": (),
}
"""The directories of a model, and of what class each may be; a schedule is one in any sampler."""

MOST_SIDE = 4096
"""The side of the largest images that a model may draw, in pixels."""

_SETTINGS = (
    parts.CONFIG,
    schedules.CONFIG,
    clip.VOCABULARY,
    clip.MERGES,
    clip.WHOLE,
    clip.SETTINGS,
    clip.SPECIAL,
)  # all that parts read beside weights


@dataclass(frozen=True)
class LatentDiffusion:
    """A model that was loaded; a :class:`memscan.detectors.diffusion.denoiser.Denoiser`.

    ``fingerprint`` is that of the weights and settings of all parts. A model of classes has their
    names for prompts; an unconditional one was trained with "" alone, and says little to any other
    prompt.
    """

    folder: str
    fingerprint: str
    device: torch.device
    unet: Any
    vae: Any
    prompts: Prompts
    schedule: Schedule
    scale: float

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of a latent."""
        height, width = self.unet.config.sample_size
        return int(self.unet.config.in_channels), int(height), int(width)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of an image, in pixels."""
        _, height, width = self.latent_shape
        reduction = 1 << (len(self.vae.config.block_out_channels) - 1)
        return width * reduction, height * reduction

    @property
    def alphas_bar(self) -> torch.Tensor:
        """The share of the signal's variance after each training step, float64 of shape (T,)."""
        return self.schedule.alphas_bar

    def embed(self, prompts: Sequence[str]) -> torch.Tensor:
        """The last hidden states of prompts, float32 of shape (n, tokens, width)."""
        return self.prompts.embed(prompts)

    def tokens(self, prompt: str) -> Sequence[str]:
        """The text at each position of the embedding of a prompt; "" at what is no part of it."""
        return self.prompts.tokens(prompt)

    def predict(self, latents: torch.Tensor, step: int, embeddings: torch.Tensor) -> torch.Tensor:
        """The noise in latents of a training step, whether or not that is what is predicted."""
        predicted = self.unet(latents, step, encoder_hidden_states=embeddings).sample
        return self.schedule.noise(predicted, latents, step)

    def encode(self, images: Sequence[Image.Image]) -> torch.Tensor:
        """The scaled latents of images, which are stretched to the model's size; the mode."""
        width, height = self.size
        wanted = Input(width, height, channels=int(self.vae.config.in_channels))
        at_once = inputs.at_once(wanted)
        pieces = []
        for start in range(0, len(images), at_once):
            pixels = [_pixels(image, wanted) for image in images[start : start + at_once]]
            batch = torch.from_numpy(np.stack(pixels)).to(self.device)
            pieces.append(self.vae.encode(2 * batch - 1).latent_dist.mode())
        return torch.cat(pieces) * self.scale

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Pixels of latents, float32 of shape (n, 1 or 3, height, width), from 0 to 1."""
        drawn: torch.Tensor = self.vae.decode(latents / self.scale).sample
        return (drawn / 2 + 0.5).clamp(0, 1)


def load(folder: str, device: str = "auto") -> LatentDiffusion:
    """The model in a local directory, frozen, in float32 and evaluation mode.

    ``device`` is a name of :func:`memscan.detectors.devices.choose`. Raises InputError of one
    sentence for what is no directory, no Stable Diffusion, incomplete, damaged or too large, and
    for weights in a pickle.
    """
    require("diffusers", "diffusion")
    require("transformers", "diffusion")
    if not os.path.isdir(folder):
        raise InputError(f"{folder}: no directory of a model; nothing is fetched from anywhere")
    _check_index(folder)
    where = devices.choose(device)
    schedule = schedules.read(os.path.join(folder, "scheduler"))
    unet, unet_sha = unets.load(os.path.join(folder, "unet"))
    vae, scale, vae_sha = autoencoder.load_whole(os.path.join(folder, "vae"))
    words, text_sha = clip.load(*(os.path.join(folder, n) for n in ("tokenizer", "text_encoder")))
    if vae.config.latent_channels != unet.config.in_channels:
        raise InputError(f"{folder}: latents of vae and unet do not have the same channels")
    if vae.config.in_channels not in (1, 3):
        raise InputError(f"{folder}: vae takes neither grey images nor colour ones")
    if words.encoder.config.hidden_size != unet.config.cross_attention_dim:
        raise InputError(f"{folder}: text_encoder and unet do not have the same width")
    shas = "".join((unet_sha, vae_sha, text_sha, _settings(folder)))
    model = LatentDiffusion(
        folder=folder,
        fingerprint=f"sha256:{hashlib.sha256(shas.encode()).hexdigest()}",
        device=where,
        unet=unet,
        vae=vae,
        prompts=words,
        schedule=schedule,
        scale=scale,
    )
    if max(model.size) > MOST_SIDE:
        raise InputError(
            f"{folder}: its images have {model.size[0]} x {model.size[1]} pixels, and at most "
            f"{MOST_SIDE} a side are drawn"
        )
    for part in (unet, vae, words.encoder):
        part.to(where)
    return model


def _check_index(folder: str) -> None:
    path = os.path.join(folder, INDEX)
    if not os.path.exists(path):
        raise InputError(f"{folder}: no model of diffusers: there is no {INDEX} in it")
    index = parts.read_object(path)
    for part, classes in PARTS.items():
        entry = index.get(part)
        if not isinstance(entry, list) or len(entry) != 2 or entry[1] is None:
            raise InputError(f"{path}: names no {part}, which Stable Diffusion has")
        if classes and entry[1] not in classes:
            raise InputError(f"{path}: {part} is no {classes[0]}, which Stable Diffusion has")
        if not os.path.isdir(os.path.join(folder, part)):
            raise InputError(f"{folder}: incomplete: there is no directory {part} in it")


def _settings(folder: str) -> str:
    """A hash of what a model is besides its weights: of its networks, words and noise."""
    found = hashlib.sha256()
    for part in PARTS:
        for name in _SETTINGS:
            path = os.path.join(folder, part, name)
            if os.path.isfile(path):
                text = parts.read_text(path)
                found.update(f"{part}/{name} {len(text)}\n{text}".encode())
    return found.hexdigest()


def _pixels(image: Image.Image, wanted: Input) -> np.ndarray[Any, np.dtype[np.float32]]:
    with hashing.resizable(image):
        return inputs.prepare(image, wanted)
