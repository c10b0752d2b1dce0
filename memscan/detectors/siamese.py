"""The network of LCMem: a Siamese ConvNeXt over latents, and its losses (arXiv 2512.14421).

Two latents become two embeddings in (0, 1)^D; the probability that they are of one identity is
the sigmoid of a linear layer on the absolute difference of the embeddings.
"""

from __future__ import annotations

from typing import Tuple

import torch
from torch import nn
from torch.nn import functional

from memscan.detectors import devices
from memscan.detectors.backbones import ConvNeXt, Size

LATENT_DEVIATION = 0.5
_LEAST_DEVIATION = 1e-3  # of a flat channel, whose rounding errors would become the picture

Embedded = Tuple[torch.Tensor, torch.Tensor]
"""The embeddings of n first and of n second views, both (n, D)."""


class Siamese(nn.Module):
    """The backbone f, shared by both images, and the head on the difference of embeddings."""

    def __init__(self, size: Size, channels: int, dimensions: int) -> None:
        super().__init__()
        width = size.widths[-1]
        self.backbone = ConvNeXt(size, channels, scale=0.1)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.embedding = nn.Linear(width, dimensions)
        self.head = nn.Linear(dimensions, 1)

    def embed(self, latents: torch.Tensor) -> torch.Tensor:
        """Embeddings in (0, 1), of shape (n, D), from latents (n, channels, height, width)."""
        features = self.backbone(normalised(latents))[-1].mean(dim=(2, 3))
        return torch.sigmoid(self.embedding(self.norm(features)))

    def logits(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """The log odds that rows of embeddings are of one identity, of shape (n,)."""
        difference: torch.Tensor = self.head((first - second).abs()).squeeze(-1)
        return difference

    def all_logits(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """The log odds of all pairs of rows, of shape (m, n), in the memory of the result.

        The head is a difference of two distances in the L1 norm: one over the dimensions whose
        weight is positive, one over the others, with columns scaled by the size of their weights.
        """
        weight = self.head.weight[0]
        sums = []
        for chosen in (weight > 0, weight <= 0):
            scale = weight[chosen].abs()
            sums.append(torch.cdist(first[:, chosen] * scale, second[:, chosen] * scale, p=1))
        odds: torch.Tensor = sums[0] - sums[1] + self.head.bias
        return odds

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> Embedded:
        """The embeddings of two batches of latents."""
        first, second = self.embed(torch.cat([first, second])).chunk(2)
        return first, second


def normalised(latents: torch.Tensor) -> torch.Tensor:
    """Each channel of each latent brought to mean 0 and standard deviation 0.5."""
    centred = latents - latents.mean(dim=(2, 3), keepdim=True)
    deviation = centred.square().mean(dim=(2, 3), keepdim=True).sqrt()
    return centred * (LATENT_DEVIATION / deviation.clamp(min=_LEAST_DEVIATION))


def nt_xent(first: torch.Tensor, second: torch.Tensor, temperature: float) -> torch.Tensor:
    """The normalised temperature-scaled cross entropy (Chen et al., SimCLR, 2020).

    Row i of ``first`` and of ``second``, both (n, D), are of one identity, other rows of others:
    each embedding is to tell its partner from the 2 n - 2 others by cosine.
    """
    both = functional.normalize(torch.cat([first, second]).float(), dim=1)
    with devices.full_precision(both.device):
        similarity = both @ both.T / temperature
    similarity.fill_diagonal_(float("-inf"))
    count = len(first)
    partners = torch.arange(2 * count, device=both.device).roll(count)
    return functional.cross_entropy(similarity, partners)


def pair_entropy(network: Siamese, embedded: Embedded, shift: int) -> torch.Tensor:
    """The binary cross entropy of n right pairs, and of n others.

    Others are made by rolling the first views by ``shift`` rows, from 1 to n - 1, so that the
    identities of a batch must be distinct.
    """
    first, second = embedded
    right, other = network.logits(first, second), network.logits(first.roll(shift, 0), second)
    return 0.5 * (
        functional.binary_cross_entropy_with_logits(right, torch.ones_like(right))
        + functional.binary_cross_entropy_with_logits(other, torch.zeros_like(other))
    )


def loss(
    network: Siamese, embedded: Embedded, shift: int, share: float, temperature: float
) -> torch.Tensor:
    """``share`` of the binary cross entropy of pairs, the rest NT-Xent."""
    contrast = nt_xent(*embedded, temperature)
    return share * pair_entropy(network, embedded, shift) + (1 - share) * contrast
