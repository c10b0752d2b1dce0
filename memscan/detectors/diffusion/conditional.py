"""The network that is trained, and the average of its weights, from which images are drawn."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn


class Conditional(nn.Module):
    """A U-Net with the text encoder that tells it what to draw."""

    def __init__(self, unet: nn.Module, text: nn.Module) -> None:
        super().__init__()
        self.unet = unet
        self.text = text

    def forward(
        self, latents: torch.Tensor, steps: torch.Tensor, tokens: torch.Tensor
    ) -> torch.Tensor:
        """What the U-Net predicts, of the shape of the latents."""
        embeddings = self.text(tokens).last_hidden_state
        predicted: torch.Tensor = self.unet(latents, steps, encoder_hidden_states=embeddings).sample
        return predicted


class Averaged(nn.Module):
    """A network and the moving average of its weights, which is that of the samples.

    The average keeps a share ``most`` of itself in a step, and less in the first ones.
    """

    updates: torch.Tensor

    def __init__(self, network: nn.Module, most: float) -> None:
        super().__init__()
        self.network = network
        self.average = copy.deepcopy(network).requires_grad_(False)
        self.most = most
        self.register_buffer("updates", torch.zeros((), dtype=torch.int64))

    def forward(self, *inputs: Any) -> Any:
        """What the network gives."""
        return self.network(*inputs)

    @torch.no_grad()
    def follow(self) -> None:
        """Move the average towards the weights, after a step of the optimiser."""
        self.updates += 1
        done = float(self.updates)
        share = 1 - min(self.most, (1 + done) / (10 + done))
        for kept, new in zip(self.average.parameters(), self.network.parameters()):
            kept.lerp_(new, share)
