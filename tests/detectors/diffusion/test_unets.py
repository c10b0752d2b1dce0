from __future__ import annotations

from typing import Any

import pytest

from tests.detectors.diffusion.models import needs_transformers

needs_transformers()

import torch  # noqa: E402

from memscan.detectors.diffusion import clip, unets  # noqa: E402

CROSS, PLAIN = "CrossAttnDownBlock2D", "DownBlock2D"
FIRST: dict[str, Any] = {
    "_class_name": "UNet2DConditionModel",
    "_diffusers_version": "0.2.2",
    "act_fn": "silu",
    "attention_head_dim": 8,
    "block_out_channels": [320, 640, 1280, 1280],
    "center_input_sample": False,
    "cross_attention_dim": 768,
    "down_block_types": [CROSS, CROSS, CROSS, PLAIN],
    "downsample_padding": 1,
    "flip_sin_to_cos": True,
    "freq_shift": 0,
    "in_channels": 4,
    "layers_per_block": 2,
    "mid_block_scale_factor": 1,
    "norm_eps": 1e-05,
    "norm_num_groups": 32,
    "out_channels": 4,
    "sample_size": 64,
    "up_block_types": ["UpBlock2D", *["CrossAttnUpBlock2D"] * 3],
}
"""What Stable Diffusion 1 says of its U-Net."""

SECOND: dict[str, Any] = {
    **FIRST,
    "attention_head_dim": [5, 10, 20, 20],
    "cross_attention_dim": 1024,
    "dual_cross_attention": False,
    "num_class_embeds": None,
    "only_cross_attention": False,
    "sample_size": 96,
    "upcast_attention": True,
    "use_linear_projection": True,
}
"""And Stable Diffusion 2."""


def weights_of(network: Any) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(("document", "weights"), [(FIRST, 859_520_964), (SECOND, 865_910_724)])
def test_published_networks_have_as_many_weights_as_they_should(
    document: dict[str, Any], weights: int
) -> None:
    with torch.device("meta"):
        network = unets.build(unets.parse_config(document))
    assert weights_of(network) == weights


def test_silence_means_what_it_means_to_diffusers() -> None:
    from diffusers import UNet2DConditionModel

    with torch.device("meta"):
        found, wanted = unets.build(unets.parse_config({"sample_size": 8})), UNet2DConditionModel()
    assert weights_of(found) == weights_of(wanted)
    other = wanted.config
    assert all(
        value == (list(other[name]) if isinstance(other[name], tuple) else other[name])
        for name, value in unets.parse_config({"sample_size": 8}).items()
        if name != "sample_size"
    )


def test_the_text_encoder_of_the_first_has_as_many_weights_as_it_should() -> None:
    document = {
        "hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12,
        "hidden_act": "quick_gelu", "torch_dtype": "float32", "auto_map": {"AutoModel": "evil.py"},
    }  # fmt: skip
    with torch.device("meta"):
        encoder = clip.build_encoder(clip.parse_config(document))
    assert weights_of(encoder) == 123_060_480
