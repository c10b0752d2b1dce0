"""Tiny Stable Diffusions that nobody trained, written by diffusers and transformers themselves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.detectors.small import CONFIG, needs_diffusers

ALPHABET = "abcdefghijklmnopqrstuvwxyz"
BEGIN, END = "<|startoftext|>", "<|endoftext|>"
LENGTH = 8


def needs_transformers() -> None:
    """Skip where torch, diffusers or transformers is missing."""
    needs_diffusers()
    pytest.importorskip("transformers", reason="transformers is not installed (extra diffusion)")


def vocabulary() -> dict[str, int]:
    """Letters, letters that end a word, one merge, and the two tokens around a text."""
    tokens = [*ALPHABET, *(f"{letter}</w>" for letter in ALPHABET), "ca", "cat</w>", BEGIN, END]
    return {token: number for number, token in enumerate(tokens)}


def write_tokenizer(folder: Path, pad: str = END) -> None:
    """A tokenizer of CLIP in the files that models on the hub have."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps(vocabulary()), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\nc a\nca t</w>\n", encoding="utf-8")
    settings = {
        "tokenizer_class": "CLIPTokenizer",
        "model_max_length": LENGTH,
        "bos_token": {
            "__type": "AddedToken",
            "content": BEGIN,
            "lstrip": False,
            "normalized": True,
            "rstrip": False,
            "single_word": False,
        },
        "eos_token": END,
        "pad_token": pad,
        "unk_token": END,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")


def model_in(folder: Path, prediction: str = "epsilon", pad: str = END, seed: int = 0) -> str:
    """A model with latents of 4 x 8 x 8 for images of 16 pixels."""
    import torch
    from diffusers import (
        AutoencoderKL,
        DDIMScheduler,
        StableDiffusionPipeline,
        UNet2DConditionModel,
    )
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    torch.manual_seed(seed)
    write_tokenizer(folder / "tokenizer", pad)
    count = len(vocabulary())
    text = CLIPTextConfig(
        vocab_size=count, hidden_size=16, intermediate_size=32, num_hidden_layers=2,
        num_attention_heads=2, max_position_embeddings=LENGTH, projection_dim=16,
        bos_token_id=count - 2, eos_token_id=count - 1, pad_token_id=count - 1,
    )  # fmt: skip
    unet = UNet2DConditionModel(
        sample_size=8, block_out_channels=(8, 16), norm_num_groups=4, layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=16, attention_head_dim=2,
    )  # fmt: skip
    scheduler = DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False,
        prediction_type=prediction, steps_offset=1, timestep_spacing="trailing",
    )  # fmt: skip
    widths = {**CONFIG, "up_block_types": ["UpDecoderBlock2D"] * 2, "scaling_factor": 0.7}
    pipeline = StableDiffusionPipeline(
        vae=AutoencoderKL(**widths),
        text_encoder=CLIPTextModel(text),
        tokenizer=CLIPTokenizer.from_pretrained(str(folder / "tokenizer"), local_files_only=True),
        unet=unet,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(str(folder), safe_serialization=True)
    return str(folder)


def opened_by_diffusers(folder: str) -> Any:
    """The same model as diffusers opens it."""
    from diffusers import StableDiffusionPipeline
    from transformers.utils import logging

    logging.disable_progress_bar()
    pipeline = StableDiffusionPipeline.from_pretrained(
        folder, local_files_only=True, use_safetensors=True, low_cpu_mem_usage=False
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def change(path: Path, **fields: Any) -> None:
    """Other fields in a JSON file."""
    document = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**document, **fields}), encoding="utf-8")
