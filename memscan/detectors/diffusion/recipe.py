"""How a latent diffusion model is built and trained, as a configuration file says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from memscan.detectors import autoencoder_training, configuration
from memscan.detectors.configuration import number, whole
from memscan.detectors.training import Plan


@dataclass(frozen=True)
class Recipe:
    """How the autoencoder, the U-Net and the text encoder are built and trained.

    Images of both stages are squares of ``autoencoder.side`` pixels; the rest of ``autoencoder``
    says nothing where one is given. The U-Net has ``levels`` resolutions, of which the first has
    ``width`` channels and the others twice as many, with attention in all but the first (or in the
    only one). A caption is cut after ``tokens`` tokens, of at most ``vocabulary``; the text
    encoder has ``text_layers`` layers of ``text_width``.

    Noise is added in ``noise_steps`` steps with betas whose roots rise evenly from ``beta_first``
    to ``beta_last``; the velocity is learned in fewer steps than the noise. A share
    ``unconditional`` of captions is left out, so that there is guidance. ``average`` is the share
    that the average of the weights keeps in each step. After each epoch of ``steps`` batches, the
    loss is measured at ``checks`` fixed draws.
    """

    autoencoder: autoencoder_training.Recipe = field(
        default_factory=lambda: autoencoder_training.Recipe(log_variance=-6.0)
    )
    width: int = whole(32, 8, 1024)
    levels: int = whole(3, 1, 5)
    layers: int = whole(1, 1, 4)
    heads: int = whole(4, 1, 64)
    text_width: int = whole(64, 8, 2048)
    text_layers: int = whole(2, 1, 24)
    tokens: int = whole(24, 4, 256)
    vocabulary: int = whole(2048, 514, 65_536)
    noise_steps: int = whole(1000, 100, 10_000)
    beta_first: float = number(0.0015, 1e-6, 0.5)
    beta_last: float = number(0.0205, 1e-6, 0.5)
    prediction: str = configuration.choice("v_prediction", "epsilon")
    unconditional: float = number(0.1, 0, 1)
    batch: int = whole(16, 1, 4096)
    steps: int = whole(100, 1, 1_000_000)
    epochs: int = whole(50, 1, 100_000)
    minutes: float | None = configuration.minutes()
    learning_rate: float = number(5e-4, 1e-7, 1)
    average: float = number(0.999, 0, 0.999999)
    checks: int = whole(128, 2, 65_536)
    seed: int = whole(42, 0, 1 << 31)

    def unet(self, channels: int, sides: tuple[int, int]) -> dict[str, Any]:
        """The U-Net for latents of so many channels and of this height and width."""
        attends = [self.levels == 1 or level > 0 for level in range(self.levels)]
        return {
            "sample_size": list(sides),
            "in_channels": channels,
            "out_channels": channels,
            "block_out_channels": [self.width] + [2 * self.width] * (self.levels - 1),
            "norm_num_groups": 8,
            "down_block_types": [
                "CrossAttnDownBlock2D" if one else "DownBlock2D" for one in attends
            ],
            "up_block_types": [
                "CrossAttnUpBlock2D" if one else "UpBlock2D" for one in reversed(attends)
            ],
            "layers_per_block": self.layers,
            "cross_attention_dim": self.text_width,
            "attention_head_dim": self.heads,
        }

    def text(self, vocabulary: int) -> dict[str, Any]:
        """The text encoder for a vocabulary of so many tokens."""
        return {
            "vocab_size": vocabulary,
            "hidden_size": self.text_width,
            "intermediate_size": 4 * self.text_width,
            "num_hidden_layers": self.text_layers,
            "num_attention_heads": self.heads,
            "max_position_embeddings": self.tokens,
            "hidden_act": "quick_gelu",
            "layer_norm_eps": 1e-5,
        }

    def scheduler(self) -> dict[str, Any]:
        """The noise schedule, with the settings of DDIM that memscan draws by."""
        return {
            "num_train_timesteps": self.noise_steps,
            "beta_start": self.beta_first,
            "beta_end": self.beta_last,
            "beta_schedule": "scaled_linear",
            "prediction_type": self.prediction,
            "clip_sample": False,
            "set_alpha_to_one": True,
            "steps_offset": 1,
            "timestep_spacing": "trailing",
        }

    def plan(self) -> Plan:
        """How long to train: to the end, since what comes in copies is memorised late.

        Meanwhile the loss of the other images rises, so that the least of it decides nothing.
        """
        return Plan(
            self.epochs,
            self.epochs,
            self.steps,
            self.minutes,
            shape="cosine",
            warmup=0.02,
            seed=self.seed,
            keeps_last=True,
        )
