"""Small networks and lists for tests: an autoencoder of two levels on images of 32 pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.drawing import picture, save

CONFIG: dict[str, Any] = {
    "in_channels": 3,
    "latent_channels": 4,
    "block_out_channels": [8, 8],
    "down_block_types": ["DownEncoderBlock2D"] * 2,
    "layers_per_block": 1,
    "act_fn": "silu",
    "norm_num_groups": 4,
    "sample_size": 32,
    "use_quant_conv": True,
    "mid_block_add_attention": False,
}

SCHEDULE = {"epochs": 2, "steps": 2, "batch": 4}


def needs_diffusers() -> None:
    """Skip where torch or diffusers is missing."""
    pytest.importorskip("torch", reason="torch is not installed (extra learned)")
    pytest.importorskip("diffusers", reason="diffusers is not installed (extra diffusion)")


def autoencoder_in(folder: Path, seed: int = 0) -> str:
    """An untrained autoencoder as diffusers writes it."""
    import torch

    from memscan.detectors import autoencoder

    torch.manual_seed(seed)
    autoencoder.save(autoencoder.build(CONFIG), str(folder))
    return str(folder)


def lcmem_in(folder: Path) -> str:
    """Weights of LCMem that nobody trained, with their card."""
    import torch

    from memscan.detectors import autoencoder, lcmem, weights
    from memscan.detectors.backbones import Size
    from memscan.detectors.siamese import Siamese

    encoder, sha256 = autoencoder.load(autoencoder_in(folder / "autoencoder"))
    torch.manual_seed(0)
    size = Size((1, 1, 1, 1), (8, 8, 8, 12), 2)
    network = Siamese(size, encoder.channels, 6)
    card = lcmem.card_of("untrained", 32, size, 6, encoder, sha256, {})
    written = str(folder / "model.safetensors")
    weights.write(written, lcmem.state_of(encoder, network), card)
    return written


def pictures_in(folder: Path, count: int) -> list[str]:
    """Different pictures of different sizes."""
    return [
        save(picture(seed, (60 + seed, 50)), folder / f"{seed:02d}.png") for seed in range(count)
    ]


def list_of(path: Path, splits: list[str], suffix: str = ".png") -> str:
    """A list of the pictures, each an identity of its own."""
    rows = [f"{row:02d}{suffix},{row},{split}" for row, split in enumerate(splits)]
    path.write_text("\n".join(["path,id,split", *rows]) + "\n", encoding="utf-8")
    return str(path)
